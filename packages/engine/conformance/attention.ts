import { attentionBackwardKv, attentionBackwardQ, attentionForward } from "../kernels/attention.ts";
import { type AttentionShape, attentionBackward, attentionForward as referenceForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare } from "./check.ts";
import { type KernelRunner, unwritten } from "./runner.ts";

/** Forward and both kernels of the backward pass. The runner's head size is the shape's D. */
export async function checkAttention(runner: KernelRunner, shape: AttentionShape): Promise<Check[]> {
  const { B, T, NH, KVH, D } = shape;
  const rows = B * T;
  const random = prng(T);
  const q = runner.stored(normals(random, rows * NH * D, 2));
  const k = runner.stored(normals(random, rows * KVH * D, 2));
  const v = runner.stored(normals(random, rows * KVH * D));
  const dy = runner.stored(normals(random, rows * NH * D));
  const qkv = join([q, k, v], rows);
  const kernelShape = { T, heads: NH, kvHeads: KVH, scale: 1 / Math.sqrt(D), B };
  const out = { y: unwritten(rows * NH * D), lse: unwritten(rows * NH) };
  const { y, lse } = await runner.run(attentionForward, kernelShape, { qkv, ...out });
  const first = await runner.run(attentionBackwardQ, kernelShape, {
    ...{ qkv, y, dy, lse },
    ...{ dqkv: unwritten(qkv.length), delta: unwritten(rows * NH) },
  });
  const second = await runner.run(attentionBackwardKv, kernelShape, {
    qkv,
    dy,
    lse,
    delta: first.delta,
    dqkv: first.dqkv,
  });
  const truth = referenceForward({ q, k, v }, shape);
  const { dq, dk, dv } = attentionBackward({ q, k, v, ...truth, dOut: dy }, shape);
  const part = (from: number, heads: number): Float32Array => columns(second.dqkv, rows, from * D, heads * D);
  return [
    compare(attentionForward, "y", y, truth.out, runner.storedError(1e-5)),
    compare(attentionForward, "lse", lse, truth.lse, 1e-5),
    compare(attentionBackwardQ, "dq", part(0, NH), dq, runner.storedError(1e-4)),
    compare(attentionBackwardKv, "dk", part(NH, KVH), dk, runner.storedError(1e-4)),
    compare(attentionBackwardKv, "dv", part(NH + KVH, KVH), dv, runner.storedError(1e-4)),
  ];
}

/** q (rows, NH, D), k and v (rows, KVH, D) side by side in each row, as the matrix product leaves them. */
export function join(parts: readonly Float32Array[], rows: number): Float32Array<ArrayBuffer> {
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

/** Columns [from, from + width) of each row, side by side. */
export function columns(joined: Float32Array, rows: number, from: number, width: number): Float32Array {
  const stride = joined.length / rows;
  const part = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++)
    part.set(joined.subarray(row * stride + from, row * stride + from + width), row * width);
  return part;
}
