// What a generator's device does: a few rows of a prompt, or one id, through the layers; then the logits of one row.
//
//   prefill, decode   x = embed[ids]; per layer: y = norm(x); keep k, v; x += attention(y, cache) Woᵀ; y = norm(x); x += swiglu(y) Wdᵀ
//   head              logits = norm(xLast + dyLast) headᵀ          the last row, copied there in between
//
// With a ladder residual each += is by the norm one block later (reference/stream.ts).
//
// What changes from call to call is data: `place`, and the angles of these positions in `cosines` and `sines`.
import type { ModelShape } from "#wire";
import type { Memory } from "../device/memory.ts";
import { type Recorder, slice, type View } from "../device/plan.ts";
import { attentionCached, cacheKeep } from "../kernels/attention-cached.ts";
import { embeddingForward } from "../kernels/embedding.ts";
import { matmulFlops, matmulNt } from "../kernels/matmul.ts";
import { matvec } from "../kernels/matvec.ts";
import { rmsnormForward } from "../kernels/rmsnorm.ts";
import { rope } from "../kernels/rope.ts";
import { swigluForward } from "../kernels/swiglu.ts";
import { ofBlock } from "../model/buffers.ts";
import type { Layout, Range } from "../model/layout.ts";
import type { GenerationSizes } from "./outline.ts";

export const GENERATION_KERNELS = [
  ...[embeddingForward, rmsnormForward, matmulNt, matvec, rope],
  ...[cacheKeep, attentionCached, swigluForward],
] as const;

interface Context {
  readonly model: ModelShape;
  readonly layout: Layout;
  readonly sizes: GenerationSizes;
  readonly memory: Memory;
}

export const generationPasses = (context: Context) => ({
  prefill: (plan: Recorder): void => recordLayers(plan, context, context.sizes.rows),
  decode: (plan: Recorder): void => recordLayers(plan, context, 1),
  head: (plan: Recorder): void => recordHead(plan, context),
});
export type Pass = keyof ReturnType<typeof generationPasses>;

/** Behind the layers: the stream, and what the last block gave and the head's norm adds to it. */
export const lastOf = (sizes: GenerationSizes): { readonly x: string; readonly dy: string } => ({
  x: sizes.ladder ? "x1" : "x2",
  dy: ofBlock(sizes, "dy", "feed-forward"),
});

const parameter = ({ memory }: Context, { offset, length }: Range): View =>
  slice(memory.view("parameters"), offset, length);

const gammaOf = (context: Context, index: number): View => {
  const { layout, sizes } = context;
  return parameter(context, { offset: layout.norms.offset + index * layout.normStride, length: sizes.C });
};

/** y (rows, out) = x (rows, in) Wᵀ */
function linear(plan: Recorder, rows: number, x: View, w: View, y: View, out: number, into: number): void {
  const flops = matmulFlops({ M: rows, N: out, K: into });
  if (rows === 1) plan.add(matvec, { N: out, K: into }, { w, x, y }, flops);
  else plan.add(matmulNt, { M: rows, N: out, K: into }, { a: x, b: w, c: y }, flops);
}

function recordLayers(plan: Recorder, context: Context, rows: number): void {
  const { model, layout, sizes, memory } = context;
  const { C, F, T, QKV, KV, headSize } = sizes;
  const at = (name: string): View => memory.view(name);
  const [attended, fed] = [at(ofBlock(sizes, "dy", "attention")), at(ofBlock(sizes, "dy", "feed-forward"))];
  const norm = (index: number, added: View | undefined, residual: View, residualOut: View): void =>
    plan.add(
      rmsnormForward,
      { rows, C, K: added ? 1 : 0, eps: model.normEps },
      {
        partials: added ?? residual,
        residual,
        gamma: gammaOf(context, index),
        residualOut,
        y: at("y"),
        rstd: at("rstd"),
      },
    );
  plan.add(embeddingForward, { rows, C }, { ids: at("ids"), weight: parameter(context, layout.embed), y: at("x2") });
  layout.layers.forEach((w, l) => {
    const [before, between] = sizes.ladder ? [attended, l === 0 ? undefined : fed] : [fed, attended];
    norm(2 * l, l === 0 ? undefined : before, at("x2"), at("x1"));
    linear(plan, rows, at("y"), parameter(context, w.qkv), at("qkv"), QKV, C);
    plan.add(
      rope,
      { rows, T: rows, stride: QKV, turned: model.heads + model.kvHeads, half: headSize / 2, direction: 1 },
      { cosines: at("cosines"), sines: at("sines"), qkv: at("qkv") },
    );
    plan.add(
      cacheKeep,
      { stride: QKV / 4, skip: C / 4, width: (2 * KV) / 4, T, rows },
      { place: at("place"), qkv: at("qkv"), cache: at(`cache.${l}`) },
    );
    plan.add(
      attentionCached,
      { T, heads: model.heads, kvHeads: model.kvHeads, scale: 1 / Math.sqrt(headSize), rows },
      { place: at("place"), qkv: at("qkv"), cache: at(`cache.${l}`), y: at("attended") },
      4 * rows * T * C,
    );
    linear(plan, rows, at("attended"), parameter(context, w.o), attended, C, C);
    norm(2 * l + 1, between, at("x1"), at("x2"));
    linear(plan, rows, at("y"), parameter(context, w.gateUp), at("gateUp"), 2 * F, C);
    plan.add(swigluForward, { rows, F }, { gateUp: at("gateUp"), h: at("h") }, 8 * rows * F);
    linear(plan, rows, at("h"), parameter(context, w.down), fed, C, F);
  });
  if (sizes.ladder) norm(2 * model.layers, attended, at("x2"), at("x1")); // for its sum alone
}

function recordHead(plan: Recorder, context: Context): void {
  const { model, layout, sizes, memory } = context;
  const { C, V } = sizes;
  const at = (name: string): View => memory.view(name);
  plan.add(
    rmsnormForward,
    { rows: 1, C, K: 1, eps: model.normEps },
    {
      partials: at("dyLast"),
      residual: at("xLast"),
      gamma: gammaOf(context, 2 * model.layers),
      residualOut: at("xOut"),
      y: at("yOut"),
      rstd: at("rstd"),
    },
  );
  linear(plan, 1, at("yOut"), parameter(context, layout.head), at("logits"), V, C);
}
