// NoLoCo: peers with replicas of their own, who fold in pairs. The judge sees to it that all draw the same pairs, and that the anchor is what the log merges to.
import { expect, test } from "vitest";
import type { PeerNode } from "./peer-node.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";
import { voidCommit } from "./void.ts";

const rounds = {
  quorum: 32,
  maxContributors: 32,
  deadlineMinMs: 500,
  deadlineMaxMs: 20_000,
  topology: "pairs" as const,
};

const inPairs = (options: Partial<SimulationOptions> = {}): Simulation =>
  new Simulation({ seed: 40, peers: 6, ...options, spec: { rounds, ...options.spec } }).startAll();

const isOwn = ({ replica }: PeerNode): boolean => replica?.own ?? false;

test.each([2, 5, 8])(
  "[R48] [R49] %i peers are in every commit, and each fetches one other's update a round",
  (peers) => {
    const sim = inPairs({ peers, spec: { evaluation: { everyRounds: 1_000, windows: 8 } } });
    sim.runRounds(4);
    const before = sim.peerFetches + sim.host.updateFetches;
    const met = sim.struck["pair-met"];
    sim.runRounds(10);
    sim.checkAll();
    for (const { contributors } of sim.commits().slice(4)) expect(contributors).toHaveLength(peers);
    expect(sim.peers.every(isOwn)).toBe(true);
    const meetings = sim.struck["pair-met"] - met;
    const even = peers - (peers % 2);
    expect(meetings).toBeGreaterThanOrEqual(9 * even); // some of the last round's may be under way
    expect(meetings).toBeLessThanOrEqual(11 * even);
    expect(sim.peerFetches + sim.host.updateFetches - before).toBeLessThanOrEqual(11 * even);
    const seals = sim.host.log.filter((entry) => entry.type === "seal");
    for (const { attesters } of seals) expect(attesters).toEqual([]);
  },
);

test("[R48] an update that its maker and the host do not serve holds up its partner alone, who folds its own after a while", () => {
  const sim = inPairs({ seed: 41, peers: 4 });
  sim.runRounds(3);
  const [silent, ...others] = sim.peers;
  silent.tainted = true;
  silent.lie = "withheld-blob";
  sim.host.servesUpdates = false;
  sim.runRounds(6);
  sim.host.servesUpdates = true;
  silent.lie = undefined;
  sim.runRounds(2);
  sim.checkAll();
  expect(sim.struck["withheld-blob"]).toBeGreaterThan(0);
  expect(others.reduce((sum, { foldedAlone }) => sum + foldedAlone, 0)).toBeGreaterThanOrEqual(3);
  expect(sim.peers.every(({ peer }) => peer!.view().desyncs === 0)).toBe(true);
});

test("[R50] who misses a few rounds fetches nothing; who misses more goes on from the anchor with its work, and meets others again", () => {
  const sim = inPairs({ seed: 42, peers: 5, spec: { evaluation: { everyRounds: 1_000, windows: 8 } } });
  sim.runRounds(3);
  const [first, second] = sim.peers;
  for (const peer of [first, second]) peer.input({ type: "pause", reason: "a call" });
  sim.runUntil(({ state }) => state.commit?.contributors.length === 3, 60_000, "a commit without them");
  sim.runRounds(1);
  const held = (peer: PeerNode) =>
    sim
      .commits()
      .slice(-3)
      .flatMap(({ contributors }) => contributors)
      .filter(({ update }) => peer.blobs.has(update));
  sim.runRounds(2);
  expect(held(first)).toEqual([]);
  expect(isOwn(first)).toBe(true);
  first.input({ type: "donate" });
  sim.runRounds(3);
  expect(first.namedFolds.at(-1)).toBeGreaterThanOrEqual(sim.round - 2);
  sim.runUntil(() => !isOwn(second), 60_000, "the anchor, at who has missed five rounds");
  const { replica, offersMade } = second;
  second.input({ type: "donate" });
  sim.runRounds(3);
  expect(second.replica).toBe(replica); // and with it what it had trained
  expect(second.offersMade).toBeGreaterThan(offersMade);
  expect(isOwn(second)).toBe(true);
  sim.checkAll();
});

