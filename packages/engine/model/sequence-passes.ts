// Attention where several ranks share the positions of each sequence (island/zig-zag.ts): recorded like ordinary attention, with keys, values and their
// gradients going straight from each rank to each that needs them.
//
//   forward    own K, V -> who sees them;   own block;   for each other rank: its K, V  ->  attention goes on
//   backward   the same, and dK, dV of its keys -> back to it;   for each other rank: dK, dV of ours -> added
//
// Straight and not hop by hop round a ring, because members have links to each other anyway and causality leaves less to say: a rank that sees another's early
// chunk alone is not sent the late one, and dK, dV travel once and not along with what makes them. Of K and V that a rank holds, (P − 1) leave it each layer on
// a ring forward and 2P − 1 backward, gradients being as large; straight at most P − 1 and 3 (P − 1) / 2. Both directions of all links are in use.
// Where members have heads enough, and keys as many as queries, each attends for some of the heads instead (heads-passes.ts): fewer bytes.
// To send queries and return (y, lse) instead (TokenRing) is as much where every head has its own keys, and more where heads share them.
import type { MemoryPlan } from "../device/memory.ts";
import { type Recorder, slice, type View } from "../device/plan.ts";
import { sightOf } from "../island/zig-zag.ts";
import { attentionBackwardKv, attentionBackwardQ, attentionFlops, attentionForward } from "../kernels/attention.ts";
import {
  attentionBlockBackwardKv,
  attentionBlockBackwardQ,
  attentionBlockFlops,
  attentionBlockForward,
  keysAdd,
  keysTake,
} from "../kernels/attention-block.ts";
import type { Sizes } from "./buffers.ts";
import { HEADS_KERNELS, headsMessageElements, recordHeads, recordHeadsBackward } from "./heads-passes.ts";
import type { Context } from "./passes.ts";

/** What a rank that shares sequences runs besides. */
export const SEQUENCE_KERNELS = [
  ...[attentionBlockForward, attentionBlockBackwardQ, attentionBlockBackwardKv],
  ...[keysTake, keysAdd],
  ...HEADS_KERNELS,
] as const;

/** Columns of keys and values together. */
const keyWidth = ({ QKV, A }: Sizes): number => QKV - A;

/** Elements of the largest message between ranks. */
export const messageElements = (sizes: Sizes): number =>
  sizes.sequence?.by === "heads" ? headsMessageElements(sizes, sizes.sequence.ranks) : keysElements(sizes);

/** Keys and values of all rows, or their gradients. */
const keysElements = (sizes: Sizes): number => sizes.N * keyWidth(sizes);

/** What leaves, and what has arrived: one message each. */
export function wantMessages(plan: MemoryPlan, sizes: Sizes): void {
  for (const name of ["leaving", "arrived"]) plan.want(name, messageElements(sizes), "scratch", sizes.half);
}

export type Forward = Readonly<Record<"qkv" | "y" | "lse", View>>;
export type Backward = Forward & Readonly<Record<"dy" | "dqkv" | "delta", View>>;

/** y and lse of qkv. @param set of activations */
export function recordAttention(plan: Recorder, context: Context, set: number, views: Forward): void {
  const { B, T, A } = context.sizes;
  if (context.sizes.sequence?.by === "heads") return recordHeads(plan, context, set, views);
  if (context.sizes.sequence) shareKeys(plan, context, views.qkv);
  plan.add(attentionForward, attentionShape(context), views, attentionFlops(B, T, A));
  for (const { rank, kv, block, flops } of othersOf(context)) {
    plan.exchange({ receive: kv, rank });
    plan.add(attentionBlockForward, block, { ...views, kv }, flops);
  }
}

/** dqkv from dy. */
export function recordAttentionBackward(plan: Recorder, context: Context, set: number, views: Backward): void {
  const { B, T, A, QKV } = context.sizes;
  if (context.sizes.sequence?.by === "heads") return recordHeadsBackward(plan, context, set, views);
  const shape = attentionShape(context);
  const ordinary = attentionFlops(B, T, A);
  if (context.sizes.sequence) shareKeys(plan, context, views.qkv);
  plan.add(attentionBackwardQ, shape, views, 1.5 * ordinary);
  plan.add(attentionBackwardKv, shape, views, 2 * ordinary);
  const others = othersOf(context);
  for (const { rank, kv, dkv, block, flops } of others) {
    plan.exchange({ receive: kv, rank });
    plan.add(attentionBlockBackwardQ, block, { ...views, kv }, 1.5 * flops);
    plan.add(attentionBlockBackwardKv, block, { ...views, kv, dkv }, 2 * flops);
    plan.exchange({ send: dkv, sequences: B, ranks: [{ rank, elements: dkv.length / B }] });
  }
  for (const { rank, seen, dSeen } of others.toReversed()) {
    plan.exchange({ receive: dSeen, rank });
    const added = { rows: B * seen, stride4: QKV / 4, width4: keyWidth(context.sizes) / 4, keys: seen, T };
    plan.add(keysAdd, added, { dkv: dSeen, dqkv: views.dqkv });
  }
}

function attentionShape({ model, sizes }: Context) {
  const { T, B, headSize } = sizes;
  return { T, heads: model.heads, kvHeads: model.kvHeads, scale: 1 / Math.sqrt(headSize), B };
}

/** Keys and values of qkv to each rank that sees them. */
function shareKeys(plan: Recorder, context: Context, qkv: View): void {
  const { sizes, memory } = context;
  const { N, B, QKV } = sizes;
  const leaving = slice(memory.view("leaving"), 0, keysElements(sizes));
  plan.add(keysTake, { rows: N, stride4: QKV / 4, width4: keyWidth(sizes) / 4 }, { qkv, kv: leaving });
  const seen = othersOf(context).map(({ rank, dSeen }) => ({ rank, elements: dSeen.length / B }));
  plan.exchange({ send: leaving, sequences: B, ranks: seen.toReversed() });
}

interface Other {
  readonly rank: number;
  readonly block: ReturnType<typeof attentionShape> & Readonly<Record<"first" | "queries" | "keys", number>>;
  readonly flops: number;
  readonly kv: View; //    its keys that we see
  readonly dkv: View; //   their gradient
  readonly seen: number; // rows of each sequence of our keys that it sees
  readonly dSeen: View; // their gradient
}

/** The other ranks, from the next lower one on: whoever sends begins with the next higher one. */
function othersOf(context: Context): Other[] {
  const { sizes, memory } = context;
  const { B, T, A, sequence } = sizes;
  if (!sequence) return [];
  const { ranks, rank } = sequence;
  const width = keyWidth(sizes);
  return Array.from({ length: ranks - 1 }, (_, i) => {
    const other = (rank - 1 - i + ranks) % ranks;
    const { queries, keys } = sightOf(T, rank, other);
    const seen = sightOf(T, other, rank).keys.rows;
    return {
      rank: other,
      block: { ...attentionShape(context), first: queries.from, queries: queries.rows, keys: keys.rows },
      flops: attentionBlockFlops(B, queries.rows, keys.rows, A),
      kv: slice(memory.view("arrived"), 0, B * keys.rows * width),
      dkv: slice(memory.view("leaving"), 0, B * keys.rows * width),
      seen,
      dSeen: slice(memory.view("arrived"), 0, B * seen * width),
    };
  });
}
