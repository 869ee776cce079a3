// The model as recorded dispatches: forward, loss, backward, update. Names of tensors are those of model/buffers.ts, which says what shares a place.
//
//   x = embed[ids];   per layer: y1 = norm(x); x += attention(y1) Woᵀ; y2 = norm(x); x += swiglu(y2) Wdᵀ;   logits = norm(x) headᵀ
import type { RankShape } from "#outer";
import type { Memory } from "../device/memory.ts";
import { ALIGN_FLOATS, alignFloats, elementBytes, type Recorder, slice, type View } from "../device/plan.ts";
import { attentionBackwardKv, attentionBackwardQ, attentionForward } from "../kernels/attention.ts";
import { crossEntropy } from "../kernels/cross-entropy.ts";
import { embeddingBackward, embeddingForward } from "../kernels/embedding.ts";
import { matmulFlops, matmulNn, matmulNt, matmulTn } from "../kernels/matmul.ts";
import {
  adamw,
  adamw8bit,
  flatGroups,
  GROUPS_MAX,
  halve,
  MOMENT_BLOCK,
  report,
  squares,
} from "../kernels/optimizer.ts";
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
import { adapterBackward, recordBlocks, recordMerge } from "./adapter-passes.ts";
import type { AdapterLayout, Matrix } from "./adapters.ts";
import {
  alignedRows,
  coldBlocksOf,
  flatRanges,
  isFirst,
  isLast,
  momentWords,
  type Sizes,
  setOf,
  trainedOf,
  updatedRanges,
} from "./buffers.ts";
import type { Layout, Range } from "./layout.ts";
import { recordAttention, recordAttentionBackward } from "./sequence-passes.ts";

export const ALL_KERNELS = [
  ...[embeddingForward, embeddingBackward, rmsnormForward, rmsnormBackward, rmsnormGammaSum],
  ...[matmulNt, matmulNn, matmulTn, rope, attentionForward, attentionBackwardQ, attentionBackwardKv],
  ...[swigluForward, swigluBackward, crossEntropy, squares, report, adamw],
] as const;

/** What an engine in mixed precision runs besides. */
export const HALF_KERNELS = [halve] as const;

/** What an engine with such moments runs besides. */
export const MOMENT_KERNELS = { f32: [], "8bit": [adamw8bit] } as const;

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

/** Recorded once, replayed for every step. */
export const stepPassesOf = (context: Context) => ({
  weights: (plan: Recorder): void => recordWeights(plan, context),
  update: (plan: Recorder): void => {
    recordBlocks(plan, context);
    recordUpdate(plan, context);
    if (!context.sizes.cold) recordMerge(plan, context); // else when all blocks are updated
  },
  merge: (plan: Recorder): void => recordMerge(plan, context),
  report: (plan: Recorder): void => recordReport(plan, context, 0),
});
export type StepPass = keyof ReturnType<typeof stepPassesOf>;

/** Of cold moments, the update of each block's parameters. */
export const coldPassesOf = (context: Context): Record<string, (plan: Recorder) => void> =>
  Object.fromEntries(
    coldBlocksOf(context, context.sizes).map((block, i) => [
      `block.${i}`,
      (plan: Recorder) => recordAdamw(plan, context, block, 0),
    ]),
  );

/** Of an island's rank or stage: its part of the gradient's norm. Afterwards the sum of everybody's is the first of `squares`. */
export const squaresPassOf = (context: Context) => ({
  squares: (plan: Recorder): void => recordIslandSquares(plan, context),
});

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

/** The fused norm: x = residual (+ what a block added to it, in dy), y and rstd of x. @param has whether this rank has a part of what was added */
function norm(
  plan: Recorder,
  context: Context,
  index: number,
  added: 0 | 1,
  residual: View,
  [x, y, rstd]: View[],
  has = true,
): void {
  const { model, sizes, memory } = context;
  const gamma = parameter(context, normRange(context, index));
  if (added === 1 && sizes.island) exchangeSums(plan, context, has);
  if (added === 1 && sizes.island?.exchange === "int8") {
    const { shards } = sizes.island;
    const shape = { rows: sizes.N, C: sizes.C, K: 0, eps: model.normEps, shards };
    const views = { partials: residual, residual, gamma, residualOut: x, y, rstd, shards: memory.view("shards") };
    plan.add(allReduceNormForward, shape, views, (8 + 2 * shards) * sizes.N * sizes.C);
    return;
  }
  const partials = added === 1 ? memory.view("dy") : residual;
  const shape = { rows: sizes.N, C: sizes.C, K: added, eps: model.normEps };
  plan.add(rmsnormForward, shape, { partials, residual, gamma, residualOut: x, y, rstd }, 8 * sizes.N * sizes.C);
}

