// Stories about rounds: who takes part, who is waited for, what counts. Rules are those of docs/PROTOCOL.md.
import { describe, expect, test } from "vitest";
import { type EntryOf, offersIn, sampleOfAttesters } from "#wire";
import { Simulation } from "./simulation.ts";

const names = (sim: Simulation, commit: EntryOf<"commit">): string[] =>
  commit.contributors
    .flatMap((contribution) => sim.state.offersOf(contribution))
    .map(({ peer }) => sim.peer(peer)!.name)
    .sort();

test("[R6] [R7] three peers go through ten rounds, and nearly every commit names all of them", () => {
  const sim = new Simulation({ seed: 1, peers: 3 }).startAll();
  sim.runRounds(10);
  sim.checkAll();
  expect(sim.commits().filter(({ contributors }) => contributors.length === 3).length).toBeGreaterThanOrEqual(9);
});

test("one alone trains", () => {
  const sim = new Simulation({ seed: 2, peers: 1 }).startAll();
  sim.runRounds(5, 20_000);
  sim.checkAll();
  expect(sim.commits().every(({ contributors }) => contributors.length === 1)).toBe(true);
});

test("[R6] a host that was asked to wait for three opens no first round for two; later one alone goes on", () => {
  const sim = new Simulation({ seed: 3, peers: 3, startPeers: 3 });
  const awaited = () => sim.host.sequencer?.view().peersAwaited;
  sim.host.start();
  for (const peer of sim.peers.slice(0, 2)) peer.start();
  sim.runFor(60_000);
  expect(sim.host.log).toEqual([]);
  expect(awaited()).toBe(1);
  sim.peers[2].start();
  sim.runRounds(3);
  expect(sim.commits()[0].contributors).toHaveLength(3);
  for (const peer of sim.peers.slice(1)) peer.crash();
  sim.runRounds(2);
  expect(awaited()).toBe(0);
  sim.checkAll();
});

test.each([3, 4, 5, 6])(
  "[R6] [R15] a peer that joins a running swarm is in nearly every commit after that, seed %i",
  (seed) => {
    const sim = new Simulation({ seed, peers: 2 });
    sim.host.start();
    sim.peers[0].start();
    sim.runRounds(5);
    sim.peers[1].start();
    const joinedAt = sim.round;
    sim.runRounds(20);
    sim.checkAll();
    const after = sim.commits().slice(joinedAt + 2);
    const both = after.filter(({ contributors }) => contributors.length === 2).length;
    expect(both / after.length).toBeGreaterThanOrEqual(0.9);
    expect(sim.host.updateFetches).toBe(0); // it caught up from its peer
    expect(sim.peerFetches).toBeGreaterThan(20);
    const tokens = [...sim.state.contributions.values()].map((credit) => credit.tokens);
    expect(Math.min(...tokens) / (tokens[0] + tokens[1])).toBeGreaterThan(0.25);
  },
);

test("[R9] a peer that is slower than the deadline offers what it has by then", () => {
  const sim = new Simulation({ seed: 7, peers: 3, spec: { steps: 32 } }).startAll();
  sim.peers[2].stepMs = 1_000; // 32 s for all 32 steps; the deadline is at most 20 s
  sim.runRounds(3);
  sim.checkAll();
  const slow = sim.commits().flatMap((commit) => offersIn(commit).filter(({ peer }) => peer === sim.peers[2].id));
  expect(slow.length).toBeGreaterThan(0);
  expect(slow.every(({ steps }) => steps >= 8 && steps < 32)).toBe(true);
  expect(slow.every(({ steps, tokens }) => tokens === steps * 512)).toBe(true);
});

test("[R9] a peer with fewer than H/4 steps at the deadline makes no offer, and its work carries", () => {
  const sim = new Simulation({ seed: 8, peers: 3 }).startAll();
  sim.runRounds(5);
  const before = sim.commits().length;
  sim.peers[2].stepMs = 15_000;
  sim.runRounds(6);
  sim.checkAll();
  const without = sim.commits().slice(before + 1);
  expect(without.every((commit) => !names(sim, commit).includes("peer-2"))).toBe(true);
  expect(sim.peers[2].carried).toBeGreaterThan(0);
  sim.peers[2].stepMs = 100;
  sim.runUntil((s) => names(s, s.commits().at(-1)!).includes("peer-2"), 120_000, "the peer back in a commit");
});

