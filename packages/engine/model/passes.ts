// The model as recorded dispatches: forward, loss, backward, of a microbatch; step-passes.ts has what comes once a step. Names of tensors are those of model/buffers.ts, which says what shares a place.
//
//   x = embed[ids];   per layer: y1 = norm(x); x += attention(y1) Woᵀ; y2 = norm(x); x += swiglu(y2) Wdᵀ;   logits = norm(x) headᵀ
//
// With a ladder residual each += is by the norm one block later, forward and backward: what is added may still be crossing meanwhile (reference/stream.ts).
import type { RankShape } from "#outer";
import type { Memory } from "../device/memory.ts";
import { ALIGN_FLOATS, alignFloats, elementBytes, type Recorder, slice, type View } from "../device/plan.ts";
import { attentionBackwardKv, attentionBackwardQ, attentionForward } from "../kernels/attention.ts";
import { crossEntropy } from "../kernels/cross-entropy.ts";
import { embeddingBackward, embeddingForward } from "../kernels/embedding.ts";
import { matmulFlops, matmulNn, matmulNt, matmulTn } from "../kernels/matmul.ts";
import {
  allReduceNormBackward,
  allReduceNormForward,
  gammaBlocks,
  rmsnormBackward,
  rmsnormForward,
  rmsnormGammaSum,
} from "../kernels/rmsnorm.ts";
import { rope } from "../kernels/rope.ts";
import { encodeShard } from "../kernels/shard.ts";
import { swigluBackward, swigluForward } from "../kernels/swiglu.ts";
import { adapterBackward } from "./adapter-passes.ts";
import type { AdapterLayout, Matrix } from "./adapters.ts";
import { activationOf, alignedRows, type Block, isFirst, isLast, ofBlock, type Sizes, setOf } from "./buffers.ts";
import type { Layout, Range } from "./layout.ts";
import { recordAttention, recordAttentionBackward } from "./sequence-passes.ts";
import { STEP_KERNELS } from "./step-passes.ts";

export const ALL_KERNELS = [
  ...[embeddingForward, embeddingBackward, rmsnormForward, rmsnormBackward, rmsnormGammaSum],
  ...[matmulNt, matmulNn, matmulTn, rope, attentionForward, attentionBackwardQ, attentionBackwardKv],
  ...[swigluForward, swigluBackward, crossEntropy],
  ...STEP_KERNELS,
] as const;

/** What a stage runs besides. */
export const STAGE_KERNELS = [encodeShard] as const;

/** What a rank of an island runs besides. */
export const ISLAND_KERNELS = [encodeShard, allReduceNormForward, allReduceNormBackward] as const;

export interface Context {
  readonly model: RankShape;
  readonly layout: Layout;
  readonly adapters: AdapterLayout | undefined;
  readonly sizes: Sizes;
  readonly memory: Memory;
}

/** Replayed for every microbatch; each that is in flight has its own. */
export const microbatchPassesOf = (context: Context) => ({
  train: (plan: Recorder): void => {
    recordForward(plan, context);
    recordLoss(plan, context, true);
    recordBackward(plan, context);
  },
  evaluate: (plan: Recorder): void => {
    recordForward(plan, context);
    recordLoss(plan, context, false);
  },
});
export type MicrobatchPass = keyof ReturnType<typeof microbatchPassesOf>;

/** The same of a stage: other microbatches come between a microbatch's two halves. */
export const stagePassesOf = (context: Context) => ({
  forward: (plan: Recorder): void => {
    recordForward(plan, context);
    if (isLast(context.sizes)) recordLoss(plan, context, true);
  },
  backward: (plan: Recorder): void => recordBackward(plan, context),
  evaluate: (plan: Recorder): void => {
    recordForward(plan, context);
    if (isLast(context.sizes)) recordLoss(plan, context, false);
  },
});

/** A matrix as products read it. */
const weight = ({ memory, sizes }: Context, { offset, length }: Range): View =>
  slice(memory.view(sizes.half ? "weights" : "parameters"), offset, length);
