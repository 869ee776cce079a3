// The model as programs: forward, loss and backward of a microbatch; the update; evaluation. Names of tensors are those of model/passes.ts.
//
//   x = embed[ids];   per layer: y1 = norm(x); x += attention(y1) Woᵀ; y2 = norm(x); x += swiglu(y2) Wdᵀ;   logits = norm(x) headᵀ
//
// With a ladder residual each += is by the norm one block later, forward and backward (reference/stream.ts).
import type { ModelShape } from "#wire";
import { MADE_OF, type Matrix as ModelMatrix } from "../model/adapters.ts";
import { ofBlock } from "../model/buffers.ts";
import type { Layout, Range } from "../model/layout.ts";
import { adapterBackward, mergeProgram, type WasmAdapters } from "./adapters.ts";
import type { Arena } from "./arena.ts";
import {
  type Matrix,
  matmul,
  type Op,
  once,
  overColumns,
  overFlat,
  overRows,
  type Phase,
  type Program,
} from "./program.ts";
import type { Sizes } from "./sizes.ts";

export interface Context {
  readonly model: ModelShape;
  readonly layout: Layout;
  readonly adapters: WasmAdapters | undefined;
  readonly sizes: Sizes;
  readonly arena: Arena;
}

export interface Programs {
  readonly train: Program;
  readonly update: Program;
  readonly evaluate: Program;
  /** Nothing without adapters. */
  readonly merge: Program;
}

const at = ({ arena }: Context, name: string): number => arena.at(name);
const weight = ({ arena }: Context, { offset }: Range): number => arena.at("parameters") + 4 * offset;
const gradient = ({ arena }: Context, { offset }: Range): number => arena.at("gradient") + 4 * offset;
const norm = ({ layout, sizes }: Context, index: number): Range => ({
  offset: layout.norms.offset + index * layout.normStride,
  length: sizes.C,
});
const matrix = (at: number, columns: number): Matrix => ({ at, columns });

/** y (rows, out) = x (rows, in) Wᵀ */
function linear(y: number, x: number, w: number, rows: number, out: number, into: number): Op {
  const given = { a: matrix(x, into), b: matrix(w, into), c: matrix(y, out) };
  return matmul("nt", given, [rows, out, into]);
}

/** dW (out, in) += dyᵀ x where it is trained, and dx (rows, in) = dy W: two ops that do not meet. */
function linearBackward(
  { dy, x, w, dw, dx }: Record<"dy" | "x" | "w" | "dx", number> & { readonly dw: number | undefined },
  rows: number,
  out: number,
  into: number,
): Phase {
  const back = matmul("nn", { a: matrix(dy, out), b: matrix(w, into), c: matrix(dx, into) }, [rows, into, out]);
  if (dw === undefined) return [back];
  return [matmul("tn", { a: matrix(dy, out), b: matrix(x, into), c: matrix(dw, into) }, [out, into, rows]), back];
}

/** One task per key/value head of each sequence. */
function attention(context: Context, kernel: string, args: readonly number[]): Op {
  const { model, sizes } = context;
  const tables = [at(context, "cosines"), at(context, "sines")];
  const shape = [sizes.T, model.heads, model.kvHeads, sizes.headSize, 1 / Math.sqrt(sizes.headSize)];
  return { kernel, tasks: sizes.B * model.kvHeads, args: [...args, ...tables, ...shape] };
}

function forward(context: Context): Program {
  const { model, layout, sizes } = context;
  const { N, C, F, QKV } = sizes;
  const here = (name: string) => at(context, name);
  const rmsnorm = (index: number, partial: number, residual: number, [x, y, rstd]: readonly number[]): Phase => {
    const gamma = weight(context, norm(context, index));
    return [overRows("rmsnorm-forward", N, C, [partial, residual, gamma, x, y, rstd, N, C, model.normEps])];
  };
  const phases: Phase[] = [
    [overRows("embedding-forward", N, C, [here("ids"), weight(context, layout.embed), here("embedded"), N, C])],
  ];
  let stream = here("embedded");
  const [attended, fed] = [
    here(ofBlock(sizes, "partial", "attention")),
    here(ofBlock(sizes, "partial", "feed-forward")),
  ];
  layout.layers.forEach((w, l) => {
    const own = (name: string) => here(`${name}.${l}`);
    const [before, between] = sizes.ladder ? [attended, l === 0 ? 0 : fed] : [fed, attended];
    phases.push(
      rmsnorm(2 * l, l === 0 ? 0 : before, stream, [own("x1"), own("y1"), own("rstd1")]),
      [linear(own("qkv"), own("y1"), weight(context, w.qkv), N, QKV, C)],
      [attention(context, "attention-forward", [own("qkv"), own("attended"), own("lse")])],
      [linear(attended, own("attended"), weight(context, w.o), N, C, C)],
      rmsnorm(2 * l + 1, between, own("x1"), [own("x2"), own("y2"), own("rstd2")]),
      [linear(own("gateUp"), own("y2"), weight(context, w.gateUp), N, 2 * F, C)],
      [overRows("swiglu-forward", N, F, [own("gateUp"), own("h"), N, F])],
      [linear(fed, own("h"), weight(context, w.down), N, C, F)],
    );
    stream = own("x2");
  });
  const last = [here("yLast"), here("rstdLast")];
  if (sizes.ladder) {
    phases.push(rmsnorm(2 * model.layers, attended, stream, [here("embedded"), ...last])); // for its sum alone
    stream = here("embedded");
  }
  phases.push(rmsnorm(2 * model.layers, fed, stream, [here("xLast"), ...last]));
  return phases;
}