test.each([21, 22, 23])(
  "[R7] a peer that is ready and never offers holds the others up no longer than one longest deadline, seed %i",
  (seed) => {
    const sim = new Simulation({ seed, peers: 3 }).startAll();
    sim.runRounds(5);
    const [, , stuck] = sim.peers;
    stuck.stepMs = 1e9;
    sim.runFor(25_000); // the longest deadline is 20 s
    const startedAt = sim.clock.now;
    sim.runRounds(10);
    sim.checkAll();
    expect((sim.clock.now - startedAt) / 10).toBeLessThan(1_700); // eight steps of the other two; the deadline is 2 s at least
    const opens = sim.host.log.filter((entry) => entry.type === "open").slice(-10);
    expect(opens.every(({ roster }) => !("size" in roster) && roster.includes(stuck.id))).toBe(true);
    for (const commit of sim.commits().slice(-10)) expect(names(sim, commit)).toEqual(["peer-0", "peer-1"]);
  },
);

test("[R7] [R9] whom nobody waits for trains on, offers when it has H/4 steps, and is waited for again", () => {
  const sim = new Simulation({ seed: 24, peers: 3 }).startAll();
  sim.runRounds(5);
  const [, , slow] = sim.peers;
  slow.stepMs = 15_000; // a quarter of the steps is more than the longest deadline
  const before = sim.commits().length;
  sim.runFor(25_000);
  const waited = sim.commits().length;
  for (const commit of sim.commits().slice(before + 1)) expect(names(sim, commit)).not.toContain("peer-2");
  sim.runUntil((s) => names(s, s.commits().at(-1)!).includes("peer-2"), 40_000, "its work in a commit");
  expect(sim.commits().length - waited).toBeGreaterThan(3); // the others went on meanwhile
  slow.stepMs = 100;
  sim.runRounds(3);
  const again = sim.commits().length;
  sim.runRounds(5);
  sim.checkAll();
  expect(
    sim
      .commits()
      .slice(again)
      .every(({ contributors }) => contributors.length === 3),
  ).toBe(true);
});

test("[R7] one alone that is slower than every deadline keeps its round open until it has something to offer", () => {
  const sim = new Simulation({ seed: 9, peers: 1, stepMs: [12_000, 12_000] }).startAll();
  sim.runRounds(2, 120_000);
  sim.checkAll();
  expect(sim.state.seq).toBeGreaterThan(4);
});

describe.each(["training", "exchange", "folding"] as const)("a peer whose tab closes while it is %s", (phase) => {
  test.each([10, 11])("[R7] does not stop the others, seed %i", (seed) => {
    const sim = new Simulation({ seed, peers: 3 }).startAll();
    let closed = 0;
    sim.when(
      ({ round, peers }) => round >= 3 && peers[1].peer?.view().phase === phase,
      () => {
        closed += 1;
        sim.peers[1].crash();
      },
    );
    sim.runRounds(4);
    const startedAt = sim.clock.now;
    sim.runRounds(3, 30_000);
    expect(closed).toBe(1);
    expect(sim.clock.now - startedAt).toBeLessThan(15_000);
    sim.peers[1].start();
    sim.runUntil((s) => s.commits().at(-1)!.contributors.length === 3, 30_000, "all three together again");
    sim.checkAll();
  });
});

test("[R7] a roster that is gone is superseded, and who waited trains", () => {
  const sim = new Simulation({ seed: 12, peers: 2, stepMs: [1_000, 1_000] });
  sim.host.start();
  sim.peers[0].start();
  sim.runUntil(({ state }) => state.open !== undefined, 10_000);
  const round = sim.round;
  sim.peers[1].start();
  sim.runUntil(({ host }) => host.sequencer!.view().peers.some(({ state }) => state === "ready"), 5_000, "one ready");
  sim.peers[0].crash();
  sim.runRounds(1, 20_000);
  sim.checkAll();
  const opens = sim.host.log.filter((entry) => entry.type === "open" && entry.round === round);
  expect(opens).toHaveLength(2);
  expect(sim.commits()[0].contributors[0].peer).toBe(sim.peers[1].id);
});

test("[R7] a tab that is reloaded alone goes on with the open that names it", () => {
  const sim = new Simulation({ seed: 13, peers: 1 }).startAll();
  sim.runRounds(1);
  sim.runUntil(({ peers }) => peers[0].peer!.view().step >= 3, 10_000);
  sim.peers[0].crash();
  sim.peers[0].start();
  sim.runRounds(2, 20_000);
  sim.checkAll();
});

test("when everybody leaves the run rests, and it resumes with whoever comes back", () => {
  const sim = new Simulation({ seed: 14, peers: 3 }).startAll();
  sim.runRounds(4);
  for (const peer of sim.peers) peer.crash();
  sim.runFor(60_000);
  const entries = sim.host.log.length;
  sim.runFor(600_000);
  expect(sim.host.log.length).toBe(entries);
  expect(sim.host.sequencer!.view().state).toBe("resting");
  sim.peers[1].start();
  sim.runRounds(3, 60_000);
  sim.peers[0].start();
  sim.peers[2].start();
  sim.runUntil((s) => s.commits().at(-1)!.contributors.length === 3, 60_000, "all three together again");
  sim.checkAll();
});

