// What the fuzzer once found, as stories that stay true when its seeds mean something else.
import { test } from "vitest";
import { Simulation } from "./simulation.ts";

test("[R7] [R10] an equivocator alone, whose first offer names a blob that never comes, may offer again after the deadline (seed 192)", () => {
  const sim = new Simulation({ seed: 1, peers: 1 }).startAll();
  sim.runRounds(1);
  const [peer] = sim.peers;
  peer.lie = "equivocation";
  sim.runUntil(({ struck }) => struck.equivocation >= 4, 200_000, "an offer without a blob that came first");
  peer.lie = undefined;
  peer.crash();
  peer.start();
  sim.runRounds(2, 60_000);
  sim.checkAll();
});
