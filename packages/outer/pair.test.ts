import { describe, expect, test } from "vitest";
import type { RunSpec } from "#wire";
import { anchorHashOf, applyPair, foldCommit, genesisState, type SharedState } from "./index.ts";
import { commitOf, noise, peerOf, tinySpec } from "./test-given.ts";

const tiny = tinySpec();
const { blockSize: _, ...outer } = tiny.outer;
const spec: RunSpec = {
  ...{ ...tiny, version: 4 },
  outer: {
    ...{ ...outer, method: "noloco", extract: "parameters", learningRate: 0.75, momentum: 0.5 },
    ...{ codec: { name: "f32" }, clipToMedianNorm: false },
  },
  rounds: { ...tiny.rounds, topology: "pairs" },
};
const { length } = genesisState(spec).parameters;
const [a, b, c] = [1, 2, 3].map(peerOf);

/** Integers: every operation is exact. */
const theta = (peer: string): Float32Array => noise(Number.parseInt(peer, 16) % 97, length, 100).map(Math.round);
const own = (): SharedState => ({
  parameters: noise(7, length, 100).map(Math.round),
  velocity: new Float32Array(length).fill(8),
});
const commit = (peers: readonly string[], tamper?: Parameters<typeof commitOf>[2]) =>
  commitOf(
    3,
    peers.map((peer) => ({ peer, tokens: 1280, delta: theta(peer) })),
    tamper,
    spec,
  );

describe("a pair's fold", () => {
  test("golden: m = 8/2 + 3/4 (mean of both - phi), phi + m", () => {
    const state = own();
    const before = own().parameters;
    const given = commit([a, b, c]);
    applyPair(state, spec, given.commit, [a, c], given.blob);
    const moved = before.map((phi, i) => 4 + 0.75 * ((theta(a)[i] + theta(c)[i]) / 2 - phi));
    expect(state.velocity).toEqual(moved);
    expect(state.parameters).toEqual(before.map((phi, i) => phi + moved[i]));
  });

  test("asks for no update but theirs; alone it folds its own; nobody's, and it stays", () => {
    const given = commit([a, b, c]);
    const asked: string[] = [];
    const only = (hash: string) => {
      asked.push(hash);
      return given.blob(hash);
    };
    const state = own();
    applyPair(state, spec, given.commit, [b], only);
    expect(asked).toEqual([given.commit.contributors[1].update]);
    expect(state.velocity).toEqual(own().parameters.map((phi, i) => 4 + 0.75 * (theta(b)[i] - phi)));
    const still = own();
    applyPair(still, spec, given.commit, [], only);
    expect(still).toEqual(own());
    expect(asked).toHaveLength(1);
  });

  test("a partner's update that does not decode is as none", () => {
    const broken = commit([a, b], (bytes, peer) => peer === b && bytes.fill(0xff, 60, 64));
    const sound = commit([a]);
    const [with_, alone] = [own(), own()];
    applyPair(with_, spec, broken.commit, [a, b], broken.blob);
    applyPair(alone, spec, sound.commit, [a], sound.blob);
    expect(with_).toEqual(alone);
  });
});

describe("the anchor of a run in pairs", () => {
  test("is what the commit merges to, whatever was before", () => {
    const given = commit([a, b, c]);
    const [genesis, elsewhere] = [genesisState(spec), own()];
    const first = foldCommit(genesis, spec, given.commit, given.blob);
    expect(foldCommit(elsewhere, spec, given.commit, given.blob)).toEqual(first);
    expect(anchorHashOf(genesis)).toBe(first.anchorHash);
    expect(genesis.velocity.every((m) => m === 0)).toBe(true);
    for (const [i, value] of genesis.parameters.entries())
      expect(Math.abs(value - (theta(a)[i] + theta(b)[i] + theta(c)[i]) / 3)).toBeLessThan(1e-4);
  });

  test("stays where no update counts", () => {
    const given = commit([a, b], (bytes) => bytes.fill(0xff, 60, 64));
    const genesis = genesisState(spec);
    const before = anchorHashOf(genesis);
    expect(foldCommit(genesis, spec, given.commit, given.blob).anchorHash).toBe(before);
  });
});
