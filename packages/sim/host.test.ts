// Stories about the host: restarts, the log, what it serves, how a run ends. Rules are those of docs/PROTOCOL.md.
import { describe, expect, test } from "vitest";
import { offersIn } from "#wire";
import { Simulation } from "./simulation.ts";

describe.each(["open", "commit", "seal", "checkpoint", "eval"] as const)(
  "a host that stops right after its %s",
  (type) => {
    test.each([30, 31, 32])("[R24] continues the same run, seed %i", (seed) => {
      const sim = new Simulation({ seed, peers: 3 }).startAll();
      let stopped = 0;
      sim.when(
        ({ round, host }) => round >= 3 && host.log.at(-1)!.type === type,
        () => {
          stopped += 1;
          sim.host.crash();
          sim.clock.after(2_000, () => sim.host.start());
        },
      );
      sim.runUntil(() => stopped === 1 && sim.host.up, 60_000, "the restart");
      const startedAt = sim.clock.now;
      sim.runRounds(3, 60_000);
      expect(sim.clock.now - startedAt).toBeLessThan(20_000);
      sim.runUntil((s) => s.commits().at(-1)!.contributors.length === 3, 30_000, "all three together again");
      sim.checkAll();
      expect(sim.host.starts).toBe(2);
    });
  },
);

test("[R24] a host that stops when offers are in gets them again, signed as before, and trains nothing twice", () => {
  const sim = new Simulation({ seed: 33, peers: 2, stepMs: [100, 100] }).startAll();
  sim.runRounds(3);
  sim.runUntil(({ peers }) => peers.every(({ peer }) => peer!.view().phase === "exchange"), 10_000);
  sim.runUntil(({ peers, round }) => peers.some((p) => p.offersMade > round), 10_000, "an offer under way");
  expect(sim.state.commit).toBeUndefined();
  const round = sim.round;
  sim.host.crash();
  sim.host.start();
  const startedAt = sim.clock.now;
  sim.runUntil(({ state }) => state.commit?.round === round, 5_000, "the commit");
  expect(sim.clock.now - startedAt).toBeLessThan(2_000); // no second training
  expect(sim.state.commit!.contributors).toHaveLength(2);
  sim.runRounds(2);
  sim.checkAll();
});

test("[R11] with the control sockets cut, peers finish training, fetch from each other and fold; offers wait", () => {
  const sim = new Simulation({ seed: 34, peers: 3 }).startAll();
  sim.runRounds(3);
  const round = sim.round;
  sim.runUntil(
    ({ peers }) => peers.every(({ peer }) => peer!.log.commit?.round === round),
    20_000,
    "the commit at all",
  );
  for (const peer of sim.peers) {
    peer.offline = true;
    peer.cutControl();
  }
  const fetched = sim.peerFetches;
  sim.runUntil(({ peers }) => peers.every(({ peer }) => peer!.view().round === round + 1), 10_000, "the fold at all");
  expect(sim.peers.every(({ socket }) => socket?.open !== true)).toBe(true);
  expect(sim.peerFetches).toBeGreaterThan(fetched);
  expect(sim.host.updateFetches).toBe(0);
  sim.runFor(5_000);
  for (const peer of sim.peers) peer.offline = false;
  sim.runRounds(3, 30_000);
  sim.checkAll();
  expect(sim.peers.every((peer) => peer.linked.size === 2)).toBe(true); // links outlived the cut
});

test("[R11] a host that is away during training finds the offers waiting", () => {
  const sim = new Simulation({ seed: 35, peers: 2 }).startAll();
  sim.runRounds(2);
  sim.runUntil(({ peers }) => peers.every(({ peer }) => peer!.view().step >= 2), 10_000);
  const round = sim.round;
  sim.host.crash();
  sim.runFor(10_000);
  expect(sim.peers.every(({ peer }) => peer!.view().phase === "exchange")).toBe(true);
  sim.host.start();
  sim.runUntil(({ state }) => state.commit?.round === round, 5_000, "the commit");
  expect(offersIn(sim.state.commit!).every(({ steps }) => steps === 8)).toBe(true);
  sim.runRounds(2);
  sim.checkAll();
});

