// Where each tensor lies in the engine's own flat vectors (weights, gradient, both moments), and the way from and to the swarm's order.
//
//   [ embed (V padded to 4, C) | head? | per layer: qkv (A+2KV, C) · o (C, A) · gateUp (2F, C) · down (C, F) | norms (2L+1, stride) ]
//
// A, the width of all heads, is C; a rank of an island has fewer heads.
//
// q, k and v are adjacent, and so are gate and up: one matrix product each. Matrices come first, because only they decay. Each tensor starts
// where a binding may start, of these vectors and of a copy in f16.
import { headSizeOf, parameterTable, type RankShape } from "#outer";
import { alignFloats } from "../device/plan.ts";

export interface Range {
  readonly offset: number; // floats
  readonly length: number;
}

interface LayerLayout {
  readonly qkv: Range;
  readonly o: Range;
  readonly gateUp: Range;
  readonly down: Range;
}

/** A flat vector of the engine's, and where the swarm's keeps the same numbers. */
export interface FlatLayout {
  readonly matrices: number; // floats before the norms: what decays
  readonly length: number;
  readonly places: readonly Place[];
  readonly parameters: number; // floats of the swarm's
}

export interface Layout extends FlatLayout {
  readonly embed: Range;
  readonly head: Range; // the same range as embed when tied
  readonly layers: readonly LayerLayout[];
  /** Norm weights: 2l before attention, 2l+1 before the feed-forward, 2L the last one. */
  readonly norms: Range;
  readonly normStride: number;
  /** Rows of logits and embedding, a multiple of 4; the added rows stay zero. */
  readonly paddedVocab: number;
}

/** Rows of `length` floats: one behind the other in the swarm's vector, `stride` apart in the engine's. */
export interface Place {
  readonly from: number; // in the swarm's flat vector
  readonly to: number; //   in the engine's
  readonly length: number;
  readonly rows?: number; // absent: one
  readonly stride?: number;
}

function* rowsOf({ from, to, length, rows = 1, stride = 0 }: Place): Generator<Range & { readonly to: number }> {
  for (let row = 0; row < rows; row++) yield { offset: from + row * length, to: to + row * stride, length };
}

export function layoutOf(model: RankShape): Layout {
  const { vocabSize: V, dModel: C, layers: L, heads, kvHeads, dFfn: F } = model;
  const [A, KV] = [heads, kvHeads].map((count) => count * headSizeOf(model));
  const paddedVocab = Math.ceil(V / 4) * 4;
  let length = 0;
  const take = (floats: number): Range => {
    const range = { offset: length, length: floats };
    length += 2 * alignFloats(floats / 2);
    return range;
  };
  const { first, last } = model.stage ?? { first: true, last: true };
  const embed = take(first || (last && model.tiedEmbedding) ? paddedVocab * C : 0);
  const head = model.tiedEmbedding ? embed : take(last ? paddedVocab * C : 0);
  const layers = Array.from({ length: L }, () => ({
    qkv: take((A + 2 * KV) * C),
    o: take(C * A),
    gateUp: take(2 * F * C),
    down: take(C * F),
  }));
  const matrices = length;
  const normStride = alignFloats(C);
  const norms = take((2 * L + 1) * normStride);

  const table = parameterTable(model);
  const offsetByName = new Map<string, number>([
    ["model.embed_tokens.weight", embed.offset],
    ["lm_head.weight", head.offset],
    ["model.norm.weight", norms.offset + 2 * L * normStride],
  ]);
  layers.forEach((layer, l) => {
    const name = (part: string): string => `model.layers.${l}.${part}.weight`;
    offsetByName.set(name("input_layernorm"), norms.offset + 2 * l * normStride);
    offsetByName.set(name("self_attn.q_proj"), layer.qkv.offset);
    offsetByName.set(name("self_attn.k_proj"), layer.qkv.offset + A * C);
    offsetByName.set(name("self_attn.v_proj"), layer.qkv.offset + (A + KV) * C);
    offsetByName.set(name("self_attn.o_proj"), layer.o.offset);
    offsetByName.set(name("post_attention_layernorm"), norms.offset + (2 * l + 1) * normStride);
    offsetByName.set(name("mlp.gate_proj"), layer.gateUp.offset);
    offsetByName.set(name("mlp.up_proj"), layer.gateUp.offset + F * C);
    offsetByName.set(name("mlp.down_proj"), layer.down.offset);
  });
  const places = table.tensors.map((tensor) => {
    const to = offsetByName.get(tensor.name);
    if (to === undefined) throw new Error(`the engine has no place for "${tensor.name}"`);
    return { from: tensor.offset, to, length: tensor.length };
  });
  return { embed, head, layers, norms, normStride, matrices, length, paddedVocab, places, parameters: table.length };
}

/** Extents of the tensors of one microbatch, on either backend. */
export interface Extents {
  readonly B: number;
  readonly T: number;
  readonly N: number; //       rows: B·T
  readonly C: number;
  readonly A: number; //       columns of all heads
  readonly F: number;
  readonly V: number; //       padded
  readonly QKV: number; //     columns of q, k and v together
  readonly headSize: number;
}

export function extentsOf(model: RankShape, microbatch: number, { paddedVocab: V }: Layout): Extents {
  const { dModel: C, dFfn: F, heads, kvHeads, contextLength: T } = model;
  const headSize = headSizeOf(model);
  const A = heads * headSize;
  return { B: microbatch, T, N: microbatch * T, C, A, F, V, QKV: A + 2 * kvHeads * headSize, headSize };
}

/** The swarm's order -> the engine's; padding is zero. */
export function toEngine(layout: FlatLayout, flat: Float32Array): Float32Array<ArrayBuffer> {
  const own = new Float32Array(layout.length);
  for (const place of layout.places)
    for (const { offset, to, length } of rowsOf(place)) own.set(flat.subarray(offset, offset + length), to);
  return own;
}

/** The engine's order -> the swarm's: what `piece`, the engine's vector from float `from` on, holds of it. */
export function takeFromEngine(layout: FlatLayout, piece: Float32Array, from: number, flat: Float32Array): void {
  for (const place of layout.places)
    for (const { offset, to, length } of rowsOf(place)) {
      const start = Math.max(to, from);
      const end = Math.min(to + length, from + piece.length);
      if (start < end) flat.set(piece.subarray(start - from, end - from), offset + start - to);
    }
}