test("[R6] a paused peer is not waited for, follows the run, and comes back", () => {
  const sim = new Simulation({ seed: 15, peers: 2 }).startAll();
  sim.runRounds(2);
  sim.runUntil(({ peers }) => peers[0].peer!.view().step >= 2, 10_000);
  sim.peers[0].input({ type: "pause", reason: "on battery" });
  const startedAt = sim.clock.now;
  sim.runRounds(4);
  expect(sim.clock.now - startedAt).toBeLessThan(12_000);
  expect(
    sim
      .commits()
      .slice(-2)
      .every((commit) => names(sim, commit).join() === "peer-1"),
  ).toBe(true);
  expect(sim.peers[0].peer!.view()).toMatchObject({ phase: "paused" });
  expect(sim.host.sequencer!.view().peers.find(({ member }) => member.name === "peer-0")!.state).toBe("paused");
  sim.peers[0].input({ type: "donate" });
  sim.runUntil((s) => s.commits().at(-1)!.contributors.length === 2, 20_000, "both together again");
  expect(sim.host.events).toEqual(expect.arrayContaining(["joined", "paused", "resumed"]));
  sim.checkAll();
});

test("[R7] one alone that pauses and resumes finishes the same round", () => {
  const sim = new Simulation({ seed: 16, peers: 1 }).startAll();
  sim.runRounds(1);
  sim.runUntil(({ peers }) => peers[0].peer!.view().step >= 2, 10_000);
  sim.peers[0].input({ type: "pause", reason: "a call" });
  sim.runFor(100_000);
  sim.peers[0].input({ type: "donate" });
  sim.runRounds(2, 20_000);
  sim.checkAll();
});

test("[R10] a commit names at most maxContributors, and the draw changes from round to round", () => {
  const rounds = { quorum: 32, maxContributors: 2, deadlineMinMs: 2_000, deadlineMaxMs: 20_000 };
  const sim = new Simulation({ seed: 17, peers: 5, spec: { rounds } }).startAll();
  sim.runRounds(14);
  sim.checkAll();
  expect(sim.commits().every(({ contributors }) => contributors.length <= 2)).toBe(true);
  expect(sim.commits().every((commit) => names(sim, commit).length <= 4)).toBe(true); // two groups of two
  expect(new Set(sim.commits().flatMap((commit) => names(sim, commit))).size).toBe(5);
});

test("[R18] a bad update weighs nothing, and three in a row end its sender's visit, not the run", () => {
  const sim = new Simulation({ seed: 18, peers: 3 }).startAll();
  sim.runRounds(2);
  sim.peers[2].bad = true;
  sim.runRounds(6);
  sim.checkAll();
  const credit = sim.state.contributions.get(sim.peers[2].id)!;
  expect(credit.refused).toBe(3);
  expect(sim.host.disconnects).toHaveLength(1);
  expect(sim.host.disconnects[0]).toContain("not finite");
  expect(sim.peers[2].refusals).toHaveLength(1);
  expect(sim.commits().at(-1)!.contributors).toHaveLength(2);
  const refusedTokens = 3 * 8 * 512;
  const offered = sim.commits().flatMap(({ contributors }) => contributors);
  const sealed = offered.reduce((sum, { tokens }) => sum + tokens, 0) - refusedTokens;
  expect(sim.state.tokens).toBe(
    sealed - (sim.state.commit?.contributors.reduce((sum, { tokens }) => sum + tokens, 0) ?? 0),
  );
});

test("[R17] a peer that folds wrongly is not among the attesters, heals, and trains on", () => {
  const sim = new Simulation({ seed: 19, peers: 3 }).startAll();
  sim.runRounds(2);
  sim.peers[1].wrongFolds = 1;
  const before = sim.round;
  sim.runRounds(5);
  sim.checkAll();
  const seals = sim.host.log.filter((entry) => entry.type === "seal").slice(before);
  expect(seals.some(({ attesters }) => !sampleOfAttesters(attesters).includes(sim.peers[1].id))).toBe(true);
  expect(sim.peers[1].peer!.view().desyncs).toBe(1);
  expect(names(sim, sim.commits().at(-1)!)).toContain("peer-1");
});

test("[R17] a machine that always folds wrongly is told so, and the others go on", () => {
  const sim = new Simulation({ seed: 20, peers: 3 }).startAll();
  sim.runRounds(2);
  sim.peers[1].wrongFolds = 1_000;
  sim.runRounds(6);
  sim.checkAll();
  expect(sim.peers[1].refusals[0]).toContain("desync");
});
