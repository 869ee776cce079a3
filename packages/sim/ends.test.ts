// Stories of a run's last round. Rules are those of docs/PROTOCOL.md.
import { describe, expect, test } from "vitest";
import type { RunSpec } from "#wire";
import { Simulation } from "./simulation.ts";

const rounds = { quorum: 32, maxContributors: 32, deadlineMinMs: 2_000, deadlineMaxMs: 20_000 };
const start = (
  seed: number,
  durability: "host" | "peers",
  end: RunSpec["end"] = { roundsMax: 5 },
  peers = 4,
): Simulation => new Simulation({ seed, peers, spec: { rounds: { ...rounds, durability }, end } }).startAll();

const everybodyEndsAtTheLastAnchor = (sim: Simulation): void => {
  sim.runUntil(({ peers }) => peers.every(({ ended }) => ended !== undefined), 120_000, "the end");
  sim.checkAll();
  const anchors = sim.peers.map(({ peer }) => peer!.view().anchorHash);
  expect(anchors).toEqual(sim.peers.map(() => sim.state.anchorHash));
};

describe.each(["host", "peers"] as const)(
  "where the %s keep the updates, everybody ends at the last anchor",
  (kept) => {
    test.each([1_000, 4_000, 10_000])("[R22] also who stands still for %i ms when the last commit comes", (forMs) => {
      const sim = start(120, kept);
      const [slow] = sim.peers;
      let stopped = 0;
      sim.when(
        ({ state }) => state.commit?.round === 4,
        () => {
          stopped += 1;
          slow.time.stop();
          sim.clock.after(forMs, () => slow.time.resume(true));
        },
      );
      everybodyEndsAtTheLastAnchor(sim);
      expect(stopped).toBe(1);
      expect(sim.round).toBe(5);
    });

    test("[R22] [R23] also who is behind when the operator ends the run", () => {
      const sim = start(121, kept, {});
      const [slow] = sim.peers;
      sim.runRounds(3);
      sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
      slow.time.stop();
      sim.clock.after(8_000, () => slow.time.resume(true));
      sim.host.input({ type: "end", reason: "the operator stops here" });
      everybodyEndsAtTheLastAnchor(sim);
      expect(sim.round).toBe(4);
    });
  },
);

test("[R22] who was away when the run ended comes back for the last anchor", () => {
  const sim = start(122, "host", { roundsMax: 5 }, 3);
  const [away] = sim.peers;
  sim.runUntil(({ state }) => state.commit?.round === 4, 60_000, "the last commit");
  away.offline = true;
  away.cutControl();
  sim.runUntil(({ peers }) => peers.every((peer) => peer === away || peer.ended !== undefined), 120_000, "the end");
  expect(away.peer!.view().round).toBeLessThan(5);
  away.offline = false;
  everybodyEndsAtTheLastAnchor(sim);
});

test("[R21] [R22] when the only one of the last roster is gone, who attested evaluates the last anchor", () => {
  const sim = start(123, "host", { roundsMax: 3 }, 2);
  const [rostered, other] = sim.peers;
  other.offline = true;
  other.cutControl();
  sim.runUntil(({ state }) => state.open?.round === 2, 60_000, "the last round");
  other.offline = false;
  sim.runUntil(({ state }) => state.commit?.round === 2, 60_000, "the last commit");
  expect(sim.state.roster).toEqual([rostered.id]);
  rostered.crash();
  const { now } = sim.clock;
  sim.runUntil(() => other.ended !== undefined, 120_000, "the end");
  sim.checkAll();
  expect(sim.state.evals.at(-1)).toMatchObject({ round: 3, peer: other.id });
  expect(sim.clock.now - now).toBeLessThan(20_000);
});
