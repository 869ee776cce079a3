// Causal attention with grouped heads: query head h reads key/value head floor(h / (NH / KVH)).
//
//   s(t, u) = scale · q_t·k_u for u <= t      lse_t = ln Σ_u e^s      p = e^(s - lse)      out_t = Σ_u p(t, u) v_u      scale = 1/sqrt(D)
//
// Only lse is kept, never the T x T matrix: the backward pass recomputes p from it, as the kernels do.
import { type Vector, zeros } from "./vector.ts";

export interface AttentionShape {
  readonly B: number;
  readonly T: number;
  readonly NH: number; //  query heads
  readonly KVH: number; // key/value heads, divides NH
  readonly D: number; //   head size
}

/** q (B, T, NH, D), k and v (B, T, KVH, D) -> out (B, T, NH, D), lse (B, NH, T) */
export function attentionForward<A extends Vector>(
  { q, k, v }: { readonly q: A; readonly k: A; readonly v: A },
  { B, T, NH, KVH, D }: AttentionShape,
): { out: A; lse: A } {
  const out = zeros(q, B * T * NH * D);
  const lse = zeros(q, B * NH * T);
  const scale = 1 / Math.sqrt(D);
  const group = NH / KVH;
  const scores = new Float64Array(T);
  const row = new Float64Array(D);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const kv = Math.floor(h / group);
      for (let t = 0; t < T; t++) {
        const query = ((b * T + t) * NH + h) * D;
        let max = Number.NEGATIVE_INFINITY;
        for (let u = 0; u <= t; u++) {
          const key = ((b * T + u) * KVH + kv) * D;
          let dot = 0;
          for (let d = 0; d < D; d++) dot += q[query + d] * k[key + d];
          scores[u] = scale * dot;
          if (scores[u] > max) max = scores[u];
        }
        let sum = 0;
        row.fill(0);
        for (let u = 0; u <= t; u++) {
          const value = ((b * T + u) * KVH + kv) * D;
          const e = Math.exp(scores[u] - max);
          sum += e;
          for (let d = 0; d < D; d++) row[d] += e * v[value + d];
        }
        for (let d = 0; d < D; d++) out[query + d] = row[d] / sum;
        lse[(b * NH + h) * T + t] = max + Math.log(sum);
      }
    }
  }
  return { out, lse };
}

/**
 * One sequence whose older keys and values were kept: its last M positions ask, position U - M + m everything up to itself.
 *
 * q (M, NH, D), k and v (U, KVH, D) -> out (M, NH, D)
 */
export function attentionCached<A extends Vector>(
  { q, k, v }: { readonly q: A; readonly k: A; readonly v: A },
  { M, U, NH, KVH, D }: { readonly M: number; readonly U: number } & Omit<AttentionShape, "B" | "T">,
): A {
  const out = zeros(q, M * NH * D);
  const scale = 1 / Math.sqrt(D);
  const scores = new Float64Array(U);
  const row = new Float64Array(D);
  for (let m = 0; m < M; m++) {
    const keys = U - M + m + 1;
    for (let h = 0; h < NH; h++) {
      const kv = Math.floor((h * KVH) / NH);
      const query = (m * NH + h) * D;
      let max = Number.NEGATIVE_INFINITY;
      for (let u = 0; u < keys; u++) {
        const key = (u * KVH + kv) * D;
        let dot = 0;
        for (let d = 0; d < D; d++) dot += q[query + d] * k[key + d];
        scores[u] = scale * dot;
        if (scores[u] > max) max = scores[u];
      }
      let sum = 0;
      row.fill(0);
      for (let u = 0; u < keys; u++) {
        const value = (u * KVH + kv) * D;
        const e = Math.exp(scores[u] - max);
        sum += e;
        for (let d = 0; d < D; d++) row[d] += e * v[value + d];
      }
      for (let d = 0; d < D; d++) out[query + d] = row[d] / sum;
    }
  }
  return out;
}

/** dOut (B, T, NH, D) and the forward pass's inputs and results -> dq (B, T, NH, D), dk and dv (B, T, KVH, D) */
export function attentionBackward<A extends Vector>(
  given: { readonly q: A; readonly k: A; readonly v: A; readonly out: A; readonly lse: A; readonly dOut: A },
  { B, T, NH, KVH, D }: AttentionShape,
): { dq: A; dk: A; dv: A } {
  const { q, k, v, out, lse, dOut } = given;
  const dq = new Float64Array(B * T * NH * D);
  const dk = new Float64Array(B * T * KVH * D);
  const dv = new Float64Array(B * T * KVH * D);
  const scale = 1 / Math.sqrt(D);
  const group = NH / KVH;
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < NH; h++) {
      const kv = Math.floor(h / group);
      for (let t = 0; t < T; t++) {
        const query = ((b * T + t) * NH + h) * D;
        const logSum = lse[(b * NH + h) * T + t];
        let delta = 0; // Σ_u p dp, which equals dOut·out: known before any p is
        for (let d = 0; d < D; d++) delta += dOut[query + d] * out[query + d];
        for (let u = 0; u <= t; u++) {
          const key = ((b * T + u) * KVH + kv) * D;
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
