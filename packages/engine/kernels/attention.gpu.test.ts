import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type AttentionShape,
  attentionBackward,
  attentionForward as referenceForward,
  relativeError,
} from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { attentionBackwardKv, attentionBackwardQ, attentionForward } from "./attention.ts";
import { DEVICES, f32, KernelRunner, unwritten } from "./testing.ts";

const SHAPES: AttentionShape[] = [
  { B: 1, T: 1, NH: 1, KVH: 1, D: 4 },
  { B: 2, T: 5, NH: 2, KVH: 2, D: 12 },
  { B: 1, T: 33, NH: 4, KVH: 2, D: 32 },
  { B: 2, T: 67, NH: 3, KVH: 1, D: 8 },
  { B: 1, T: 141, NH: 1, KVH: 1, D: 36 }, // several workgroups of queries
];

/** q (rows, NH, D), k and v (rows, KVH, D) side by side in each row, as the matrix product leaves them. */
function join(parts: readonly Float32Array[], rows: number): Float32Array<ArrayBuffer> {
  const widths = parts.map((part) => part.length / rows);
  const stride = widths.reduce((sum, width) => sum + width, 0);
  const joined = new Float32Array(rows * stride);
  let column = 0;
  parts.forEach((part, p) => {
    for (let row = 0; row < rows; row++)
      joined.set(part.subarray(row * widths[p], (row + 1) * widths[p]), row * stride + column);
    column += widths[p];
  });
  return joined;
}

describe.each(DEVICES)("attention on $device", ({ defaultLimits }) => {
  describe.each(SHAPES)("B=$B T=$T NH=$NH KVH=$KVH D=$D", (shape) => {
    const { B, T, NH, KVH, D } = shape;
    const rows = B * T;
    let runner: KernelRunner;
    beforeAll(async () => {
      runner = await KernelRunner.open({ defaultLimits, headSize: D });
    });
    afterAll(() => runner.destroy());

    test("forward and backward equal the reference", async () => {
      const random = prng(T);
      const q = f32(normals(random, rows * NH * D, 2));
      const k = f32(normals(random, rows * KVH * D, 2));
      const v = f32(normals(random, rows * KVH * D));
      const qkv = join([q, k, v], rows);
      const kernelShape = { T, heads: NH, kvHeads: KVH, scale: 1 / Math.sqrt(D), B };
      const { y, lse } = await runner.run(attentionForward, kernelShape, {
        qkv,
        y: unwritten(rows * NH * D),
        lse: unwritten(rows * NH),
      });
      const truth = referenceForward({ q, k, v }, shape);
      expect(relativeError(y, truth.out)).toBeLessThan(1e-5);
      expect(relativeError(lse, truth.lse)).toBeLessThan(1e-5);

      const dy = f32(normals(random, rows * NH * D));
      const first = await runner.run(attentionBackwardQ, kernelShape, {
        ...{ qkv, y, dy, lse },
        dqkv: unwritten(qkv.length),
        delta: unwritten(rows * NH),
      });
      const second = await runner.run(attentionBackwardKv, kernelShape, {
        ...{ qkv, dy, lse },
        delta: first.delta,
        dqkv: first.dqkv,
      });
      const { dq, dk, dv } = attentionBackward({ q, k, v, ...truth, dOut: dy }, shape);
      expect(relativeError(second.dqkv, join([dq, dk, dv], rows))).toBeLessThan(1e-4);
    });
  });
});
