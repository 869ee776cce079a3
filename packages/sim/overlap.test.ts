// Training beside the exchange, and without the host. The simulator's replica counts every inner step: none may be lost or doubled.
import { describe, expect, test } from "vitest";
import { offersIn } from "#wire";
import { Simulation, type SimulationOptions } from "./simulation.ts";

const rounds = { quorum: 32, maxContributors: 32, deadlineMinMs: 500, deadlineMaxMs: 60_000, overlap: true };

/** Rounds whose exchange takes about as long as their training. */
const overlapping = (options: Partial<SimulationOptions> = {}): Simulation =>
  new Simulation({
    seed: 30,
    peers: 4,
    stepMs: [90, 110],
    network: { delayMs: [30, 90] },
    spec: { steps: 16, rounds },
    ...options,
  });

test("[R30] with overlap a round takes its training alone, and everybody is in every commit", () => {
  const roundMs = (overlap: boolean): number => {
    const sim = overlapping({ spec: { steps: 16, rounds: { ...rounds, overlap } } }).startAll();
    sim.runRounds(3);
    const startedAt = sim.clock.now;
    sim.runRounds(20);
    sim.checkAll();
    expect(
      sim
        .commits()
        .slice(3)
        .every(({ contributors }) => contributors.length === 4),
    ).toBe(true);
    expect(sim.commits().every((commit) => offersIn(commit).every(({ steps }) => steps === 16))).toBe(true);
    return (sim.clock.now - startedAt) / 20;
  };
  const slowestStepMs = 110 * 1.05; // the simulated step varies by 0.8 to 1.3 of the device's
  expect(roundMs(true)).toBeLessThan(16 * slowestStepMs * 1.05);
  expect(roundMs(false)).toBeGreaterThan(16 * slowestStepMs * 1.2);
});

test("[R30] crashes, cuts, pauses, folds that come out wrong and a void lose no step and count none twice", () => {
  const sim = overlapping({ seed: 31 }).startAll();
  const [first, second, third, last] = sim.peers;
  sim.runRounds(3);
  second.wrongFolds = 1;
  sim.runRounds(2);
  first.cutControl();
  third.input({ type: "pause", reason: "a call" });
  sim.runRounds(2);
  third.input({ type: "donate" });
  last.crash();
  sim.runRounds(2);
  last.start();
  sim.runRounds(6);
  sim.checkAll();
  expect(second.peer!.view().desyncs).toBe(1);
  expect(sim.commits().at(-1)!.contributors).toHaveLength(4);
});

describe.each([true, false])("[R32] deadlines over 60 rounds with joins and a slow peer, overlap %s", (overlap) => {
  test("stay between one and four of the slowest one's rounds", () => {
    const sim = overlapping({ seed: 32, peers: 6, spec: { steps: 16, rounds: { ...rounds, overlap } } });
    sim.host.start();
    for (const peer of sim.peers.slice(0, 3)) peer.start();
    sim.runRounds(15);
    sim.peers[3].stepMs = 250; // 4 s and more where the others take 1.7 s
    sim.peers[3].start();
    sim.runRounds(15);
    sim.peers[4].start();
    sim.runRounds(15);
    sim.peers[5].start();
    sim.peers[3].crash();
    sim.runRounds(15);
    sim.checkAll();
    const opens = sim.host.log.filter((entry) => entry.type === "open");
    const slow = opens
      .filter(({ roster }) => (roster as readonly string[]).includes(sim.peers[3].id))
      .map(({ deadlineMs }) => deadlineMs);
    const among = (from: number, to: number) => opens.filter(({ round }) => round >= from && round < to);
    expect(slow.length).toBeGreaterThan(20);
    // Of those who are alike: twice what they take, in the first rounds after a newcomer perhaps the maximum.
    for (const [from, to] of [
      [8, 15],
      [52, 60],
    ])
      for (const { deadlineMs } of among(from, to)) {
        expect(deadlineMs).toBeGreaterThan(1.5 * 16 * 100);
        expect(deadlineMs).toBeLessThan(4 * 16 * 120);
      }
    // The slow one fits into what it is given; the maximum is for the rounds of those who have just come.
    expect(slow.filter((deadlineMs) => deadlineMs === rounds.deadlineMaxMs).length).toBeLessThanOrEqual(3);
    for (const deadlineMs of slow.filter((ms) => ms < rounds.deadlineMaxMs)) {
      expect(deadlineMs).toBeGreaterThan(1.5 * 16 * 100);
      expect(deadlineMs).toBeLessThan(4 * 16 * 250 * 1.3);
    }
    const late = sim.commits().filter(({ round }) => round >= 22 && round < 44);
    const named = late.filter(({ contributors }) => contributors.some(({ peer }) => peer === sim.peers[3].id));
    expect(named.length / late.length).toBeGreaterThan(0.9);
  });
});

test.each([true, false])(
  "[R31] a host that is away for a while finds offers of H steps waiting, overlap %s",
  (overlap) => {
    const sim = overlapping({ seed: 33, peers: 3, spec: { steps: 16, rounds: { ...rounds, overlap } } }).startAll();
    sim.runRounds(4);
    sim.runUntil(({ state }) => state.open !== undefined, 10_000, "an open round");
    sim.host.crash();
    sim.runFor(60_000); // far more than 4H steps
    for (const { peer } of sim.peers) expect(peer!.view().step).toBe(4 * 16);
    const from = sim.round;
    sim.host.start();
    sim.runRounds(3, 30_000);
    sim.checkAll();
    const [after] = sim.commits().filter(({ round }) => round === from);
    for (const { steps, tokens } of offersIn(after))
      expect([steps, tokens]).toEqual([16, 16 * sim.spec.inner.windowsPerStep * sim.spec.model.contextLength]);
  },
);