test("[R13] the host serves updates only where no link can", () => {
  const sim = new Simulation({ seed: 36, peers: 2, unlinkable: 1 }).startAll();
  sim.runRounds(4);
  sim.checkAll();
  expect(sim.network.linksMade).toBe(0);
  expect(sim.host.updateFetches).toBeGreaterThanOrEqual(6);
});

test("[R13] a contributor that is gone is no loss: another peer or the host has its update", () => {
  const sim = new Simulation({ seed: 37, peers: 3 }).startAll();
  sim.runRounds(2);
  sim.when(
    ({ state, round }) => round >= 2 && state.commit !== undefined,
    () => sim.peers[0].crash(),
  );
  sim.runUntil(({ peers }) => !peers[0].up, 20_000);
  sim.runRounds(2, 20_000);
  sim.checkAll();
});

test("[R20] with retain window the host keeps the blobs since its second newest checkpoint, and a joiner needs no more", () => {
  const spec = { checkpoint: { everyRounds: 3, retain: "window" as const } };
  const sim = new Simulation({ seed: 38, peers: 3, spec });
  sim.host.start();
  sim.peers[0].start();
  sim.peers[1].start();
  sim.runRounds(30);
  expect(sim.host.blobs.size).toBeLessThan(2 * (2 * 3 + 3) + 2);
  expect(sim.peers[0].blobs.size).toBeLessThan(2 * (2 * 3 + 3) + 2);
  sim.peers[2].start();
  sim.runUntil((s) => s.commits().at(-1)!.contributors.length === 3, 30_000, "the joiner in a commit");
  sim.checkAll();
});

test("[R20] with retain all the host keeps every update that a commit names", () => {
  const spec = { checkpoint: { everyRounds: 3, retain: "all" as const } };
  const sim = new Simulation({ seed: 39, peers: 2, spec }).startAll();
  sim.runRounds(20);
  const named = sim.commits().flatMap(({ contributors }) => contributors.map(({ update }) => update));
  expect(named.length).toBeGreaterThan(35);
  expect(named.every((update) => sim.host.blobs.has(update))).toBe(true);
});

test("[R20] [R24] a checkpoint that the host died over is made after its restart", () => {
  const sim = new Simulation({ seed: 46, peers: 2 }).startAll();
  let stopped = 0;
  sim.when(
    ({ state, host }) => state.round === 4 && host.log.at(-1)!.type === "seal",
    () => {
      stopped += 1;
      sim.host.crash();
      sim.clock.after(1_000, () => sim.host.start());
    },
  );
  sim.runRounds(6);
  sim.checkAll();
  expect(stopped).toBe(1);
  expect(sim.host.log.filter((entry) => entry.type === "checkpoint").map(({ round }) => round)).toEqual([4]);
});

test("[R21] evaluations come every so many rounds, and from somebody else when the named peer is gone", () => {
  const sim = new Simulation({ seed: 40, peers: 3 }).startAll();
  sim.runRounds(13);
  expect(sim.state.evals.map(({ round }) => round).slice(0, 4)).toEqual([3, 6, 9, 12]);
  sim.peers.slice(1).forEach((peer) => {
    peer.crash();
  });
  sim.runRounds(12);
  sim.checkAll();
  expect(sim.state.evals.at(-1)!.round).toBeGreaterThanOrEqual(21);
  expect(sim.state.evals.at(-1)!.peer).toBe(sim.peers[0].id);
});

