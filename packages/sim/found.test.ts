// What the fuzzer once found, as stories that stay true when its seeds mean something else.
import { expect, test } from "vitest";
import { Simulation } from "./simulation.ts";
import { voidCommit } from "./void.ts";

const everybodyKnows = (sim: Simulation): void =>
  sim.runUntil(
    ({ peers, host }) => !host.disk.writing && peers.every(({ peer }) => peer?.log.seq === host.log.length - 1),
    60_000,
    "the whole log at every peer",
  );

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

test("[R33] [R31] offers wait until a host has back the open that they answer: else it refuses them, or drops their updates with an older round's (seeds 1024, 1180)", () => {
  const rounds = { quorum: 32, maxContributors: 32, deadlineMinMs: 500, deadlineMaxMs: 8_000, overlap: true };
  const spec = { rounds, checkpoint: { everyRounds: 1, retain: "window" as const } };
  const sim = new Simulation({ seed: 1, peers: 6, network: { delayMs: [50, 400] }, spec }).startAll();
  sim.runRounds(5);
  sim.runUntil(({ host }) => host.log.at(-1)!.type === "open", 60_000, "an open");
  everybodyKnows(sim);
  sim.host.crash();
  sim.judge.blobsLost += 1; // updates of older rounds are forgotten
  sim.host.disk.restoreBackup(8);
  sim.clock.after(3_000, () => sim.host.start());
  sim.runRounds(2, 60_000);
  sim.checkAll();
});

test.each([
  ["that comes back with it", 0, 1088],
  ["that comes back", 1, 300244],
])("[R33] [R3] a commit and a void %s: the round that was done again is what is folded", (_, kept) => {
  const spec = { checkpoint: { everyRounds: 5, retain: "all" as const } };
  const sim = new Simulation({ seed: 2, peers: 4, spec }).startAll();
  sim.runRounds(2);
  const commit = voidCommit(sim);
  sim.runRounds(1);
  everybodyKnows(sim);
  sim.host.crash();
  sim.host.disk.restoreBackup(sim.host.log.length - commit.seq - kept);
  for (const { update, bytes } of commit.contributors) sim.host.blobs.add(update, bytes); // the backup has them
  sim.host.start();
  sim.runRounds(2, 60_000);
  sim.checkAll();
});

test("[R33] [R18] nobody is sent away for what seals say that come back: it was punished then (seed 300597)", () => {
  const sim = new Simulation({ seed: 3, peers: 1 }).startAll();
  sim.runRounds(1);
  const [peer] = sim.peers;
  peer.bad = true;
  sim.runUntil(() => !peer.up, 60_000, "the end of its visit");
  peer.bad = false;
  peer.start();
  const { round } = sim;
  sim.runRounds(1, 60_000);
  everybodyKnows(sim);
  sim.host.crash();
  sim.judge.blobsLost += 1;
  const seals = sim.host.disk.restoreBackup(3 * (round + 1)).filter((entry) => entry.type === "seal");
  expect(seals.filter(({ refused }) => refused.length > 0).length).toBeGreaterThanOrEqual(3);
  sim.host.start();
  sim.runRounds(2, 60_000);
  sim.checkAll();
  expect(peer.refusals).toHaveLength(1);
});
