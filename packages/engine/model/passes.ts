// The model as recorded dispatches: forward, loss, backward, update. Names of tensors are those of model/buffers.ts.
//
//   x = embed[ids];   per layer: y1 = norm(x); x += attention(y1) Woᵀ; y2 = norm(x); x += swiglu(y2) Wdᵀ;   logits = norm(x) headᵀ
import type { ModelShape } from "#wire";
import type { Memory } from "../device/memory.ts";
import { ALIGN_FLOATS, alignFloats, type Plan, slice, type View } from "../device/plan.ts";
import { attentionBackwardKv, attentionBackwardQ, attentionFlops, attentionForward } from "../kernels/attention.ts";
import { crossEntropy } from "../kernels/cross-entropy.ts";
import { embeddingBackward, embeddingForward } from "../kernels/embedding.ts";
import { matmulFlops, matmulNn, matmulNt, matmulTn } from "../kernels/matmul.ts";
import { adamw, flatGroups, GROUPS_MAX, report, squares } from "../kernels/optimizer.ts";
import { gammaBlocks, rmsnormBackward, rmsnormForward, rmsnormGamma, rmsnormGammaSum } from "../kernels/rmsnorm.ts";
import { rope } from "../kernels/rope.ts";
import { swigluBackward, swigluForward } from "../kernels/swiglu.ts";
import type { Sizes } from "./buffers.ts";
import type { Layout, Range } from "./layout.ts";

export const ALL_KERNELS = [
  ...[embeddingForward, embeddingBackward, rmsnormForward, rmsnormBackward, rmsnormGamma, rmsnormGammaSum],
  ...[matmulNt, matmulNn, matmulTn, rope, attentionForward, attentionBackwardQ, attentionBackwardKv],
  ...[swigluForward, swigluBackward, crossEntropy, squares, report, adamw],
] as const;

export interface Context {
  readonly model: ModelShape;
  readonly layout: Layout;
  readonly sizes: Sizes;
  readonly memory: Memory;
}

const weight = ({ memory }: Context, { offset, length }: Range): View =>
  slice(memory.view("parameters"), offset, length);
const gradient = ({ memory }: Context, { offset, length }: Range): View =>
  slice(memory.view("gradient"), offset, length);
const normRange = ({ layout, sizes }: Context, index: number): Range => ({
  offset: layout.norms.offset + index * layout.normStride,
  length: sizes.C,
});

/** y (N, out) = x (N, in) Wᵀ */
function linear(plan: Plan, a: View, b: View, c: View, M: number, N: number, K: number): void {
  plan.add(matmulNt, { M, N, K }, { a, b, c }, matmulFlops({ M, N, K }));
}

/** dx (N, in) = dy (N, out) W, and dW (out, in) += dyᵀ x: rows, out, in. */
function linearBackward(
  plan: Plan,
  { dy, x, w, dw, dx }: { readonly dy: View; readonly x: View; readonly w: View; readonly dw: View; readonly dx: View },
  rows: number,
  out: number,
  into: number,
): void {
  plan.add(matmulTn, { M: out, N: into, K: rows }, { a: dy, b: x, c: dw }, matmulFlops({ M: out, N: into, K: rows }));
  plan.add(matmulNn, { M: rows, N: into, K: out }, { a: dy, b: w, c: dx }, matmulFlops({ M: rows, N: into, K: out }));
}

function ropeShape({ model, sizes }: Context, direction: 1 | -1) {
  const { N, T, QKV, headSize } = sizes;
  return { rows: N, T, stride: QKV, turned: model.heads + model.kvHeads, half: headSize / 2, direction };
}

function attentionShape({ model, sizes }: Context) {
  const { T, B, headSize } = sizes;
  return { T, heads: model.heads, kvHeads: model.kvHeads, scale: 1 / Math.sqrt(headSize), B };
}