const parameter = ({ memory }: Context, { offset, length }: Range): View =>
  slice(memory.view("parameters"), offset, length);
const gradient = ({ memory }: Context, { offset, length }: Range): View =>
  slice(memory.view("gradient"), offset, length);
const normRange = ({ layout, sizes }: Context, index: number): Range => ({
  offset: layout.norms.offset + index * layout.normStride,
  length: sizes.C,
});

/** Blocks of rows, so that `width` elements a row fit one binding: one block wherever they can. */
function eachBlock(
  { N, half, bindingFloats }: Sizes,
  width: number,
  record: (first: number, rows: number) => void,
): void {
  const elements = (bindingFloats * 4) / elementBytes({ half });
  const block = alignedRows(Math.min(N + ALIGN_FLOATS, elements / width));
  for (let first = 0; first < N; first += block) record(first, Math.min(block, N - first));
}

/** y (N, out) = x (N, in) Wᵀ */
function linear(plan: Recorder, { sizes }: Context, x: View, w: View, y: View, out: number, into: number): void {
  eachBlock(sizes, Math.max(out, into), (first, M) => {
    const [a, c] = [slice(x, first * into, M * into), slice(y, first * out, M * out)];
    plan.add(matmulNt, { M, N: out, K: into }, { a, b: w, c }, matmulFlops({ M, N: out, K: into }));
  });
}

interface LinearGradient {
  readonly dy: View;
  readonly x: View;
  readonly w: View;
  /** Undefined: the weight is not trained. */
  readonly dw: View | undefined;
  readonly dx: View; // may be where x is: dW was the last to read it
}

/** dW (out, in) += dyᵀ x, then dx (rows, in) = dy (rows, out) W. */
function linearBackward(
  plan: Recorder,
  { dy, x, w, dw, dx }: LinearGradient,
  rows: number,
  out: number,
  into: number,
): void {
  const flops = matmulFlops({ M: out, N: into, K: rows });
  if (dw) plan.add(matmulTn, { M: out, N: into, K: rows }, { a: dy, b: x, c: dw }, flops);
  plan.add(matmulNn, { M: rows, N: into, K: out }, { a: dy, b: w, c: dx }, flops);
}

function ropeShape({ model, sizes }: Context, direction: 1 | -1) {
  const { N, T, QKV, headSize } = sizes;
  return { rows: N, T, stride: QKV, turned: model.heads + model.kvHeads, half: headSize / 2, direction };
}

/** The fused norm: x = residual (+ what a block gave), y and rstd of x. @param added whose; undefined: nobody's */
function norm(
  plan: Recorder,
  context: Context,
  index: number,
  added: Block | undefined,
  residual: View,
  [x, y, rstd]: View[],
): void {
  const { model, sizes, memory } = context;
  const gamma = parameter(context, normRange(context, index));
  if (added && sizes.island?.exchange === "int8") {
    const shards = memory.view(ofBlock(sizes, "shards", added));
    const shape = { rows: sizes.N, C: sizes.C, K: 0, eps: model.normEps, shards: sizes.island.shards };
    const views = { partials: residual, residual, gamma, residualOut: x, y, rstd, shards };
    plan.add(allReduceNormForward, shape, views, (8 + 2 * shape.shards) * sizes.N * sizes.C);
    return;
  }
  const partials = added ? memory.view(ofBlock(sizes, "dy", added)) : residual;
  const shape = { rows: sizes.N, C: sizes.C, K: added ? 1 : 0, eps: model.normEps };
  plan.add(rmsnormForward, shape, { partials, residual, gamma, residualOut: x, y, rstd }, 8 * sizes.N * sizes.C);
}

interface Sum {
  readonly block: Block;
  /** Whether this rank has a part of it: without heads it has none of attention's. */
  readonly has: boolean;
  /** Whether the next block begins before it is there. */
  readonly late: boolean;
}

/**
 * A block is done, forward or backward, and dy, of a rank its part of a sum, goes to the others. Exact, the sum takes its place; in int8 `shards` holds what the
 * norm that reads it adds up, the rank's own part as the others have it too: so everybody has the same bits.
 */
