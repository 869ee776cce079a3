import { expect, test } from "vitest";
import { Simulation } from "./simulation.ts";

test("three peers go through ten rounds, and nearly every commit names all of them", () => {
  const sim = new Simulation({ seed: 1, peers: 3 }).startAll();
  sim.runRounds(10);
  sim.checkAll();
  expect(sim.commits().filter(({ contributors }) => contributors.length === 3).length).toBeGreaterThanOrEqual(9);
  expect(sim.host.updateFetches).toBe(0);
  expect(sim.peerFetches).toBeGreaterThan(40);
});