/**
 * dy, a rank's part of a sum, goes to the others. Exact, the sum takes its place; in int8 `shards` holds what the kernel behind it adds up, the rank's own part
 * as the others have it too: so everybody has the same bits.
 * @param has false: this rank has no heads, and its part is zero
 */
function exchangeSums(plan: Recorder, { sizes, memory }: Context, has: boolean): void {
  const dy = slice(memory.view("dy"), 0, sizes.N * sizes.C);
  if (sizes.island?.exchange === "f32") return plan.exchange({ from: has ? dy : undefined, to: dy });
  const outgoing = memory.view("outgoing");
  const vectors = dy.length / 4;
  if (has) plan.add(encodeShard, { vectors }, { x: dy, shard: outgoing }, 4 * dy.length);
  plan.exchange({ from: has ? outgoing : undefined, to: memory.view("shards") });
}

/** The copy of the matrices in f16, before anything reads it. */
function recordWeights(plan: Recorder, { layout, sizes, memory }: Context): void {
  if (!sizes.half) return;
  for (const { offset, length } of flatRanges(layout.matrices, sizes)) {
    const part = (name: string): View => slice(memory.view(name), offset, length);
    plan.add(halve, { n: length / 4 }, { x: part("parameters"), y: part("weights") }, length);
  }
}

function recordForward(plan: Recorder, context: Context): void {
  const { model, layout, sizes, memory } = context;
  const { N, C, F } = sizes;
  const at = (name: string): View => memory.view(name);
  if (isFirst(sizes)) {
    const weight = parameter(context, layout.embed);
    plan.add(embeddingForward, { rows: N, C }, { ids: at("ids"), weight, y: at("dx") });
  }
  let stream = at("dx");
  layout.layers.forEach((w, l) => {
    const own = (name: string): View => at(`${name}.${setOf(sizes, l)}`);
    norm(plan, context, 2 * l, l === 0 ? 0 : 1, stream, [at(`x1.${l}`), own("y1"), own("rstd1")]);
    recordLayer(plan, context, l);
    linear(plan, context, own("h"), weight(context, w.down), at("dy"), C, F);
    stream = own("x2");
  });
  norm(plan, context, 2 * model.layers, 1, stream, [at("xLast"), at("yLast"), at("rstdLast")]);
  if (!isLast(sizes)) recordLeaving(plan, context, "xLast");
}

/** What a stage gives to the next one (or, of a gradient, to the one before): in int8 it is coded here. */
function recordLeaving(plan: Recorder, { sizes, memory }: Context, name: "xLast" | "dx"): void {
  if (sizes.stage?.exchange !== "int8") return;
  const x = slice(memory.view(name), 0, sizes.N * sizes.C);
  plan.add(encodeShard, { vectors: x.length / 4 }, { x, shard: memory.view("outgoing") }, 4 * x.length);
}