function blockDone(plan: Recorder, { sizes, memory }: Context, { block, has, late }: Sum): void {
  if (!sizes.island) return;
  const dy = slice(memory.view(ofBlock(sizes, "dy", block)), 0, sizes.N * sizes.C);
  if (sizes.island.exchange === "f32") return plan.exchange({ from: has ? dy : undefined, to: dy, late });
  const outgoing = memory.view("outgoing");
  const vectors = dy.length / 4;
  if (has) plan.add(encodeShard, { vectors }, { x: dy, shard: outgoing }, 4 * dy.length);
  plan.exchange({ from: has ? outgoing : undefined, to: memory.view(ofBlock(sizes, "shards", block)), late });
}

function recordForward(plan: Recorder, context: Context): void {
  const { model, layout, sizes, memory } = context;
  const { N, C, A, F } = sizes;
  const at = (name: string): View => memory.view(name);
  if (isFirst(sizes)) {
    const weight = parameter(context, layout.embed);
    plan.add(embeddingForward, { rows: N, C }, { ids: at("ids"), weight, y: at("dx") });
  }
  let stream = at("dx");
  layout.layers.forEach((w, l) => {
    const own = (name: string): View => at(activationOf(sizes, name, l));
    const before = sizes.ladder ? "attention" : "feed-forward";
    norm(plan, context, 2 * l, l === 0 ? undefined : before, stream, [own("x1"), own("y1"), own("rstd1")]);
    recordAttended(plan, context, l);
    if (A > 0) linear(plan, context, own("attended"), weight(context, w.o), at("dy"), C, A);
    blockDone(plan, context, { block: "attention", has: A > 0, late: sizes.ladder });
    const between = !sizes.ladder ? "attention" : l === 0 ? undefined : "feed-forward";
    norm(plan, context, 2 * l + 1, between, own("x1"), [own("x2"), own("y2"), own("rstd2")]);
    recordHidden(plan, context, l);
    linear(plan, context, own("h"), weight(context, w.down), at(ofBlock(sizes, "dy", "feed-forward")), C, F);
    blockDone(plan, context, { block: "feed-forward", has: true, late: sizes.ladder && l < model.layers - 1 });
    stream = own("x2");
  });
  const last = [at("yLast"), at("rstdLast")];
  if (sizes.ladder) {
    norm(plan, context, 2 * model.layers, "attention", stream, [at("dx"), ...last]); // for its sum alone
    stream = at("dx");
  }
  norm(plan, context, 2 * model.layers, "feed-forward", stream, [at("xLast"), ...last]);
  if (!isLast(sizes)) recordLeaving(plan, context, "xLast");
}

/** What a stage gives to the next one (or, of a gradient, to the one before): in int8 it is coded here. */
function recordLeaving(plan: Recorder, { sizes, memory }: Context, name: "xLast" | "dx"): void {
  if (sizes.stage?.exchange !== "int8") return;
  const x = slice(memory.view(name), 0, sizes.N * sizes.C);
  plan.add(encodeShard, { vectors: x.length / 4 }, { x, shard: memory.view("outgoing") }, 4 * x.length);
}

/** From y1 to what the heads saw. */
function recordAttended(plan: Recorder, context: Context, l: number): void {
  const { layout, sizes, memory } = context;
  const { C, A, QKV } = sizes;
  if (A === 0) return;
  const own = (name: string): View => memory.view(activationOf(sizes, name, l));
  linear(plan, context, own("y1"), weight(context, layout.layers[l].qkv), own("qkv"), QKV, C);
  const tables = { cosines: memory.view("cosines"), sines: memory.view("sines") };
  plan.add(rope, ropeShape(context, 1), { ...tables, qkv: own("qkv") });
  recordAttention(plan, context, setOf(sizes, l), { qkv: own("qkv"), y: own("attended"), lse: own("lse") });
}