test("[R22] at its goal the run is evaluated, stored and ended, and the peers stop", () => {
  const sim = new Simulation({ seed: 41, peers: 2, spec: { end: { roundsMax: 5 } } }).startAll();
  sim.runUntil(({ peers }) => peers.every((peer) => peer.ended !== undefined), 120_000, "the end");
  sim.checkAll();
  expect(sim.round).toBe(5);
  expect(
    sim.host.log
      .slice(-3)
      .map(({ type }) => type)
      .sort(),
  ).toEqual(["checkpoint", "end", "eval"]);
  expect(sim.host.log.at(-1)!.type).toBe("end");
  expect(sim.peers.every(({ peer }) => peer!.view().phase === "ended" && peer!.view().round === 5)).toBe(true);
  sim.runFor(60_000);
  expect(sim.host.log.at(-1)!.type).toBe("end");
});

test("[R22] tokensMax ends a run as well, and a goal that nobody evaluates ends all the same", () => {
  const sim = new Simulation({ seed: 42, peers: 1, spec: { end: { tokensMax: 3 * 8 * 512 } } }).startAll();
  sim.runUntil(({ state }) => state.round === 3, 60_000);
  sim.peers[0].crash();
  sim.runUntil(({ state }) => state.ended !== undefined, 100_000, "the end");
  expect(sim.state.tokens).toBe(3 * 8 * 512);
});

test("[R23] the host's order ends a run; a commit under way is sealed first", () => {
  const sim = new Simulation({ seed: 43, peers: 2 }).startAll();
  sim.runRounds(2);
  sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
  sim.host.input({ type: "end", reason: "the operator stops here" });
  sim.runUntil(({ peers }) => peers.every((peer) => peer.ended === "the operator stops here"), 40_000, "the end");
  expect(sim.state.commit).toBeUndefined();
  sim.checkAll();
});

test("[R23] a paused run opens no round, and resumes", () => {
  const sim = new Simulation({ seed: 44, peers: 2 }).startAll();
  sim.runRounds(2);
  sim.host.input({ type: "pause" });
  sim.runFor(30_000);
  const round = sim.round;
  sim.runFor(60_000);
  expect(sim.round).toBe(round);
  expect(sim.host.sequencer!.view().state).toBe("paused");
  sim.host.input({ type: "resume" });
  sim.runRounds(2, 20_000);
  sim.checkAll();
});

test("[R3] a commit whose blob is lost is voided, everybody goes back to the anchor before it, and the round is done again", () => {
  const sim = new Simulation({ seed: 45, peers: 3 }).startAll();
  sim.runRounds(5);
  sim.runUntil(({ state }) => state.commit !== undefined, 20_000);
  const round = sim.round;
  sim.host.crash();
  sim.judge.blobsLost += 1;
  const { peer: maker, update } = sim.state.commit!.contributors[0];
  sim.host.blobs.delete(update);
  sim.peer(maker)!.crash(); // before anybody has fetched it
  sim.peer(maker)!.blobs.delete(update);
  sim.runFor(2_000);
  sim.host.start();
  sim.peer(maker)!.start();
  sim.runRounds(3, 60_000);
  sim.checkAll();
  expect(sim.host.log.find((entry) => entry.type === "void")).toMatchObject({ round });
  expect(sim.commits().filter((commit) => commit.round === round)).toHaveLength(2);
});

test("a peer that was cut off after its offer learns later that it counted: its work is not applied twice (seed 3)", () => {
  const sim = new Simulation({ seed: 47, peers: 3 }).startAll();
  sim.runRounds(2);
  const [peer] = sim.peers;
  sim.runUntil(({ state }) => state.commit === undefined && state.open !== undefined, 20_000);
  sim.runUntil(({ state }) => state.commit?.contributors.some((c) => c.peer === peer.id) === true, 20_000);
  const round = sim.round;
  peer.offline = true;
  peer.cutControl();
  expect(peer.peer!.log.commit).toBeUndefined(); // it has not heard of the commit
  sim.runRounds(3);
  peer.offline = false;
  sim.runUntil(() => peer.peer!.view().round > round + 2, 20_000, "the peer at the head");
  expect(peer.namedFolds).toContain(round);
  sim.checkAll();
});
