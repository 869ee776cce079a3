import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  AWKWARD,
  awkwardHashes,
  PLAIN,
  plainHashes,
  goldenSpec as spec,
  goldenContributions as three,
} from "./golden-fold.ts";
import { anchorHashOf, codecOf, type Decoded, foldCommit, genesisState, readUpdate } from "./index.ts";
import { BASE_HASH, commitOf, noise, peerOf } from "./test-given.ts";

const codec = codecOf(spec).at(0);
const { length } = codec;

test("the golden folds: these logs must refold to these hashes for ever", () => {
  expect(plainHashes()).toEqual(PLAIN);
  expect(awkwardHashes()).toEqual(AWKWARD);
});

test("agrees with the plain formulas in f64", () => {
  const state = genesisState(spec);
  const phi = Float64Array.from(state.parameters);
  const m = new Float64Array(length);
  for (let round = 0; round < 3; round++) {
    const given = three(0.01 * (round + 1));
    const { commit, blob } = commitOf(round, given);
    const decoded = commit.contributors.map(({ update, tokens }) => {
      const values = new Float32Array(length);
      (readUpdate(blob(update)!, { round, baseHash: BASE_HASH, tokens, codec }) as Decoded).addTo(values, 1, 0, length);
      return values;
    });
    const norms = decoded.map((values) => Math.hypot(...values));
    const middle = [...norms].sort((a, b) => a - b)[1];
    const total = given.reduce((sum, { tokens }) => sum + tokens, 0);
    for (let i = 0; i < length; i++) {
      const mean = given.reduce(
        (sum, { tokens }, k) => sum + (tokens / total) * Math.min(1, middle / norms[k]) * decoded[k][i],
        0,
      );
      m[i] = 0.9 * m[i] + mean;
      phi[i] -= 0.7 * (mean + 0.9 * m[i]);
    }
    foldCommit(state, spec, commit, blob);
  }
  for (let i = 0; i < length; i++) expect(Math.abs(state.parameters[i] - phi[i])).toBeLessThan(1e-6);
});

test("the order in which a commit lists its contributors changes no bit", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2], { minLength: 3, maxLength: 3 }), (order) => {
      const inOrder = commitOf(0, three());
      const a = foldCommit(genesisState(spec), spec, inOrder.commit, inOrder.blob);
      const { commit, blob } = commitOf(
        0,
        order.map((i) => three()[i]),
      );
      expect(foldCommit(genesisState(spec), spec, commit, blob)).toEqual(a);
    }),
  );
});

describe("weight 0 by rule", () => {
  const damage = (bytes: Uint8Array, peer: string) => {
    if (peer === peerOf(2)) new DataView(bytes.buffer).setFloat32(56, Number.NaN, true);
  };
  test("a refused contribution is named, and the fold is the one without it", () => {
    const { commit, blob } = commitOf(0, three(), damage);
    const state = genesisState(spec);
    const { refused, anchorHash } = foldCommit(state, spec, commit, blob);
    expect(refused).toEqual([{ peer: peerOf(2), reason: "the scale of block 0 is NaN" }]);
    const without = commitOf(0, [three()[0], three()[2]]);
    expect(anchorHash).toBe(foldCommit(genesisState(spec), spec, without.commit, without.blob).anchorHash);
  });
  test("when all are refused, parameters and velocity stay", () => {
    const state = genesisState(spec);
    state.velocity.set(noise(8, length));
    const before = anchorHashOf(state);
    const { commit, blob } = commitOf(0, [three()[1]], damage);
    expect(foldCommit(state, spec, commit, blob)).toEqual({
      anchorHash: before,
      refused: [{ peer: peerOf(2), reason: "the scale of block 0 is NaN" }],
    });
  });
  test("an offer for another round or anchor, and a peer named twice", () => {
    const { commit, blob } = commitOf(0, [three()[0], three()[0], three()[1], three()[2]]);
    commit.contributors[2] = { ...commit.contributors[2], round: 1 };
    commit.contributors[3] = { ...commit.contributors[3], baseHash: "00".repeat(32) };
    const { refused, anchorHash } = foldCommit(genesisState(spec), spec, commit, blob);
    const elsewhere = "the offer is for another round or anchor";
    expect(refused).toEqual([
      { peer: peerOf(1), reason: "named twice" },
      { peer: peerOf(2), reason: elsewhere },
      { peer: peerOf(3), reason: elsewhere },
    ]);
    const alone = commitOf(0, [three()[0]]);
    expect(anchorHash).toBe(foldCommit(genesisState(spec), spec, alone.commit, alone.blob).anchorHash);
  });
});

test("huge but valid updates leave a state that still hashes: the fold is total", () => {
  const state = genesisState(spec);
  const huge = three().map((given) => ({ ...given, delta: noise(given.tokens, length, 3e38) }));
  for (let round = 0; round < 4; round++) {
    const { commit, blob } = commitOf(round, huge);
    expect(foldCommit(state, spec, commit, blob).anchorHash).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(state.parameters.some((v) => Math.abs(v) > 1e37)).toBe(true);
});

test("one peer in three cannot move the anchor further than its share of the median norm", () => {
  const moved = (attack: number) => {
    const state = genesisState(spec);
    const before = state.parameters.slice();
    const given = three();
    given[0].delta = noise(1, length, attack);
    const { commit, blob } = commitOf(0, given);
    foldCommit(state, spec, commit, blob);
    return Math.hypot(...state.parameters.map((v, i) => v - before[i]));
  };
  expect(moved(1e20) / moved(0.01)).toBeLessThan(1.5);
});

test("a missing blob and a wrong one throw before anything changes", () => {
  const state = genesisState(spec);
  const before = anchorHashOf(state);
  const { commit, blob } = commitOf(0, three());
  const last = commit.contributors[2].update;
  expect(() => foldCommit(state, spec, commit, (name) => (name === last ? undefined : blob(name)))).toThrow(/fetch it/);
  expect(() => foldCommit(state, spec, commit, () => blob(last))).toThrow(/not its own/);
  expect(anchorHashOf(state)).toBe(before);
});