/** From y2 to h. */
function recordHidden(plan: Recorder, context: Context, l: number): void {
  const { layout, sizes, memory } = context;
  const { N, C, F } = sizes;
  const own = (name: string): View => memory.view(activationOf(sizes, name, l));
  const gateUp = slice(own("gateUp"), 0, N * 2 * F);
  linear(plan, context, own("y2"), weight(context, layout.layers[l].gateUp), gateUp, 2 * F, C);
  eachBlock(sizes, 2 * F, (first, rows) => {
    const views = { gateUp: slice(gateUp, first * 2 * F, rows * 2 * F), h: slice(own("h"), first * F, rows * F) };
    plan.add(swigluForward, { rows, F }, views, 8 * rows * F);
  });
}

/**
 * The activations of a layer again, the same bits, from the x1 that was kept; with a ladder x2 was kept too, which no block of the layer has a part in, and nothing
 * is exchanged again. The feed-forward's dy is free: its norm has read it.
 */
function recomputeLayer(plan: Recorder, context: Context, l: number): void {
  const { layout, sizes, memory } = context;
  const own = (name: string): View => memory.view(activationOf(sizes, name, l));
  const free = memory.view(ofBlock(sizes, "dy", "feed-forward"));
  norm(plan, context, 2 * l, undefined, own("x1"), [free, own("y1"), own("rstd1")]); // x1 once more, of no use
  recordAttended(plan, context, l);
  if (sizes.ladder) norm(plan, context, 2 * l + 1, undefined, own("x2"), [free, own("y2"), own("rstd2")]);
  else {
    const has = sizes.A > 0;
    if (has) linear(plan, context, own("attended"), weight(context, layout.layers[l].o), free, sizes.C, sizes.A);
    blockDone(plan, context, { block: "attention", has, late: false });
    norm(plan, context, 2 * l + 1, "attention", own("x1"), [own("x2"), own("y2"), own("rstd2")]);
  }
  recordHidden(plan, context, l);
}

/** Logits and loss in chunks of rows; with `train`, the gradients of the head and of yLast (into dy) too. */
function recordLoss(plan: Recorder, context: Context, train: boolean): void {
  const { model, layout, sizes, memory } = context;
  const { N, C, V, chunkRows } = sizes;
  const head = weight(context, layout.head);
  for (let firstRow = 0; firstRow < N; firstRow += chunkRows) {
    const rows = Math.min(chunkRows, N - firstRow);
    const y = slice(memory.view("yLast"), firstRow * C, rows * C);
    const logits = slice(memory.view("logits"), 0, rows * V);
    plan.add(matmulNt, { M: rows, N: V, K: C }, { a: y, b: head, c: logits }, matmulFlops({ M: rows, N: V, K: C }));
    plan.add(
      crossEntropy,
      { rows, V: model.vocabSize, firstRow },
      {
        step: memory.view("step"),
        targets: slice(memory.view("targets"), firstRow, rows),
        logits,
        losses: slice(memory.view("losses"), firstRow, rows),
        scaling: memory.view("scaling"),
      },
      20 * rows * V,
    );
    if (!train) continue;
    const dx = slice(memory.view("dy"), firstRow * C, rows * C);
    const dw = context.adapters ? undefined : gradient(context, layout.head);
    linearBackward(plan, { dy: logits, x: y, w: head, dw, dx }, rows, V, C);
  }
}