/** From y1 and x1 to h: what the backward pass of a layer reads. */
function recordLayer(plan: Recorder, context: Context, l: number): void {
  const { layout, sizes, memory } = context;
  const { N, C, A, F, QKV } = sizes;
  const w = layout.layers[l];
  const at = (name: string): View => memory.view(name);
  const own = (name: string): View => at(`${name}.${setOf(sizes, l)}`);
  if (A > 0) {
    linear(plan, context, own("y1"), weight(context, w.qkv), own("qkv"), QKV, C);
    plan.add(rope, ropeShape(context, 1), { cosines: at("cosines"), sines: at("sines"), qkv: own("qkv") });
    recordAttention(plan, context, setOf(sizes, l), { qkv: own("qkv"), y: own("attended"), lse: own("lse") });
    linear(plan, context, own("attended"), weight(context, w.o), at("dy"), C, A);
  }
  norm(plan, context, 2 * l + 1, 1, at(`x1.${l}`), [own("x2"), own("y2"), own("rstd2")], A > 0);
  const gateUp = slice(own("gateUp"), 0, N * 2 * F);
  linear(plan, context, own("y2"), weight(context, w.gateUp), gateUp, 2 * F, C);
  eachBlock(sizes, 2 * F, (first, rows) => {
    const views = { gateUp: slice(gateUp, first * 2 * F, rows * 2 * F), h: slice(own("h"), first * F, rows * F) };
    plan.add(swigluForward, { rows, F }, views, 8 * rows * F);
  });
}

