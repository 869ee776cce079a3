// Stories of swarms that are larger than what a commit may name.
import { describe, expect, test } from "vitest";
import { isGroup } from "#wire";
import { Simulation, type SimulationOptions } from "./simulation.ts";

const rounds = { quorum: 32, maxContributors: 8, deadlineMinMs: 4_000, deadlineMaxMs: 20_000 };
const crowd = (options: Pick<SimulationOptions, "seed" | "peers">, maxContributors = 8): Simulation =>
  new Simulation({ ...options, spec: { rounds: { ...rounds, maxContributors } } }).startAll();

/** Offers behind each commit. */
const countsOf = (sim: Simulation): number[] =>
  sim.commits().map((commit) => commit.contributors.reduce((sum, c) => sum + (isGroup(c) ? c.members : 1), 0));

describe("[R27] groups", () => {
  test("40 peers, 8 contributions: everybody's work counts, in one group each", () => {
    const sim = crowd({ seed: 41, peers: 40 });
    sim.runRounds(3);
    const full = sim.commits().filter(({ contributors }) => contributors.length === 8);
    expect(full.length).toBeGreaterThanOrEqual(2);
    expect(Math.max(...countsOf(sim))).toBe(40);
    expect(Math.max(...sim.peers.map(({ namedFolds }) => namedFolds.length))).toBeGreaterThanOrEqual(2);
    sim.checkAll();
  });

  test("a minority that lies about its group is outvoted, and sent away when it goes on", () => {
    const sim = crowd({ seed: 42, peers: 24 }, 6);
    const liars = sim.peers.slice(0, 3);
    for (const liar of liars) Object.assign(liar, { lie: "wrong-attest", tainted: true });
    sim.runRounds(6);
    const sentAway = (): number =>
      sim.host.disconnects.filter((text) => text.includes("were not what the group computed")).length;
    sim.runUntil(() => sentAway() === 3, 120_000, "three liars sent away"); // three lies in a row: a group that is late breaks the row
    sim.checkAll(); // every anchor is the fold of true aggregates
    const groups = sim.commits().flatMap(({ contributors }) => contributors.filter(isGroup));
    expect(groups.some(({ members, attesters }) => attesters < members)).toBe(true);
  });

  test("a group that loses half its members is left out, and its work carries", () => {
    const sim = crowd({ seed: 43, peers: 16 }, 4);
    sim.runUntil(
      (s) => s.host.sequencer!.view().offered.length === 16 && s.round >= 1,
      120_000,
      "a full house of offers",
    );
    const lost = sim.commits().length;
    const order = sim.host.sequencer!.mesh.inOrder(sim.peers.map(({ id }) => id));
    for (const id of order.slice(0, 2)) sim.peer(id)!.crash();
    sim.runUntil((s) => s.commits().length > lost, 60_000, "the commit without them");
    const named = sim.commits().at(-1)!.contributors;
    expect(named).toHaveLength(3);
    for (const id of order.slice(0, 2)) sim.peer(id)!.start();
    sim.runRounds(3);
    sim.checkAll();
  });

  test("the host is killed while groups are at work, and while a commit that names them waits: nobody's work counts twice", () => {
    for (const seed of [44, 45, 46]) {
      const sim = crowd({ seed, peers: 12 }, 3);
      sim.runRounds(1);
      sim.runUntil((s) => s.host.sequencer!.view().offered.length === 12, 60_000, "a full house of offers");
      sim.runFor(seed === 44 ? 10 : 120);
      sim.host.crash();
      sim.runFor(4_000);
      sim.host.start();
      sim.runRounds(3);
      sim.checkAll();
    }
  });

  test("a peer that was away while its group was named knows it, or drops its work: it never counts twice", () => {
    const sim = crowd({ seed: 47, peers: 12 }, 3);
    sim.runRounds(1);
    for (let i = 0; i < 5; i++) {
      sim.runUntil((s) => s.host.sequencer!.view().offered.length === 12, 120_000, "a full house of offers");
      const away = sim.peers.slice(2 * i, 2 * i + 2);
      for (const peer of away) {
        peer.offline = true;
        peer.cutControl();
      }
      sim.runFor(i % 2 === 0 ? 1_500 : 12_000);
      for (const peer of away) peer.offline = false;
      sim.runRounds(1);
    }
    sim.checkAll();
  });

  test("100 peers and 8 contributions: 64 offers count, drawn anew each round, and what a peer receives is bounded", () => {
    const sim = crowd({ seed: 48, peers: 100 });
    sim.runRounds(2);
    sim.checkAll();
    expect(Math.max(...countsOf(sim))).toBe(64);
    expect(sim.commits().every(({ contributors }) => contributors.length <= 8)).toBe(true);
  });
});