function recordBackward(plan: Recorder, context: Context): void {
  const { model, layout, sizes, memory } = context;
  const { N, C, A, F, QKV } = sizes;
  const L = model.layers;
  const at = (name: string): View => memory.view(name);
  const blocks = gammaBlocks(N);
  /** @param summed whose gradient, a sum over an island's ranks, dy is; undefined: the head's, which everybody has */
  const normBackward = (index: number, [x, rstd]: readonly View[], summed: Block | undefined): void => {
    const partials = slice(at("gammaPartials"), index * alignFloats(blocks * C), blocks * C);
    const gamma = parameter(context, normRange(context, index));
    const dy = at(ofBlock(sizes, "dy", summed ?? "attention"));
    const views = { dy, x, rstd, gamma, dx: at("dx"), partials };
    const accumulate = summed ? 1 : 0;
    if (summed && sizes.island?.exchange === "int8") {
      const { shards } = sizes.island;
      const shape = { rows: N, C, accumulate, K: 0, shards };
      const all = { ...views, shards: at(ofBlock(sizes, "shards", summed)) };
      plan.add(allReduceNormBackward, shape, all, (11 + 2 * shards) * N * C);
      return;
    }
    plan.add(rmsnormBackward, { rows: N, C, accumulate }, views, 11 * N * C);
  };
  /** Norms whose turn has not come: with a ladder it does when the block before theirs has read dx, which they change. */
  const waiting: (() => void)[] = [];
  const done = (sum: Sum, norm: number, x: readonly View[]): void => {
    blockDone(plan, context, sum);
    waiting.push(() => normBackward(norm, x, sum.block));
    if (waiting.length > (sizes.ladder ? 1 : 0)) waiting.shift()?.();
  };

  if (isLast(sizes)) normBackward(2 * L, [at("xLast"), at("rstdLast")], undefined);
  for (let l = L - 1; l >= 0; l--) {
    if (l < sizes.recomputedLayers) recomputeLayer(plan, context, l);
    const w = layout.layers[l];
    const own = (name: string): View => at(activationOf(sizes, name, l));
    const back = (matrix: Matrix, dy: View, x: View, dx: View, out: number, into: number): void =>
      eachBlock(sizes, Math.max(out, into), (first, rows) => {
        const block = (view: View, width: number): View => slice(view, first * width, rows * width);
        const given = { dy: block(dy, out), x: block(x, into) };
        const adapter = context.adapters?.layers[l][matrix];
        if (adapter) adapterBackward(plan, context, adapter, given, rows);
        const dw = context.adapters ? undefined : gradient(context, w[matrix]);
        linearBackward(plan, { ...given, w: weight(context, w[matrix]), dw, dx: block(dx, into) }, rows, out, into);
      });
    back("down", at("dx"), own("h"), own("h"), C, F); // h becomes dh
    const gateUp = slice(own("gateUp"), 0, N * 2 * F);
    eachBlock(sizes, 2 * F, (first, rows) => {
      const views = { gateUp: slice(gateUp, first * 2 * F, rows * 2 * F), dh: slice(own("h"), first * F, rows * F) };
      plan.add(swigluBackward, { rows, F }, views, 12 * rows * F);
    });
    back("gateUp", gateUp, own("y2"), at(ofBlock(sizes, "dy", "feed-forward")), 2 * F, C);
    const { ladder } = sizes;
    done({ block: "feed-forward", has: true, late: ladder }, 2 * l + 1, [own("x2"), own("rstd2")]);

    if (A > 0) {
      back("o", at("dx"), own("attended"), at("dy"), C, A);
      const dqkv = slice(own("gateUp"), 0, N * QKV); // whose own gradient was used for the last time
      const forward = { qkv: own("qkv"), y: own("attended"), lse: own("lse") };
      recordAttentionBackward(plan, context, setOf(sizes, l), { ...forward, dy: at("dy"), dqkv, delta: at("delta") });
      plan.add(rope, ropeShape(context, -1), { cosines: at("cosines"), sines: at("sines"), qkv: dqkv });
      back("qkv", dqkv, own("y1"), at("dy"), QKV, C);
    }
    done({ block: "attention", has: A > 0, late: ladder && l > 0 }, 2 * l, [own("x1"), own("rstd1")]);
  }
  for (const norm of waiting) norm();
  if (context.adapters) return; // embedding and norms stay
  if (isFirst(sizes)) {
    const dweight = gradient(context, layout.embed);
    plan.add(embeddingBackward, { rows: N, C }, { occurrences: at("occurrences"), dy: at("dx"), dweight });
  } else recordLeaving(plan, context, "dx");
  plan.add(
    rmsnormGammaSum,
    { norms: 2 * L + 1, blocks, C, stride: layout.normStride, partialStride: alignFloats(blocks * C) },
    { partials: at("gammaPartials"), dgamma: gradient(context, layout.norms) },
  );
}