/** The activations of a layer again, the same bits, from the x1 that was kept. dy is free: the layer behind has read it. */
function recomputeLayer(plan: Recorder, context: Context, l: number): void {
  const { sizes, memory } = context;
  const set = setOf(sizes, l);
  const [x1, y1, rstd1] = [`x1.${l}`, `y1.${set}`, `rstd1.${set}`].map((name) => memory.view(name));
  norm(plan, context, 2 * l, 0, x1, [memory.view("dy"), y1, rstd1]); // dy: x1 once more, of no use
  recordLayer(plan, context, l);
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
  /** @param part what dy holds: this rank's part of the gradient, nothing of it, or all */
  const normBackward = (index: number, x: View, rstd: View, accumulate: 0 | 1, part: "part" | "none" | "all"): void => {
    const partials = slice(at("gammaPartials"), index * alignFloats(blocks * C), blocks * C);
    const gamma = parameter(context, normRange(context, index));
    const views = { dy: at("dy"), x, rstd, gamma, dx: at("dx"), partials };
    const exchanged = part === "all" ? undefined : sizes.island;
    if (exchanged) exchangeSums(plan, context, part === "part");
    if (exchanged?.exchange === "int8") {
      const { shards } = exchanged;
      const shape = { rows: N, C, accumulate, K: 0, shards };
      plan.add(allReduceNormBackward, shape, { ...views, shards: at("shards") }, (11 + 2 * shards) * N * C);
      return;
    }
    plan.add(rmsnormBackward, { rows: N, C, accumulate }, views, 11 * N * C);
  };

  if (isLast(sizes)) normBackward(2 * L, at("xLast"), at("rstdLast"), 0, "all");
  for (let l = L - 1; l >= 0; l--) {
    if (l < sizes.recomputedLayers) recomputeLayer(plan, context, l);
    const w = layout.layers[l];
    const own = (name: string): View => at(`${name}.${setOf(sizes, l)}`);
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
    back("gateUp", gateUp, own("y2"), at("dy"), 2 * F, C);
    normBackward(2 * l + 1, own("x2"), own("rstd2"), 1, "part");

    if (A > 0) {
      back("o", at("dx"), own("attended"), at("dy"), C, A);
      const dqkv = slice(own("gateUp"), 0, N * QKV); // whose own gradient was used for the last time
      const forward = { qkv: own("qkv"), y: own("attended"), lse: own("lse") };
      recordAttentionBackward(plan, context, setOf(sizes, l), { ...forward, dy: at("dy"), dqkv, delta: at("delta") });
      plan.add(rope, ropeShape(context, -1), { cosines: at("cosines"), sines: at("sines"), qkv: dqkv });
      back("qkv", dqkv, own("y1"), at("dy"), QKV, C);
    }
    normBackward(2 * l, at(`x1.${l}`), own("rstd1"), 1, A > 0 ? "part" : "none");
  }
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

/** Norm of the gradient, report, AdamW: over ranges of the flat vectors that fit a binding. */
function recordUpdate(plan: Recorder, context: Context): void {
  const { sizes } = context;
  const ranges = updatedRanges(context, sizes);
  const summed = sizes.island || sizes.sequence || sizes.stage; // over ranks: the sum is there already
  recordReport(plan, context, summed ? 1 : recordSquares(plan, context, ranges, 0));
  if (sizes.cold) return;
  for (const range of ranges) recordAdamw(plan, context, range, range.offset - ranges[0].offset);
}

/** @param from where the range's moments begin in their buffers, in floats of parameters */
function recordAdamw(plan: Recorder, context: Context, range: Range, from: number): void {
  const { sizes, memory } = context;
  const trained = trainedOf(context);
  const decayed = Math.max(0, Math.min(range.length, trained.matrices - range.offset));
  const flat = (name: string): View => slice(memory.view(name), range.offset, range.length);
  const moment = (name: string): View => {
    const [at, words] = [from, range.length].map((floats) => momentWords(floats, sizes.moments));
    return slice(memory.view(name), at, words);
  };
  const views = {
    ...{ step: memory.view("step"), report: memory.view("report") },
    ...{ parameters: flat(trained.buffer), gradient: flat("gradient") },
    ...{ momentum: moment("momentum"), variance: moment("variance") },
  };
  if (sizes.moments === "f32")
    return plan.add(adamw, { n: range.length / 4, decayed: decayed / 4 }, views, range.length * 20);
  const [n, decayedBlocks, first] = [range.length, decayed, range.offset].map((floats) => floats / MOMENT_BLOCK);
  plan.add(adamw8bit, { n, decayed: decayedBlocks, first }, views, range.length * 60);
}

/** Partial sums of squares, from place `first` on. @returns the place behind them: earlier ranges are full, GROUPS_MAX groups each */
function recordSquares(plan: Recorder, { memory }: Context, ranges: readonly Range[], first: number): number {
  let end = first;
  ranges.forEach(({ offset, length }, i) => {
    const n = length / 4;
    const groups = flatGroups(n);
    const at = first + i * GROUPS_MAX;
    const partials = slice(memory.view("squares"), at, groups);
    plan.add(squares, { n }, { x: slice(memory.view("gradient"), offset, length), partials }, length * 2);
    end = at + groups;
  });
  return end;
}

/** Where in `squares` an island's rank has the partial sums of what is everybody's, and of what is its own. */
export interface IslandSquares {
  readonly everybodys: readonly Range[];
  readonly own: readonly Range[];
}

export function islandSquaresOf({ layout, sizes }: Pick<Context, "layout" | "sizes">): IslandSquares & {
  readonly ranges: Readonly<Record<keyof IslandSquares, readonly Range[]>>;
} {
  const cutFrom = layout.layers[0].qkv.offset;
  const { stage } = sizes;
  const within = (from: number, to: number): Range[] =>
    flatRanges(to - from, sizes).map(({ offset, length }) => ({ offset: from + offset, length }));
  const isTwice = stage && !isFirst(sizes) && layout.embed === layout.head; // a tied embedding counts at the first stage
  const ranges = stage
    ? { everybodys: [], own: within(isTwice ? cutFrom : 0, layout.length) }
    : {
        everybodys: [...within(0, cutFrom), ...within(layout.matrices, layout.length)],
        own: within(cutFrom, layout.matrices),
      };
  const placesOf = (ranges: readonly Range[], first: number): Range[] =>
    ranges.map(({ length }, i) => ({ offset: (first + i) * GROUPS_MAX, length: flatGroups(length / 4) }));
  return {
    ranges,
    everybodys: placesOf(ranges.everybodys, 0),
    own: placesOf(ranges.own, ranges.everybodys.length),
  };
}

function recordIslandSquares(plan: Recorder, context: Context): void {
  const { everybodys, own } = islandSquaresOf(context).ranges;
  recordSquares(plan, context, everybodys, 0);
  recordSquares(plan, context, own, everybodys.length * GROUPS_MAX);
}

function recordReport(plan: Recorder, { adapters, sizes, memory }: Context, partials: number): void {
  const at = (name: string): View => memory.view(name);
  plan.add(
    report,
    { rows: sizes.N, partials, scaled: sizes.scaled ? 1 : 0, gain: adapters?.scale ?? 1 },
    { step: at("step"), partials: at("squares"), losses: at("losses"), report: at("report"), scaling: at("scaling") },
  );
}
