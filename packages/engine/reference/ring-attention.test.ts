// Attention in blocks, as ranks of an island compute it, against attention of the whole, in f64.
import { describe, expect, test } from "vitest";
import { positionsOf, rowsOfRank, sightOf } from "../island/zig-zag.ts";
import { attentionBackward, attentionBlockForward, attentionForward } from "./attention.ts";
import { mergeAttention, ringAttentionBackward, ringAttentionForward } from "./ring-attention.ts";
import { normals, prng } from "./testing.ts";
import { relativeError } from "./vector.ts";

/** Rounding of f64, over some dozens of sums. */
const ALLOWED = 1e-12;

describe.each([
  { ranks: 1, B: 1, T: 2, NH: 1, KVH: 1, D: 4 },
  { ranks: 2, B: 2, T: 4, NH: 2, KVH: 2, D: 3 }, // chunks of one position
  { ranks: 2, B: 1, T: 20, NH: 4, KVH: 2, D: 4 }, // of an odd number
  { ranks: 3, B: 2, T: 18, NH: 3, KVH: 1, D: 4 },
  { ranks: 4, B: 1, T: 24, NH: 6, KVH: 2, D: 2 },
])("ring attention ranks=$ranks B=$B T=$T NH=$NH KVH=$KVH D=$D", ({ ranks, ...shape }) => {
  const { B, T, NH, KVH, D } = shape;
  const random = prng(ranks);
  const q = normals(random, B * T * NH * D, 2);
  const k = normals(random, B * T * KVH * D, 2);
  const v = normals(random, B * T * KVH * D);
  const dOut = normals(random, q.length);
  const whole = attentionForward({ q, k, v }, shape);

  test("blocks merged equal the whole", () => {
    const ring = ringAttentionForward({ q, k, v }, shape, ranks);
    expect(relativeError(ring.out, whole.out)).toBeLessThan(ALLOWED);
    expect(relativeError(ring.lse, whole.lse)).toBeLessThan(ALLOWED);
  });

  test("gradients of blocks add up to the whole's", () => {
    const truth = attentionBackward({ q, k, v, ...whole, dOut }, shape);
    const ring = ringAttentionBackward({ q, k, v, ...whole, dOut }, shape, ranks);
    for (const name of ["dq", "dk", "dv"] as const)
      expect(relativeError(ring[name], truth[name]), name).toBeLessThan(ALLOWED);
  });
});

test("a block whose keys all lie behind its queries is nothing, and merges to nothing", () => {
  const random = prng(1);
  const shape = { B: 1, M: 3, U: 2, NH: 2, KVH: 1, D: 4, queriesAt: 4, keysAt: 0 };
  const [q, k, v] = [normals(random, 24), normals(random, 8), normals(random, 8)];
  const seen = attentionBlockForward({ q, k, v }, shape);
  const unseen = attentionBlockForward({ q, k, v }, { ...shape, keysAt: 7 });
  expect(unseen).toEqual({ out: new Float64Array(24), lse: new Float64Array(6).fill(Number.NEGATIVE_INFINITY) });
  expect(mergeAttention(unseen, seen, shape)).toEqual(seen);
  expect(mergeAttention(seen, unseen, shape)).toEqual(seen);
  expect(mergeAttention(unseen, unseen, shape)).toEqual(unseen);
});

describe.each([1, 2, 3, 4])("zig-zag among %i ranks", (ranks) => {
  const T = 6 * ranks;
  const rows = rowsOfRank(T, ranks);
  const positions = Array.from({ length: ranks }, (_, rank) => positionsOf(T, ranks, rank));

  test("every position has one holder, whose rows are in order", () => {
    expect(positions.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: T }, (_, t) => t));
    for (const own of positions) expect(own).toEqual(own.toSorted((a, b) => a - b));
  });

  test("what ranks see of each other is what causality lets them see, and as much work for each", () => {
    const work = positions.map((own, rank) => {
      let pairs = (rows * (rows + 1)) / 2;
      positions.forEach((others, other) => {
        if (other === rank) return;
        const { queries, keys } = sightOf(rows, rank, other);
        own.forEach((query, m) => {
          others.forEach((key, u) => {
            const inSight = isIn(queries, m) && isIn(keys, u);
            expect(inSight).toBe(key <= query);
            if (inSight) pairs++;
          });
        });
      });
      return pairs;
    });
    expect(new Set(work).size).toBe(1);
    expect(work.reduce((a, b) => a + b)).toBe((T * (T + 1)) / 2);
  });
});

const isIn = ({ from, rows }: { readonly from: number; readonly rows: number }, row: number): boolean =>
  row >= from && row < from + rows;

test("a context that ranks cannot share alike is refused with the number", () => {
  expect(() => rowsOfRank(20, 3)).toThrow(/20 positions .* 3 members.* 6 must divide/);
});