export function recordForward(plan: Plan, context: Context): void {
  const { model, layout, sizes, memory } = context;
  const { N, C, F, QKV } = sizes;
  const at = (name: string): View => memory.view(name);
  const norm = (index: number, K: number, residual: View, x: View, y: View, rstd: View): void =>
    plan.add(
      rmsnormForward,
      { rows: N, C, K, eps: model.normEps },
      { partials: at("partial"), residual, gamma: weight(context, normRange(context, index)), residualOut: x, y, rstd },
      8 * N * C,
    );

  plan.add(
    embeddingForward,
    { rows: N, C },
    { ids: at("ids"), weight: weight(context, layout.embed), y: at("embedded") },
  );
  let stream = at("embedded");
  layout.layers.forEach((w, l) => {
    const own = (name: string): View => at(`${name}.${l}`);
    norm(2 * l, l === 0 ? 0 : 1, stream, own("x1"), own("y1"), own("rstd1"));
    linear(plan, own("y1"), weight(context, w.qkv), own("qkv"), N, QKV, C);
    plan.add(rope, ropeShape(context, 1), { cosines: at("cosines"), sines: at("sines"), qkv: own("qkv") });
    plan.add(
      attentionForward,
      attentionShape(context),
      { qkv: own("qkv"), y: own("attended"), lse: own("lse") },
      attentionFlops(sizes.B, sizes.T, C),
    );
    linear(plan, own("attended"), weight(context, w.o), at("partial"), N, C, C);
    norm(2 * l + 1, 1, own("x1"), own("x2"), own("y2"), own("rstd2"));
    linear(plan, own("y2"), weight(context, w.gateUp), own("gateUp"), N, 2 * F, C);
    plan.add(swigluForward, { rows: N, F }, { gateUp: own("gateUp"), h: own("h") }, 8 * N * F);
    linear(plan, own("h"), weight(context, w.down), at("partial"), N, C, F);
    stream = own("x2");
  });
  norm(2 * model.layers, 1, stream, at("xLast"), at("yLast"), at("rstdLast"));
}

/** Logits and loss in chunks of rows; with `train`, the gradients of the head and of yLast (into dy) too. */
export function recordLoss(plan: Plan, context: Context, train: boolean): void {
  const { model, layout, sizes, memory } = context;
  const { N, C, V, chunkRows } = sizes;
  const head = weight(context, layout.head);
  for (let firstRow = 0; firstRow < N; firstRow += chunkRows) {
    const rows = Math.min(chunkRows, N - firstRow);
    const y = slice(memory.view("yLast"), firstRow * C, rows * C);
    const logits = slice(memory.view("logits"), 0, rows * V);
    linear(plan, y, head, logits, rows, V, C);
    plan.add(
      crossEntropy,
      { rows, V: model.vocabSize, firstRow },
      {
        step: memory.view("step"),
        targets: slice(memory.view("targets"), firstRow, rows),
        logits,
        losses: slice(memory.view("losses"), firstRow, rows),
      },
      20 * rows * V,
    );
    if (!train) continue;
    const dx = slice(memory.view("dy"), firstRow * C, rows * C);
    linearBackward(plan, { dy: logits, x: y, w: head, dw: gradient(context, layout.head), dx }, rows, V, C);
  }
}

