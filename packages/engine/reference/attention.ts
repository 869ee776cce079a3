// Causal attention with grouped heads: query head h reads key/value head floor(h / (NH / KVH)).
//
//   s(t, u) = scale · q_t·k_u for u <= t      lse_t = ln Σ_u e^s      p = e^(s - lse)      out_t = Σ_u p(t, u) v_u      scale = 1/sqrt(D)
//
// Only lse is kept, never the T x T matrix: the backward pass recomputes p from it, as the kernels do. A block is some queries against some keys, each from
// a position on: its out and lse are of those keys alone, its gradients what they add to the whole's (ring-attention.ts makes a whole of blocks).
import { type Vector, zeros } from "./vector.ts";

export interface AttentionShape {
  readonly B: number;
  readonly T: number;
  readonly NH: number; //  query heads
  readonly KVH: number; // key/value heads, divides NH
  readonly D: number; //   head size
}

export interface BlockShape extends Omit<AttentionShape, "T"> {
  readonly M: number; //          queries of each sequence
  readonly U: number; //          keys of each sequence
  readonly queriesAt: number; //  position of the first query
  readonly keysAt: number; //     position of the first key
}

/** q (B, T, NH, D), k and v (B, T, KVH, D) -> out (B, T, NH, D), lse (B, NH, T) */
export const attentionForward = <A extends Vector>(
  given: { readonly q: A; readonly k: A; readonly v: A },
  { T, ...shape }: AttentionShape,
): { out: A; lse: A } => attentionBlockForward(given, { ...shape, M: T, U: T, queriesAt: 0, keysAt: 0 });

/**
 * One sequence whose older keys and values were kept: its last M positions ask, position U - M + m everything up to itself.
 *
 * q (M, NH, D), k and v (U, KVH, D) -> out (M, NH, D)
 */
export const attentionCached = <A extends Vector>(
  given: { readonly q: A; readonly k: A; readonly v: A },
  { M, U, ...heads }: { readonly M: number; readonly U: number } & Omit<AttentionShape, "B" | "T">,
): A => attentionBlockForward(given, { ...heads, B: 1, M, U, queriesAt: U - M, keysAt: 0 }).out;

/** dOut (B, T, NH, D) and the forward pass's inputs and results -> dq (B, T, NH, D), dk and dv (B, T, KVH, D) */
export const attentionBackward = <A extends Vector>(
  given: { readonly q: A; readonly k: A; readonly v: A; readonly out: A; readonly lse: A; readonly dOut: A },
  { T, ...shape }: AttentionShape,
): { dq: A; dk: A; dv: A } => attentionBlockBackward(given, { ...shape, M: T, U: T, queriesAt: 0, keysAt: 0 });

/** Keys of the block that query m sees: those before and at its own position. */
const keysSeen = ({ U, queriesAt, keysAt }: BlockShape, m: number): number =>
  Math.min(U, Math.max(0, queriesAt + m - keysAt + 1));

/** q (B, M, NH, D), k and v (B, U, KVH, D) -> out (B, M, NH, D), lse (B, NH, M). Of a query that sees no key: out 0, lse -Infinity. */
export function attentionBlockForward<A extends Vector>(
  { q, k, v }: { readonly q: A; readonly k: A; readonly v: A },
  shape: BlockShape,
): { out: A; lse: A } {
  const { B, M, U, NH, KVH, D } = shape;
  const out = zeros(q, B * M * NH * D);
  const lse = zeros(q, B * NH * M);
  const scale = 1 / Math.sqrt(D);
  const group = NH / KVH;
  const scores = new Float64Array(U);
  const row = new Float64Array(D);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const kv = Math.floor(h / group);
      for (let m = 0; m < M; m++) {
        const query = ((b * M + m) * NH + h) * D;
        const seen = keysSeen(shape, m);
        let max = Number.NEGATIVE_INFINITY;
        for (let u = 0; u < seen; u++) {
          const key = ((b * U + u) * KVH + kv) * D;
          let dot = 0;
          for (let d = 0; d < D; d++) dot += q[query + d] * k[key + d];
          scores[u] = scale * dot;
          if (scores[u] > max) max = scores[u];
        }
        let sum = 0;
        row.fill(0);
        for (let u = 0; u < seen; u++) {
          const value = ((b * U + u) * KVH + kv) * D;
          const e = Math.exp(scores[u] - max);
          sum += e;
          for (let d = 0; d < D; d++) row[d] += e * v[value + d];
        }
        if (seen > 0) for (let d = 0; d < D; d++) out[query + d] = row[d] / sum;
        lse[(b * NH + h) * M + m] = max + Math.log(sum);
      }
    }
  }
  return { out, lse };
}

/**
 * What a block adds to the gradients of its queries and of its keys and values, given out and lse of all that the queries saw.
 *
 * q, out and dOut (B, M, NH, D), lse (B, NH, M), k and v (B, U, KVH, D) -> dq (B, M, NH, D), dk and dv (B, U, KVH, D)
 */
export function attentionBlockBackward<A extends Vector>(
  given: { readonly q: A; readonly k: A; readonly v: A; readonly out: A; readonly lse: A; readonly dOut: A },
  shape: BlockShape,
): { dq: A; dk: A; dv: A } {
  const { q, k, v, out, lse, dOut } = given;
  const { B, M, U, NH, KVH, D } = shape;
  const dq = new Float64Array(B * M * NH * D);
  const dk = new Float64Array(B * U * KVH * D);
  const dv = new Float64Array(B * U * KVH * D);
  const scale = 1 / Math.sqrt(D);
  const group = NH / KVH;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const kv = Math.floor(h / group);
      for (let m = 0; m < M; m++) {
        const query = ((b * M + m) * NH + h) * D;
        const logSum = lse[(b * NH + h) * M + m];
        let delta = 0; // Σ_u p dp over all keys, which equals dOut·out: known before any p is
        for (let d = 0; d < D; d++) delta += dOut[query + d] * out[query + d];
        for (let u = 0; u < keysSeen(shape, m); u++) {
          const key = ((b * U + u) * KVH + kv) * D;
          let dot = 0;
          let dp = 0;
          for (let d = 0; d < D; d++) {
            dot += q[query + d] * k[key + d];
            dp += dOut[query + d] * v[key + d];
          }
          const p = Math.exp(scale * dot - logSum);
          const ds = scale * p * (dp - delta);
          for (let d = 0; d < D; d++) {
            dv[key + d] += p * dOut[query + d];
            dq[query + d] += ds * k[key + d];
            dk[key + d] += ds * q[query + d];
          }
        }
      }
    }
  }
  return { dq: store(q, dq), dk: store(k, dk), dv: store(v, dv) };
}

function store<A extends Vector>(like: A, from: Float64Array): A {
  const stored = zeros(like, from.length);
  stored.set(from);
  return stored;
}