/** Logits and loss in chunks of rows; with `train`, the gradients of the head and of yLast (into dy) too. */
function loss(context: Context, train: boolean): Program {
  const { model, layout, sizes } = context;
  const { N, C, V, chunkRows } = sizes;
  const w = weight(context, layout.head);
  const logits = at(context, "logits");
  const phases: Phase[] = [];
  for (let first = 0; first < N; first += chunkRows) {
    const rows = Math.min(chunkRows, N - first);
    const x = at(context, "yLast") + 4 * first * C;
    const losses = [at(context, "targets") + 4 * first, at(context, "losses") + 4 * first, at(context, "step")];
    phases.push(
      [linear(logits, x, w, rows, V, C)],
      [overRows("cross-entropy", rows, V, [logits, ...losses, rows, model.vocabSize, 4 * V, train ? 1 : 0])],
    );
    const dx = at(context, "dy") + 4 * first * C;
    const dw = context.adapters ? undefined : gradient(context, layout.head);
    if (train) phases.push(linearBackward({ dy: logits, x, w, dw, dx }, rows, V, C));
  }
  phases.push([once("loss-sum", [at(context, "losses"), at(context, "step"), at(context, "report")])]);
  return phases;
}

function backward(context: Context): Program {
  const { model, layout, adapters, sizes, arena } = context;
  const { N, C, F, QKV } = sizes;
  const KV = (QKV - C) / 2;
  const firstRows: Record<ModelMatrix, number[]> = { qkv: [0, C, C + KV], o: [0], gateUp: [0, F], down: [0] };
  const here = (name: string) => at(context, name);
  const [dx, dy, dy2] = [here("dx"), here("dy"), here(ofBlock(sizes, "dy", "feed-forward"))];
  const normBackward = (index: number, dy: number, x: number, rstd: number, add: 0 | 1): Phase => {
    const range = norm(context, index);
    return [
      overRows("rmsnorm-backward", N, C, [dy, x, rstd, weight(context, range), dx, N, C, add]),
      ...(adapters ? [] : [overColumns("rmsnorm-gamma", N, C, [dy, x, rstd, gradient(context, range), N, C])]),
    ];
  };
  const phases: Phase[] = [normBackward(2 * model.layers, dy, here("xLast"), here("rstdLast"), 0)];
  /** Norms whose turn has not come: with a ladder it does when the block before theirs has read dx, which they change. */
  const waiting: Phase[] = [];
  const blockDone = (norm: Phase): void => {
    waiting.push(norm);
    if (waiting.length > (sizes.ladder ? 1 : 0)) phases.push(...waiting.splice(0, 1));
  };
  for (let l = model.layers - 1; l >= 0; l--) {
    const w = layout.layers[l];
    const own = (name: string) => here(`${name}.${l}`);
    const back = (name: ModelMatrix, dy: number, x: number, dx: number, out: number, into: number): Phase[] => {
      const given = { dy, x, w: weight(context, w[name]), dx };
      if (!adapters) return [linearBackward({ ...given, dw: gradient(context, w[name]) }, N, out, into)];
      const shape = { N, out, into, firstRows: firstRows[name] };
      const { products, gradients } = adapterBackward({ arena, adapters }, l, MADE_OF[name], { dy, x }, shape);
      const whole = linearBackward({ ...given, dw: undefined }, N, out, into);
      return products.length === 0 ? [whole] : [products, [...gradients, ...whole]];
    };
    phases.push(
      ...back("down", dx, own("h"), here("dh"), C, F),
      [overRows("swiglu-backward", N, F, [own("gateUp"), here("dh"), here("dgateUp"), N, F])],
      ...back("gateUp", here("dgateUp"), own("y2"), dy2, 2 * F, C),
    );
    blockDone(normBackward(2 * l + 1, dy2, own("x2"), own("rstd2"), 1));
    phases.push(
      ...back("o", dx, own("attended"), dy, C, C),
      [attention(context, "attention-backward", [own("qkv"), own("attended"), dy, own("lse"), here("dqkv")])],
      ...back("qkv", here("dqkv"), own("y1"), dy, QKV, C),
    );
    blockDone(normBackward(2 * l, dy, own("x1"), own("rstd1"), 1));
  }
  phases.push(...waiting);
  if (adapters) return phases; // embedding and norms stay
  phases.push([overColumns("embedding-backward", N, C, [here("ids"), dx, gradient(context, layout.embed), N, C])]);
  return phases;
}

function update(context: Context): Program {
  const { length, matrices } = context.adapters ?? context.layout;
  const [step, report] = [at(context, "step"), at(context, "report")];
  const squares = overFlat("squares", length, [at(context, "gradient"), at(context, "squares"), length]);
  const trained = context.adapters ? "adapters" : "parameters";
  const vectors = [trained, "gradient", "momentum", "variance"].map((name) => at(context, name));
  return [
    [squares],
    [once("grad-norm", [at(context, "squares"), squares.tasks, step, report])],
    [overFlat("adamw", length, [step, report, ...vectors, length, matrices])],
    ...merge(context),
  ];
}

const merge = ({ adapters, arena }: Context): Program => (adapters ? mergeProgram({ arena, adapters }) : []);

export const recordPrograms = (context: Context): Programs => ({
  train: [...forward(context), ...loss(context, true), ...backward(context)],
  update: update(context),
  evaluate: [...forward(context), ...loss(context, false)],
  merge: merge(context),
});
