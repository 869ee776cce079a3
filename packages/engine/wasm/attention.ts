// Causal attention with grouped heads, RoPE included (reference/attention.ts, reference/rope.ts), as products of blocks.
//
//   forward    qkv (N, (NH + 2 KVH)·D): q and k turned in place      S = scale · Q Kᵀ      P = exp(S - lse)      out (N, NH·D) = P V      lse (B, NH, T)
//   backward   P again from lse      dV = Pᵀ dO      dS = scale · P ∘ (dO Vᵀ - rowsum(dO ∘ O))      dQ = dS K      dK = dSᵀ Q      dq and dk turned back
//
// A task is one key/value head of one sequence with its group of query heads: what it adds to belongs to no other. S and dS exist for QUERIES rows
// at a time, in the thread's scratch, and only up to the block's last key.
import {
  type Body,
  type Callable,
  type Code,
  demote,
  f32,
  f32x4,
  f64,
  i32,
  type Local,
  type Module,
  v128,
} from "./assembler.ts";
import { EDGE_BYTES, type Products, TILE_COLUMNS, TILE_ROWS } from "./matmul.ts";
import { alongRow, exp, largest, total } from "./vector.ts";

/** Whole tiles; more would compute more above the diagonal, fewer would pack and add more often. */
const QUERIES = 4 * TILE_ROWS;
/** What is above the diagonal: far below any score, and finite. */
const NEVER = -1e30;

const TILE_BYTES = 4 * TILE_COLUMNS;
const padded = (count: number): number => Math.ceil(count / TILE_COLUMNS) * TILE_COLUMNS;
const paddedCode = (count: Code<"i32">) => i32.and(i32.add(count, TILE_COLUMNS - 1), -TILE_COLUMNS);

/** Scratch of one thread, backward (forward takes less). */
export const attentionScratchBytes = (T: number, D: number): number =>
  EDGE_BYTES + 4 * (2 * padded(T) * D + padded(D) * (T + 2 * QUERIES) + 2 * QUERIES * padded(T));

type Ints = readonly ["i32", "i32", "i32", "i32", "i32", "i32", "f32"];

/** Turns a head's rows in place: at, stride, cosines, sines (T, half), T, half, direction. */
function defineRotate(module: Module): Callable<Ints> {
  return module.define(
    "rotate",
    ["i32", "i32", "i32", "i32", "i32", "i32", "f32"],
    (f, at, stride, cosines, sines, T, half, direction) => {
      const [t, i, low, high] = [f.int(), f.int(), f.int(), f.int()];
      const width = f.int(i32.shl(half, 2));
      const turn = f.vector(f32x4.splat(direction));
      const whole = f.int(i32.and(width, -16));
      const [x, y, cos, sin] = [f.vector(), f.vector(), f.vector(), f.vector()];
      f.for(t, 0, T, 1, () => {
        f.for(i, 0, whole, 16, () => {
          f.set(low, i32.add(at, i));
          f.set(high, i32.add(low, width));
          f.set(x, v128.load(low));
          f.set(y, v128.load(high));
          f.set(cos, v128.load(i32.add(cosines, i)));
          f.set(sin, f32x4.mul(turn, v128.load(i32.add(sines, i))));
          f.store(low, f32x4.sub(f32x4.mul(x, cos), f32x4.mul(y, sin)));
          f.store(high, f32x4.add(f32x4.mul(y, cos), f32x4.mul(x, sin)));
        });
        f.for(i, whole, width, 4, () => {
          f.set(low, i32.add(at, i));
          f.set(high, i32.add(low, width));
          const a = f.local("f32", f32.load(low));
          const b = f.local("f32", f32.load(high));
          const c = f.local("f32", f32.load(i32.add(cosines, i)));
          const s = f.local("f32", f32.mul(direction, f32.load(i32.add(sines, i))));
          f.store(low, f32.sub(f32.mul(a, c), f32.mul(b, s)));
          f.store(high, f32.add(f32.mul(b, c), f32.mul(a, s)));
        });
        f.advance(at, stride);
        f.advance(cosines, width);
        f.advance(sines, width);
      });
    },
  );
}