export function recordBackward(plan: Plan, context: Context): void {
  const { model, layout, sizes, memory } = context;
  const { N, C, F, QKV, B, T } = sizes;
  const L = model.layers;
  const at = (name: string): View => memory.view(name);
  const blocks = gammaBlocks(N);
  const normBackward = (index: number, x: View, rstd: View, accumulate: 0 | 1): void => {
    const partials = slice(at("gammaPartials"), index * alignFloats(blocks * C), blocks * C);
    plan.add(rmsnormGamma, { rows: N, C }, { dy: at("dy"), x, rstd, partials }, 3 * N * C);
    const gamma = weight(context, normRange(context, index));
    plan.add(rmsnormBackward, { rows: N, C, accumulate }, { dy: at("dy"), x, rstd, gamma, dx: at("dx") }, 8 * N * C);
  };

  normBackward(2 * L, at("xLast"), at("rstdLast"), 0);
  for (let l = L - 1; l >= 0; l--) {
    const w = layout.layers[l];
    const own = (name: string): View => at(`${name}.${l}`);
    const back = (range: Range, dy: View, x: View, dx: View, out: number, into: number): void =>
      linearBackward(plan, { dy, x, w: weight(context, range), dw: gradient(context, range), dx }, N, out, into);
    back(w.down, at("dx"), own("h"), at("dh"), C, F);
    plan.add(
      swigluBackward,
      { rows: N, F },
      { gateUp: own("gateUp"), dh: at("dh"), dgateUp: at("dgateUp") },
      12 * N * F,
    );
    back(w.gateUp, at("dgateUp"), own("y2"), at("dy"), 2 * F, C);
    normBackward(2 * l + 1, own("x2"), own("rstd2"), 1);

    back(w.o, at("dx"), own("attended"), at("dy"), C, C);
    const shape = attentionShape(context);
    const flops = attentionFlops(B, T, C);
    const shared = { qkv: own("qkv"), dy: at("dy"), lse: own("lse"), dqkv: at("dqkv"), delta: at("delta") };
    plan.add(attentionBackwardQ, shape, { ...shared, y: own("attended") }, 1.5 * flops);
    plan.add(attentionBackwardKv, shape, shared, 2 * flops);
    plan.add(rope, ropeShape(context, -1), { cosines: at("cosines"), sines: at("sines"), qkv: at("dqkv") });
    back(w.qkv, at("dqkv"), own("y1"), at("dy"), QKV, C);
    normBackward(2 * l, own("x1"), own("rstd1"), 1);
  }
  const dweight = gradient(context, layout.embed);
  plan.add(embeddingBackward, { rows: N, C }, { occurrences: at("occurrences"), dy: at("dx"), dweight });
  plan.add(
    rmsnormGammaSum,
    { norms: 2 * L + 1, blocks, C, stride: layout.normStride, partialStride: alignFloats(blocks * C) },
    { partials: at("gammaPartials"), dgamma: gradient(context, layout.norms) },
  );
}

/** Norm of the gradient, report, AdamW: over ranges of the flat vectors that fit a binding. */
export function recordUpdate(plan: Plan, context: Context, bindingFloats: number): void {
  const { layout, memory } = context;
  const ranges: Range[] = [];
  const width = Math.floor(bindingFloats / ALIGN_FLOATS) * ALIGN_FLOATS;
  for (let offset = 0; offset < layout.length; offset += width)
    ranges.push({ offset, length: Math.min(width, layout.length - offset) });
  const flat = (name: string, range: Range): View => slice(memory.view(name), range.offset, range.length);

  let partials = 0;
  ranges.forEach((range, i) => {
    const n = range.length / 4;
    const groups = flatGroups(n);
    plan.add(
      squares,
      { n },
      { x: flat("gradient", range), partials: slice(memory.view("squares"), i * GROUPS_MAX, groups) },
      range.length * 2,
    );
    partials = i * GROUPS_MAX + groups; // earlier ranges are full: GROUPS_MAX groups each
  });
  recordReport(plan, context, partials);
  for (const range of ranges) {
    const decayed = Math.max(0, Math.min(range.length, layout.matrices - range.offset)) / 4;
    plan.add(
      adamw,
      { n: range.length / 4, decayed },
      {
        step: memory.view("step"),
        report: memory.view("report"),
        parameters: flat("parameters", range),
        gradient: flat("gradient", range),
        momentum: flat("momentum", range),
        variance: flat("variance", range),
      },
      range.length * 20,
    );
  }
}

export function recordReport(plan: Plan, { sizes, memory }: Context, partials: number): void {
  const at = (name: string): View => memory.view(name);
  plan.add(
    report,
    { rows: sizes.N, partials },
    { step: at("step"), partials: at("squares"), losses: at("losses"), report: at("report") },
  );
}