test("[R50] where a commit names a third of a swarm, the others wait for their turn and fetch nothing", () => {
  const spec = { rounds: { ...rounds, maxContributors: 4 }, evaluation: { everyRounds: 1_000, windows: 8 } };
  const sim = inPairs({ seed: 46, peers: 12, spec });
  sim.runRounds(6);
  const fetched = sim.peerFetches + sim.host.updateFetches;
  sim.runRounds(20);
  sim.checkAll();
  expect(
    sim
      .commits()
      .slice(6)
      .every(({ contributors }) => contributors.length === 4),
  ).toBe(true);
  expect(new Set(sim.commits().flatMap(({ contributors }) => contributors.map(({ peer }) => peer))).size).toBe(12);
  expect(sim.peerFetches + sim.host.updateFetches - fetched).toBeLessThanOrEqual(21 * 4); // one for each that met
});

test("[R50] a commit of which nothing counts moves nobody, and who comes after it is not out of step (seeds 10479, 11478, 12131)", () => {
  const checkpoint = { everyRounds: 1_000, retain: "window" as const };
  const sim = new Simulation({ seed: 45, peers: 3, spec: { rounds, checkpoint } });
  const [first, second, third] = sim.peers;
  sim.host.start();
  first.start();
  second.start();
  sim.runRounds(3);
  for (const peer of [first, second]) peer.bad = true;
  const isEmpty = () => sim.commits().some((commit) => sim.arithmetic.isEmpty(commit));
  sim.runUntil(isEmpty, 60_000, "a commit of bad updates");
  for (const peer of [first, second]) peer.bad = false;
  for (const peer of [first, second]) peer.input({ type: "pause", reason: "a call" });
  third.start();
  sim.runUntil(() => third.peer!.view().round === sim.round, 20_000, "the head, at who came");
  for (const peer of [first, second]) peer.input({ type: "donate" });
  sim.runRounds(4);
  sim.checkAll();
  expect(sim.peers.map(({ peer }) => peer!.view().desyncs)).toEqual([0, 0, 0]);
  expect(sim.commits().at(-1)!.contributors).toHaveLength(3);
});

test("[R21] [R49] anchors are evaluated by peers that merge them; joins, crashes, a bad update and a host that dies change nothing of that", () => {
  const sim = inPairs({ seed: 43, peers: 6, spec: { evaluation: { everyRounds: 2, windows: 8 } } });
  sim.runRounds(3);
  const [first, second, third, fourth] = sim.peers;
  first.crash();
  second.bad = true;
  sim.runRounds(1);
  second.bad = false;
  third.cutControl();
  first.start();
  sim.runRounds(2);
  sim.host.crash();
  sim.runFor(3_000);
  sim.host.start();
  fourth.loseDevice();
  sim.runRounds(2);
  fourth.input({ type: "donate" });
  sim.runRounds(6);
  sim.checkAll();
  expect(sim.state.evals.length).toBeGreaterThanOrEqual(4);
  expect(sim.commits().at(-1)!.contributors).toHaveLength(6);
  expect(sim.peers.every(isOwn)).toBe(true);
});

test("[R3] a void takes everybody back to the anchor before it", () => {
  const sim = inPairs({ seed: 44, peers: 4, spec: { checkpoint: { everyRounds: 2, retain: "window" } } });
  sim.runRounds(3);
  voidCommit(sim);
  sim.runRounds(3);
  sim.checkAll();
  expect(sim.peers.every(isOwn)).toBe(true);
});

test("[R22] the end has its evaluation and checkpoint, and all peers hear of it", () => {
  const sim = inPairs({ seed: 47, peers: 5, spec: { end: { roundsMax: 4 } } });
  sim.runUntil(({ peers }) => peers.every(({ ended }) => ended !== undefined), 200_000, "the end, at everybody");
  sim.checkAll();
  expect(sim.state.evals.at(-1)?.round).toBe(4);
  expect(sim.state.checkpoint?.round).toBe(4);
  for (const { replica } of sim.peers) expect(replica?.round).toBe(4);
});
