// Attention where ranks share the positions of each sequence, and each attends for some of the heads: the ordinary kernels over all positions, and what is
// computed in rows goes from rows to heads and back (Jacobs et al. 2023, DeepSpeed-Ulysses).
//
//   forward    qkv (own rows, all heads)  ->  (all rows, own heads)  ->  attention  ->  y back
//   backward   dy (own rows, all heads)   ->  (all rows, own heads)  ->  attention  ->  dqkv back

import type { MemoryPlan } from "../device/memory.ts";
import { type Recorder, slice, type View } from "../device/plan.ts";
import { attentionBackwardKv, attentionBackwardQ, attentionFlops, attentionForward } from "../kernels/attention.ts";
import { partPut, partTake } from "../kernels/shared-part.ts";
import type { Sizes } from "./buffers.ts";
import type { Context } from "./passes.ts";
import type { Backward, Forward } from "./sequence-passes.ts";

/** What such a rank runs besides. */
export const HEADS_KERNELS = [partTake, partPut] as const;

/** Elements of the largest message between ranks: queries, keys and values of all rows, of one rank's heads. */
export const headsMessageElements = ({ N, QKV }: Sizes, ranks: number): number => (N * QKV) / ranks;

/** What each layer that is not computed again keeps besides: y in heads. */
export const wantHeads = (plan: MemoryPlan, { N, A, half }: Sizes, set: number): void =>
  plan.want(`headsY.${set}`, N * A, "activations", half);

/** y of qkv, and lse by heads; of qkv the heads are left, which the backward pass reads. */
export function recordHeads(plan: Recorder, context: Context, set: number, { qkv, y, lse }: Forward): void {
  const headsY = context.memory.view(`headsY.${set}`);
  exchangeParts(plan, context, "qkv", [qkv, "rows"], [qkv, "heads"]);
  const shape = shapeOf(context);
  plan.add(attentionForward, shape, { qkv, y: headsY, lse }, flopsOf(context));
  exchangeParts(plan, context, "y", [headsY, "heads"], [y, "rows"]);
}

/** dqkv from dy; of dy the heads are left. */
export function recordHeadsBackward(plan: Recorder, context: Context, set: number, views: Backward): void {
  const given = { ...views, y: context.memory.view(`headsY.${set}`) };
  exchangeParts(plan, context, "y", [given.dy, "rows"], [given.dy, "heads"]);
  const [shape, flops] = [shapeOf(context), flopsOf(context)];
  plan.add(attentionBackwardQ, shape, given, 1.5 * flops);
  plan.add(attentionBackwardKv, shape, given, 2 * flops);
  exchangeParts(plan, context, "qkv", [given.dqkv, "heads"], [given.dqkv, "rows"]);
}

const rankOf = ({ sizes: { sequence } }: Context) => {
  if (!sequence) throw new Error("heads are exchanged where sequences are shared");
  return sequence;
};

function shapeOf(context: Context) {
  const { model, sizes } = context;
  const { ranks } = rankOf(context);
  const [heads, kvHeads] = [model.heads / ranks, model.kvHeads / ranks];
  return { T: sizes.T * ranks, heads, kvHeads, scale: 1 / Math.sqrt(sizes.headSize), B: sizes.B };
}

const flopsOf = (context: Context): number => {
  const { B, T, A } = context.sizes;
  const { ranks } = rankOf(context);
  return attentionFlops(B, T * ranks, A / ranks);
};

type Side = "rows" | "heads";

/** Queries, keys and values, or y; and their gradients. Everything is taken before anything is put: both may be one place. */
function exchangeParts(
  plan: Recorder,
  context: Context,
  what: "qkv" | "y",
  [from, side]: [View, Side],
  [to, other]: [View, Side],
): void {
  const { sizes, memory } = context;
  const { N, A, QKV, T } = sizes;
  const { ranks, rank: own } = rankOf(context);
  const width = (what === "qkv" ? QKV : A) / ranks;
  const elements = N * width;
  const [leaving, arrived] = ["leaving", "arrived"].map((name) => slice(memory.view(name), 0, elements));
  const width4 = width / 4;
  const k4 = what === "qkv" ? (QKV - A) / 2 / ranks / 4 : 0;
  const shape = (side: Side, i: number) => ({
    ...{ rows: N, T, width4, k4 },
    // Of rows each rank gets its heads of all of them; of heads all of the rows that it has.
    ...(side === "rows" ? { ranks: 1, rank: 0, groups: ranks, group: i } : { ranks, rank: i, groups: 1, group: 0 }),
  });
  const take = (i: number, part: View) => plan.add(partTake, shape(side, i), { whole: from, part });
  const put = (i: number) => plan.add(partPut, shape(other, i), { part: arrived, whole: to });
  const others = Array.from({ length: ranks - 1 }, (_, i) => (own + 1 + i) % ranks);
  for (const rank of others) {
    take(rank, leaving);
    plan.exchange({ send: leaving, sequences: 1, ranks: [{ rank, elements }] });
  }
  take(own, arrived);
  put(own);
  for (const rank of others.toReversed()) {
    plan.exchange({ receive: arrived, rank });
    put(rank);
  }
}
