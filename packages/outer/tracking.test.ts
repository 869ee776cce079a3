import { describe, expect, test } from "vitest";
import { pairsOf } from "./topology/pairs.ts";
import { Tracker } from "./tracking.ts";

/** Peer i's loss is c_i / 2 · (x − b_i)²: they want different things, and some want them more. */
const peers = Array.from({ length: 8 }, (_, i) => ({
  id: `peer ${i}`,
  curvature: 0.5 + (i % 3),
  target: (-1) ** i * i,
}));
const optimum =
  peers.reduce((sum, { curvature, target }) => sum + curvature * target, 0) /
  peers.reduce((sum, { curvature }) => sum + curvature, 0);
const RATE = 0.05;
const gradientOf = ({ curvature, target }: (typeof peers)[number], x: number): number => curvature * (x - target);
const pairsAt = (round: number) => pairsOf({ round, contributors: peers.map(({ id }) => ({ peer: id })) }, 1);

const meanOf = (a: Float32Array, b: Float32Array): Float32Array => a.map((value, i) => (value + b[i]) / 2);

describe("gradient tracking", () => {
  test("the trackers' sum is the gradients' sum, in every round", () => {
    const trackers = new Map(peers.map(({ id }) => [id, new Tracker(Float32Array.of(0), RATE)]));
    for (let round = 0; round < 50; round++) {
      let [tracked, gradients] = [0, 0];
      const sentBy = new Map<string, Float32Array>();
      for (const peer of peers) {
        const tracker = trackers.get(peer.id)!;
        const gradient = gradientOf(peer, tracker.parameters[0]);
        const sent = tracker.toEncode(Float32Array.of(gradient));
        sentBy.set(peer.id, sent);
        gradients += gradient;
        tracked += sent[1];
      }
      expect(tracked).toBeCloseTo(gradients, 3);
      for (const [a, b] of pairsAt(round)) {
        const mean = meanOf(sentBy.get(a)!, sentBy.get(b)!);
        for (const id of [a, b]) trackers.get(id)!.fold(mean);
      }
    }
  });

  const spreadAfter = (rounds: number, step: (round: number) => number[]): number => {
    let xs: number[] = [];
    for (let round = 0; round < rounds; round++) xs = step(round);
    return Math.max(...xs.map((x) => Math.abs(x - optimum)));
  };

  test("peers that want different things meet at the optimum of all; plain gossip stays apart", () => {
    const trackers = new Map(peers.map(({ id }) => [id, new Tracker(Float32Array.of(0), RATE)]));
    const tracking = spreadAfter(2_000, (round) => {
      const sentBy = new Map(
        peers.map((peer) => {
          const tracker = trackers.get(peer.id)!;
          return [peer.id, tracker.toEncode(Float32Array.of(gradientOf(peer, tracker.parameters[0])))];
        }),
      );
      for (const [a, b] of pairsAt(round)) {
        const mean = meanOf(sentBy.get(a)!, sentBy.get(b)!);
        for (const id of [a, b]) trackers.get(id)!.fold(mean);
      }
      return peers.map(({ id }) => trackers.get(id)!.parameters[0]);
    });
    const xBy = new Map(peers.map(({ id }) => [id, 0]));
    const gossip = spreadAfter(2_000, (round) => {
      for (const peer of peers) xBy.set(peer.id, xBy.get(peer.id)! - RATE * gradientOf(peer, xBy.get(peer.id)!));
      for (const [a, b] of pairsAt(round)) {
        const mean = (xBy.get(a)! + xBy.get(b)!) / 2;
        xBy.set(a, mean).set(b, mean);
      }
      return [...xBy.values()];
    });
    expect(tracking).toBeLessThan(1e-3);
    expect(gossip).toBeGreaterThan(0.1);
  });

  test("a new beginning forgets what was tracked", () => {
    const tracker = new Tracker(Float32Array.of(1, 2), 0.5);
    tracker.toEncode(Float32Array.of(3, 4));
    tracker.fold(Float32Array.of(5, 6, 70, 80));
    expect([...tracker.toEncode(Float32Array.of(1, 1))]).toEqual([5 - 34, 6 - 38.5, 68, 77]);
    tracker.restart();
    expect([...tracker.toEncode(Float32Array.of(1, 1))]).toEqual([4.5, 5.5, 1, 1]);
  });
});
