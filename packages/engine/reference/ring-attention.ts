// Causal attention of sequences whose positions several ranks share: each keeps its queries, and sees the others' keys and values a block at a time.
//
//   forward    (out, lse) of each block, merged:   lse = ln(e^a + e^b),   out = e^(a − lse) out_a + e^(b − lse) out_b
//   backward   each block from (q, k, v, out, lse, dOut), where out and lse are the merged ones; dk and dv go back to the block's owner and add up there
//
// Liu, Zaharia and Abbeel, "Ring Attention with Blockwise Transformers", 2023. The cut is island/zig-zag.ts; masks by position, so that it is judged too.
import { positionsOf, rowsOfRank } from "../island/zig-zag.ts";
import { type AttentionShape, attentionBlockBackward, attentionBlockForward, type BlockShape } from "./attention.ts";
import { addInPlace, type Vector, zeros } from "./vector.ts";

interface Attended<A extends Vector> {
  readonly out: A; // (B, M, NH, D)
  readonly lse: A; // (B, NH, M)
}

/** Attention over the keys of both; of a query that saw nothing in one of them, the other's. */
export function mergeAttention<A extends Vector>(
  a: Attended<A>,
  b: Attended<A>,
  { B, M, NH, D }: Pick<BlockShape, "B" | "M" | "NH" | "D">,
): Attended<A> {
  const out = zeros(a.out, a.out.length);
  const lse = zeros(a.lse, a.lse.length);
  for (let sequence = 0; sequence < B; sequence++)
    for (let h = 0; h < NH; h++)
      for (let m = 0; m < M; m++) {
        const statistic = (sequence * NH + h) * M + m;
        const row = ((sequence * M + m) * NH + h) * D;
        const max = Math.max(a.lse[statistic], b.lse[statistic]);
        const sum =
          max === Number.NEGATIVE_INFINITY
            ? max
            : max + Math.log(Math.exp(a.lse[statistic] - max) + Math.exp(b.lse[statistic] - max));
        lse[statistic] = sum;
        if (sum === Number.NEGATIVE_INFINITY) continue;
        const [p, r] = [Math.exp(a.lse[statistic] - sum), Math.exp(b.lse[statistic] - sum)];
        for (let d = 0; d < D; d++) out[row + d] = p * a.out[row + d] + r * b.out[row + d];
      }
  return { out, lse };
}

/** The same as attentionForward of the whole, by ranks. */
export function ringAttentionForward<A extends Vector>(
  { q, k, v }: { readonly q: A; readonly k: A; readonly v: A },
  shape: AttentionShape,
  ranks: number,
): Attended<A> {
  const { B, T, NH, KVH, D } = shape;
  const [out, lse] = [zeros(q, q.length), zeros(q, B * NH * T)];
  for (const own of chunksOf(shape, ranks)) {
    const queries = { q: rowsAt(q, own, B, T, NH * D) };
    let attended: Attended<A> | undefined;
    for (const other of chunksOf(shape, ranks)) {
      const keys = { k: rowsAt(k, other, B, T, KVH * D), v: rowsAt(v, other, B, T, KVH * D) };
      const block = attentionBlockForward({ ...queries, ...keys }, blockOf(shape, own, other));
      attended = attended ? mergeAttention(attended, block, blockOf(shape, own, other)) : block;
    }
    addRows(out, attended!.out, own, B, T, NH * D);
    addRows(lse, attended!.lse, own, B * NH, T, 1);
  }
  return { out, lse };
}

/** The same as attentionBackward of the whole, by ranks. */
export function ringAttentionBackward<A extends Vector>(
  given: { readonly q: A; readonly k: A; readonly v: A; readonly out: A; readonly lse: A; readonly dOut: A },
  shape: AttentionShape,
  ranks: number,
): { dq: A; dk: A; dv: A } {
  const { B, T, NH, KVH, D } = shape;
  const [dq, dk, dv] = [given.q, given.k, given.v].map((x) => zeros(x, x.length));
  for (const own of chunksOf(shape, ranks)) {
    const at = (x: A): A => rowsAt(x, own, B, T, NH * D);
    const queries = {
      q: at(given.q),
      out: at(given.out),
      dOut: at(given.dOut),
      lse: rowsAt(given.lse, own, B * NH, T, 1),
    };
    for (const other of chunksOf(shape, ranks)) {
      const keys = { k: rowsAt(given.k, other, B, T, KVH * D), v: rowsAt(given.v, other, B, T, KVH * D) };
      const block = attentionBlockBackward({ ...queries, ...keys }, blockOf(shape, own, other));
      addRows(dq, block.dq, own, B, T, NH * D);
      addRows(dk, block.dk, other, B, T, KVH * D);
      addRows(dv, block.dv, other, B, T, KVH * D);
    }
  }
  return { dq, dk, dv };
}

/** Neighbouring positions that one rank holds. */
interface Chunk {
  readonly from: number;
  readonly length: number;
}

/** Both chunks of every rank, rank by rank: the order in which blocks are merged. */
function chunksOf({ T }: AttentionShape, ranks: number): Chunk[] {
  const length = rowsOfRank(T, ranks) / 2;
  return Array.from({ length: ranks }, (_, rank) => positionsOf(T, ranks, rank)).flatMap((positions) => [
    { from: positions[0], length },
    { from: positions[length], length },
  ]);
}

const blockOf = ({ T: _, ...shape }: AttentionShape, queries: Chunk, keys: Chunk): BlockShape => ({
  ...shape,
  ...{ M: queries.length, U: keys.length, queriesAt: queries.from, keysAt: keys.from },
});

/** x (sequences, T, width) -> (sequences, chunk, width) */
function rowsAt<A extends Vector>(x: A, { from, length }: Chunk, sequences: number, T: number, width: number): A {
  const part = zeros(x, sequences * length * width);
  for (let s = 0; s < sequences; s++)
    part.set(x.subarray((s * T + from) * width, (s * T + from + length) * width), s * length * width);
  return part;
}

/** x (sequences, T, width) += part (sequences, chunk, width) */
function addRows<A extends Vector>(
  x: A,
  part: A,
  { from, length }: Chunk,
  sequences: number,
  T: number,
  width: number,
): void {
  for (let s = 0; s < sequences; s++)
    addInPlace(
      x.subarray((s * T + from) * width, (s * T + from + length) * width),
      part.subarray(s * length * width, (s + 1) * length * width),
    );
}
