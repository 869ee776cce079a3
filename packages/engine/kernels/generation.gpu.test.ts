// What only decoding runs: one row times a matrix, keeping keys and values, attention over them.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compare, exactly, fails } from "../conformance/check.ts";
import { f32, KernelRunner, unwritten } from "../conformance/runner.ts";
import { linearForward, attentionCached as referenceAttention } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { attentionCached, cacheKeep } from "./attention-cached.ts";
import { matvec } from "./matvec.ts";
import { DEVICES, describeOn, F32_DEVICES } from "./testing.ts";

describeOn(DEVICES, "matvec", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  test.each([
    { N: 4, K: 4 },
    { N: 20, K: 36 },
    { N: 260, K: 132 },
    { N: 64, K: 1028 },
  ])("$K in, $N out", async ({ N, K }) => {
    const random = prng(K);
    const [x, w] = [runner.stored(normals(random, K)), runner.stored(normals(random, N * K))];
    const { y } = await runner.run(matvec, { N, K }, { w, x, y: unwritten(N) });
    const truth = linearForward({ x, weight: w }, { N: 1, I: K, O: N });
    expect([compare(matvec, "y", y, truth, runner.storedError(1e-5))].filter(fails)).toEqual([]);
  });
});

const SHAPES = [
  { NH: 1, KVH: 1, D: 4, T: 3, start: 0, count: 1, rows: 1 },
  { NH: 4, KVH: 2, D: 12, T: 70, start: 66, count: 3, rows: 5 },
  { NH: 3, KVH: 1, D: 8, T: 200, start: 199, count: 1, rows: 1 },
  { NH: 2, KVH: 2, D: 36, T: 150, start: 100, count: 20, rows: 32 },
  { NH: 1, KVH: 1, D: 264, T: 6, start: 0, count: 6, rows: 6 }, // wider than a workgroup
];

describeOn(F32_DEVICES, "attention over a cache", (given) => {
  describe.each(SHAPES)("heads $NH/$KVH of $D, $count of $rows rows from $start on", (shape) => {
    const { NH, KVH, D, T, start, count, rows } = shape;
    let runner: KernelRunner;
    beforeAll(async () => {
      runner = await KernelRunner.open({ ...given, headSize: D });
    });
    afterAll(() => runner.destroy());

    test("keys and values are kept, and attended to as the reference does", async () => {
      const random = prng(T);
      const [Q, KV] = [NH * D, KVH * D];
      const stride = Q + 2 * KV;
      const qkv = f32(normals(random, rows * stride, 2));
      const before = f32(normals(random, T * 2 * KV, 2));
      const place = Uint32Array.of(start, count);
      const { cache } = await runner.run(
        cacheKeep,
        { stride: stride / 4, skip: Q / 4, width: KV / 2, T, rows },
        { place, qkv, cache: before },
      );
      const expected = before.slice();
      for (let r = 0; r < count; r++)
        expected.set(qkv.subarray(r * stride + Q, (r + 1) * stride), (start + r) * 2 * KV);
      expect(cache).toEqual(expected);

      const part = (from: Float32Array, rows: number, stride: number, at: number, width: number) =>
        f32(Array.from({ length: rows * width }, (_, i) => from[Math.floor(i / width) * stride + at + (i % width)]));
      const { y } = await runner.run(
        attentionCached,
        { T, heads: NH, kvHeads: KVH, scale: 1 / Math.sqrt(D), rows },
        { place, qkv, cache, y: new Float32Array(rows * Q).fill(7) },
      );
      const U = start + count;
      const given = {
        q: part(qkv, count, stride, 0, Q),
        k: part(cache, U, 2 * KV, 0, KV),
        v: part(cache, U, 2 * KV, KV, KV),
      };
      const truth = referenceAttention(given, { M: count, U, NH, KVH, D });
      const checks = [
        compare(attentionCached, "y", y.subarray(0, count * Q), truth, 1e-5),
        exactly(attentionCached, "other rows", y.subarray(count * Q), 7),
      ];
      expect(checks.filter(fails)).toEqual([]);
    });
  });
});
