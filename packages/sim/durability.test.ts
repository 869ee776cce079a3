// Stories about what survives: a host that loses the end of its log, or blobs. Rules are those of docs/PROTOCOL.md.
import { describe, expect, test } from "vitest";
import { Simulation } from "./simulation.ts";

const everybodyKnows = (sim: Simulation): void =>
  sim.runUntil(
    ({ peers, host }) => peers.every(({ peer }) => peer?.log.seq === host.log.length - 1),
    20_000,
    "the whole log at every peer",
  );

describe("[R33] a host that comes back with an older log", () => {
  test.each([
    [70, 1],
    [71, 2],
    [72, 3],
    [73, 7],
    [74, 25],
  ])("takes what is missing from its peers, and the round goes on (seed %i, %i entries lost)", (seed, entriesLost) => {
    const sim = new Simulation({ seed, peers: 3 }).startAll();
    sim.runRounds(9);
    everybodyKnows(sim);
    sim.host.crash();
    sim.judge.blobsLost += 1; // updates before the newest checkpoints are forgotten by everybody
    const lost = sim.host.disk.restoreBackup(entriesLost);
    const round = sim.round;
    sim.host.start();
    sim.runUntil(({ host }) => host.log.length >= lost[0].seq + lost.length, 10_000, "the entries given back");
    for (const entry of lost) expect(sim.host.log[entry.seq]).toEqual(entry);
    sim.runUntil(({ round: now }) => now >= round + 3, 30_000, "three more rounds");
    sim.checkAll(); // and nothing that was told is lost
    expect(sim.peers.every(({ refusals }) => refusals.length === 0)).toBe(true);
    expect(sim.peers.every(({ evidence }) => evidence.length === 0)).toBe(true);
  });

  test("waits for the others when the first who is back has not seen the last entries", () => {
    const sim = new Simulation({ seed: 75, peers: 3 }).startAll();
    sim.runRounds(4);
    const [behind] = sim.peers;
    behind.offline = true;
    behind.cutControl();
    sim.runRounds(1);
    sim.runUntil(({ peers, host }) => peers.some(({ peer }) => peer?.log.seq === host.log.length - 1), 10_000);
    sim.host.crash();
    for (const peer of sim.peers) peer.offline = true;
    const lost = sim.host.disk.restoreBackup(4);
    sim.host.start();
    behind.offline = false;
    sim.runFor(2_000);
    expect(sim.host.log.at(-1)!.seq).toBe(lost[0].seq - 1); // it appends nothing yet
    for (const peer of sim.peers) peer.offline = false;
    sim.runRounds(3, 30_000);
    for (const entry of lost) expect(sim.host.log[entry.seq]).toEqual(entry);
    sim.checkAll();
    expect(sim.peers.every(({ refusals }) => refusals.length === 0)).toBe(true);
  });
});

test("[R34] updates that the host's disk has lost as well come from the peers that hold them", () => {
  const sim = new Simulation({ seed: 76, peers: 3 }).startAll();
  sim.runRounds(6);
  sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
  sim.runUntil(({ host }) => host.log.at(-1)!.type === "seal", 20_000);
  everybodyKnows(sim);
  sim.host.crash();
  const lost = sim.host.disk.restoreBackup(3); // at least the newest commit and its seal
  sim.judge.blobsLost += 1;
  const updates = lost.flatMap((entry) => (entry.type === "commit" ? entry.contributors.map((c) => c.update) : []));
  expect(updates.length).toBeGreaterThan(0);
  for (const update of updates) sim.host.blobs.delete(update);
  sim.host.start();
  sim.runRounds(3, 40_000);
  sim.checkAll();
  expect(updates.every((update) => sim.host.blobs.has(update))).toBe(true);
  expect(sim.host.log.some((entry) => entry.type === "void")).toBe(false);
});

test("[R24] a commit that waited for its seal when the host stopped names those who come back and have folded it", () => {
  const sim = new Simulation({ seed: 77, peers: 3 }).startAll();
  sim.runRounds(3);
  sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
  const { round } = sim;
  sim.host.crash();
  sim.host.start();
  sim.runUntil(({ round: now }) => now > round, 20_000);
  const seal = sim.host.log.findLast((entry) => entry.type === "seal")!;
  expect(seal).toMatchObject({ round, attesters: expect.objectContaining({ length: 3 }) });
  sim.checkAll();
});
