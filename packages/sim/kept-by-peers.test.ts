// Stories about a run whose updates its peers keep: the host has the log alone. Rules are those of docs/PROTOCOL.md.
import { expect, test } from "vitest";
import { Simulation, type SimulationOptions } from "./simulation.ts";

const rounds = {
  quorum: 32,
  maxContributors: 32,
  deadlineMinMs: 2_000,
  deadlineMaxMs: 20_000,
  durability: "peers",
} as const;
const start = (options: Omit<SimulationOptions, "spec"> & { holders?: number }): Simulation =>
  new Simulation({ ...options, spec: { rounds: { ...rounds, holders: options.holders ?? 2 } } });

test("[R35] [R36] rounds go on, nothing lies at the host, and each update was held by its maker and two others when it counted", () => {
  const sim = start({ seed: 80, peers: 5 }).startAll();
  sim.runRounds(12);
  sim.checkAll();
  expect(sim.host.blobs.size).toBe(0);
  expect(sim.host.updateFetches).toBe(0);
  expect(
    sim
      .commits()
      .slice(3)
      .every(({ contributors }) => contributors.length === 5),
  ).toBe(true);
  expect(sim.heldByFewest).toBeGreaterThanOrEqual(3);
});

test.each([1, 2, 3])("[R35] with %i peers everybody else holds it", (peers) => {
  const sim = start({ seed: 80 + peers, peers, holders: 4 }).startAll();
  sim.runRounds(6);
  sim.checkAll();
  expect(
    sim
      .commits()
      .slice(3)
      .every(({ contributors }) => contributors.length === peers),
  ).toBe(true);
  expect(sim.heldByFewest).toBe(peers);
});

test("[R35] a maker that vanishes right after the commit is no loss", () => {
  const sim = start({ seed: 85, peers: 4 }).startAll();
  sim.runRounds(3);
  sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
  const { round } = sim;
  const [gone] = sim.state.commit!.contributors;
  sim.peer(gone.peer)!.crash();
  sim.runUntil(({ round: now }) => now > round + 2, 60_000, "two more rounds");
  sim.checkAll();
  expect(sim.host.log.some((entry) => entry.type === "void")).toBe(false);
});

test("[R35] an update that its maker gives to nobody never counts", () => {
  const sim = start({ seed: 86, peers: 4 }).startAll();
  sim.peers[0].lie = "withheld-blob";
  sim.peers[0].tainted = true;
  sim.runRounds(4, 200_000);
  sim.checkAll();
  for (const { contributors } of sim.commits())
    expect(contributors.some(({ peer }) => peer === sim.peers[0].id)).toBe(false);
});

test("[R36] a commit whose blob went with all who held it is void, and the round is done again", () => {
  const sim = start({ seed: 87, peers: 4 }).startAll();
  sim.runRounds(3);
  sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
  const { round } = sim;
  const lost = sim.state.commit!.contributors[0].update;
  for (const peer of sim.peers)
    if (peer.blobs.has(lost)) {
      peer.crash();
      peer.blobs.delete(lost);
      sim.clock.after(40_000, () => peer.start());
    }
  sim.runUntil(({ host }) => host.log.some((entry) => entry.type === "void"), 120_000, "the void");
  expect(sim.host.log.find((entry) => entry.type === "void")).toMatchObject({ round });
  sim.runRounds(3, 120_000);
  sim.checkAll();
});

test("[R36] one that folds wrongly is outvoted and heals", () => {
  const sim = start({ seed: 88, peers: 4 }).startAll();
  sim.runRounds(3);
  sim.peers[1].wrongFolds = 1;
  sim.runRounds(4, 120_000);
  sim.checkAll();
  expect(sim.peers[1].peer!.view().desyncs).toBe(1);
});

test("[R37] checkpoints come from peers, and a joiner needs nothing else", () => {
  const sim = start({ seed: 89, peers: 5 });
  sim.host.start();
  for (const peer of sim.peers.slice(0, 4)) peer.start();
  sim.runRounds(12);
  expect(sim.state.checkpoint!.round).toBeGreaterThanOrEqual(8);
  sim.peers[4].start();
  sim.runUntil((s) => s.commits().at(-1)!.contributors.length === 5, 60_000, "the joiner in a commit");
  sim.checkAll();
  expect(sim.host.blobs.size).toBe(0);
});

test("[R24] [R36] a host that stops with a commit under way, or with offers in, goes on", () => {
  const sim = start({ seed: 90, peers: 4 }).startAll();
  for (let i = 0; i < 4; i++) {
    sim.runRounds(1, 60_000);
    sim.runUntil(({ state }) => i % 2 === 0 || state.commit !== undefined, 20_000);
    sim.host.crash();
    sim.runFor(1_500);
    sim.host.start();
  }
  sim.runRounds(3, 60_000);
  sim.checkAll();
});

test("[R22] it ends as any run", () => {
  const spec = { rounds: { ...rounds }, end: { roundsMax: 5 } };
  const sim = new Simulation({ seed: 91, peers: 3, spec }).startAll();
  sim.runUntil(({ peers }) => peers.every((peer) => peer.ended !== undefined), 120_000, "the end");
  sim.checkAll();
  expect(sim.state.checkpoint).toMatchObject({ round: 5 });
});