export function defineAttention(
  module: Module,
  { product, packRows, packColumns }: Products,
  scratch: Code<"i32">,
): void {
  const rotate = defineRotate(module);

  /** The query blocks of a head: first row, rows, and keys up to the block's last one, as many as that and padded. */
  const blocks = (
    f: Body,
    T: Code<"i32">,
    body: (block: { first: Local<"i32">; rows: Local<"i32">; keys: Local<"i32">; width: Local<"i32"> }) => void,
  ) => {
    const first = f.int();
    f.for(first, 0, T, QUERIES, () => {
      const rows = f.int(i32.min(i32.sub(T, first), QUERIES));
      const keys = f.int(i32.add(first, rows));
      const width = f.int(paddedCode(keys));
      body({ first, rows, keys, width });
    });
  };

  /** Fills a row of scores after its own key. */
  const mask = (f: Body, row: Local<"i32">, from: Code<"i32">, width: Local<"i32">) => {
    const u = f.int();
    f.for(u, from, width, 1, () => f.store(i32.add(row, i32.shl(u, 2)), f32.const(NEVER)));
  };

  /** Where a task's key head lies: one task is one key head of one sequence. Strides and the head's size in bytes. */
  const placesOf = (
    f: Body,
    task: Local<"i32">,
    T: Local<"i32">,
    heads: Local<"i32">,
    kvHeads: Local<"i32">,
    D: Local<"i32">,
  ) => {
    const size = f.int(i32.shl(D, 2));
    const sequence = f.int(i32.div(task, kvHeads));
    return {
      size,
      sequence,
      group: f.int(i32.div(heads, kvHeads)), // query heads of a key head
      half: f.int(i32.shr(D, 1)),
      stride: f.int(i32.mul(i32.add(heads, i32.shl(kvHeads, 1)), size)), // of a row of qkv
      outStride: f.int(i32.mul(heads, size)),
      kv: f.int(i32.rem(task, kvHeads)),
      firstRow: f.int(i32.mul(sequence, T)),
    };
  };

  module.define(
    "attention-forward",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"],
    (f, task, qkv, out, lse, cosines, sines, T, heads, kvHeads, D, scale) => {
      const { group, size, half, stride, outStride, sequence, kv, firstRow } = placesOf(f, task, T, heads, kvHeads, D);
      const base = f.int(i32.add(qkv, i32.mul(firstRow, stride)));
      const k = f.int(i32.add(base, i32.mul(i32.add(heads, kv), size)));
      const v = f.int(i32.add(k, i32.mul(kvHeads, size)));

      const turned = f.int(i32.add(scratch, EDGE_BYTES)); // K: (panels of keys, D)
      const turnedStride = f.int(i32.mul(D, TILE_BYTES));
      const values = f.int(i32.add(turned, i32.mul(paddedCode(T), size))); // V: (panels of D, T)
      const valuesStride = f.int(i32.mul(T, TILE_BYTES));
      const scores = f.int(i32.add(values, i32.mul(paddedCode(D), i32.shl(T, 2))));
      const scoreStride = f.int(i32.shl(paddedCode(T), 2));
      f.call(rotate, k, stride, cosines, sines, T, half, 1);
      f.call(packColumns, k, stride, turned, turnedStride, T, D);
      f.call(packRows, v, stride, values, valuesStride, D, T);

      const [g, t] = [f.int(), f.int()];
      f.for(g, 0, group, 1, () => {
        const head = f.int(i32.add(i32.mul(kv, group), g));
        const q = f.int(i32.add(base, i32.mul(head, size)));
        const o = f.int(i32.add(i32.add(out, i32.mul(firstRow, outStride)), i32.mul(head, size)));
        const sums = f.int(i32.add(lse, i32.shl(i32.mul(i32.add(i32.mul(sequence, heads), head), T), 2)));
        f.call(rotate, q, stride, cosines, sines, T, half, 1);
        blocks(f, T, ({ first, rows, keys, width }) => {
          const from = f.int(i32.add(q, i32.mul(first, stride)));
          const to = f.int(i32.add(o, i32.mul(first, outStride)));
          f.call(product.rows, from, stride, turned, turnedStride, scores, scoreStride, rows, width, D, 0);
          const row = f.int(scores);
          f.for(t, 0, rows, 1, () => {
            const own = f.int(i32.add(first, t));
            mask(f, row, i32.add(own, 1), width);
            const bytes = f.int(i32.shl(width, 2));
            const max = f.vector(f32x4.splat(NEVER));
            alongRow(f, bytes, (at) => f.set(max, f32x4.max(max, v128.load(i32.add(row, at)))));
            const top = f.local("f32", f32.mul(scale, largest(max)));
            const sum = f.vector(v128.zero);
            alongRow(f, bytes, (at) => {
              const s = f32x4.mul(v128.load(i32.add(row, at)), f32x4.splat(scale));
              const e = exp(f, f32x4.sub(s, f32x4.splat(top)));
              f.set(sum, f32x4.add(sum, e));
              f.store(i32.add(row, at), e);
            });
            const whole = f.local("f32", total(sum));
            const factor = f.vector(f32x4.splat(f32.div(1, whole)));
            alongRow(f, bytes, (at) => {
              f.store(i32.add(row, at), f32x4.mul(v128.load(i32.add(row, at)), factor));
            });
            const logSum = f32.add(top, demote(module.log(f64.promote(whole))));
            f.store(i32.add(sums, i32.shl(own, 2)), logSum);
            f.advance(row, scoreStride);
          });
          f.call(product.rows, scores, scoreStride, values, valuesStride, to, outStride, rows, D, keys, 0);
        });
      });
    },
  );

  module.define(
    "attention-backward",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"],
    (f, task, qkv, out, dout, lse, dqkv, cosines, sines, T, heads, kvHeads, D, scale) => {
      const { group, size, half, stride, outStride, sequence, kv, firstRow } = placesOf(f, task, T, heads, kvHeads, D);
      const keyOffset = i32.add(i32.mul(firstRow, stride), i32.mul(i32.add(heads, kv), size));
      const k = f.int(i32.add(qkv, keyOffset));
      const dk = f.int(i32.add(dqkv, keyOffset));
      const [v, dv] = [k, dk].map((at) => f.int(i32.add(at, i32.mul(kvHeads, size))));

      const tall = f.int(paddedCode(T));
      const wide = f.int(i32.shl(paddedCode(D), 2)); // bytes of a packed row of D
      const turnedStride = f.int(i32.mul(D, TILE_BYTES));
      const turnedK = f.int(i32.add(scratch, EDGE_BYTES)); //                         Kᵀ: (panels of keys, D)
      const turnedV = f.int(i32.add(turnedK, i32.mul(tall, size))); //                Vᵀ: the same
      const keysK = f.int(i32.add(turnedV, i32.mul(tall, size))); //                  K: (panels of D, T)
      const keysStride = f.int(i32.mul(T, TILE_BYTES));
      const queries = f.int(i32.add(keysK, i32.mul(wide, T))); //                     Q of a block: (panels of D, QUERIES)
      const slopes = f.int(i32.add(queries, i32.mul(wide, QUERIES))); //              dO of a block: the same
      const scores = f.int(i32.add(slopes, i32.mul(wide, QUERIES)));
      const scoreStride = f.int(i32.shl(tall, 2));
      const dscores = f.int(i32.add(scores, i32.mul(scoreStride, QUERIES)));
      f.call(packColumns, k, stride, turnedK, turnedStride, T, D);
      f.call(packColumns, v, stride, turnedV, turnedStride, T, D);
      f.call(packRows, k, stride, keysK, keysStride, D, T);

      const [g, t] = [f.int(), f.int()];
      const blockStride = QUERIES * TILE_BYTES;
      f.for(t, 0, T, 1, () => {
        f.fill(i32.add(dk, i32.mul(t, stride)), size);
        f.fill(i32.add(dv, i32.mul(t, stride)), size);
      });
      f.for(g, 0, group, 1, () => {
        const head = f.int(i32.add(i32.mul(kv, group), g));
        const offset = f.int(i32.add(i32.mul(firstRow, stride), i32.mul(head, size)));
        const outOffset = f.int(i32.add(i32.mul(firstRow, outStride), i32.mul(head, size)));
        const sums = f.int(i32.add(lse, i32.shl(i32.mul(i32.add(i32.mul(sequence, heads), head), T), 2)));
        blocks(f, T, ({ first, rows, keys, width }) => {
          const q = f.int(i32.add(i32.add(qkv, offset), i32.mul(first, stride)));
          const dq = f.int(i32.add(i32.add(dqkv, offset), i32.mul(first, stride)));
          const [o, d] = [out, dout].map((base) => f.int(i32.add(i32.add(base, outOffset), i32.mul(first, outStride))));
          f.call(packRows, q, stride, queries, blockStride, D, rows);
          f.call(packRows, d, outStride, slopes, blockStride, D, rows);
          f.call(product.rows, q, stride, turnedK, turnedStride, scores, scoreStride, rows, width, D, 0);
          f.call(product.rows, d, outStride, turnedV, turnedStride, dscores, scoreStride, rows, width, D, 0);
          const [row, drow] = [f.int(scores), f.int(dscores)];
          const [from, dfrom] = [f.int(o), f.int(d)];
          f.for(t, 0, rows, 1, () => {
            const own = f.int(i32.add(first, t));
            mask(f, row, i32.add(own, 1), width);
            const along = f.vector(v128.zero);
            alongRow(f, size, (at) => {
              const both = f32x4.mul(v128.load(i32.add(from, at)), v128.load(i32.add(dfrom, at)));
              f.set(along, f32x4.add(along, both));
            });
            const delta = f.vector(f32x4.splat(total(along))); // Σ p dp, known before any p is
            const logSum = f.vector(v128.loadSplat(i32.add(sums, i32.shl(own, 2))));
            const factor = f.vector(f32x4.splat(scale));
            alongRow(f, i32.shl(width, 2), (at) => {
              const s = f32x4.mul(v128.load(i32.add(row, at)), factor);
              const p = exp(f, f32x4.sub(s, logSum));
              f.store(i32.add(row, at), p);
              const slope = f32x4.sub(v128.load(i32.add(drow, at)), delta);
              f.store(i32.add(drow, at), f32x4.mul(f32x4.mul(p, factor), slope));
            });
            f.advance(row, scoreStride);
            f.advance(drow, scoreStride);
            f.advance(from, outStride);
            f.advance(dfrom, outStride);
          });
          f.call(product.rows, dscores, scoreStride, keysK, keysStride, dq, stride, rows, D, keys, 0);
          f.call(product.columns, scores, scoreStride, slopes, blockStride, dv, stride, keys, D, rows, 1);
          f.call(product.columns, dscores, scoreStride, queries, blockStride, dk, stride, keys, D, rows, 1);
        });
        f.call(rotate, i32.add(dqkv, offset), stride, cosines, sines, T, half, -1);
      });
      f.call(rotate, dk, stride, cosines, sines, T, half, -1);
    },
  );
}
