// The Llama-style decoder over one flat parameter vector, forward and backward, from the operations of this folder.
//
//   ids (B, T+1) -> embedding -> L x [ +norm -> attention -> +norm -> SwiGLU ] -> +norm -> logits -> mean loss in nats
//
// "+norm" adds what the block before it produced to the residual stream and normalises the sum (rmsnorm.ts, K = 1; K = 0 at the first); with a ladder
// residual what the block before that one produced (stream.ts).
import { headSizeOf, type ParameterTable, parameterTable, type RankShape } from "#outer";
import type { ModelShape } from "#wire";
import { attentionBackward, attentionForward } from "./attention.ts";
import { crossEntropyBackward, crossEntropyForward } from "./cross-entropy.ts";
import { embeddingBackward, embeddingForward } from "./embedding.ts";
import { linearBackward, linearForward } from "./matmul.ts";
import { rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";
import { ropeBackward, ropeForward } from "./rope.ts";
import { latenessOf, normBefore, type Stream, StreamGradient } from "./stream.ts";
import { swigluBackward, swigluForward } from "./swiglu.ts";
import { addInPlace, type Vector, zeros } from "./vector.ts";

/** Mean loss of ids (B, T+1; row-major: inputs ids[0..T), targets ids[1..T]) and its gradient, flat, in the table's order. */
export function lossAndGradient<A extends Vector>(
  model: ModelShape,
  flat: A,
  ids: ArrayLike<number>,
  B: number,
): { loss: number; gradient: A } {
  const table = parameterTable(model);
  const batch = batchOf(ids, B);
  const tape: LayerTape<A>[] = [];
  const head = forward(model, tensorViews(table, flat), batch, tape);
  const gradient = zeros(flat, table.length);
  backward(model, tensorViews(table, flat), tensorViews(table, gradient), batch, tape, head);
  return { loss: head.loss, gradient };
}

/** Mean loss of ids (B, T+1), forward only, a sequence at a time: memory holds one layer of one sequence. */
export function lossOnly<A extends Vector>(model: ModelShape, flat: A, ids: ArrayLike<number>, B: number): number {
  const weights = tensorViews(parameterTable(model), flat);
  const width = ids.length / B;
  let sum = 0;
  for (let b = 0; b < B; b++) {
    const sequence = Array.prototype.slice.call(ids, b * width, (b + 1) * width) as number[];
    sum += forward(model, weights, batchOf(sequence, 1)).loss;
  }
  return sum / B;
}

/** Logits (T, V) behind each of T ids, of one sequence computed as a whole: what decoding step by step must come to. */
export function logitsOf<A extends Vector>(model: ModelShape, flat: A, ids: ArrayLike<number>): A {
  const sizes = { B: 1, T: ids.length };
  return logitsForward(model, tensorViews(parameterTable(model), flat), ids, shapesOf(model, sizes)).logits;
}

export type Tensors<A extends Vector> = (name: string) => A;

/** Views into the flat vector by tensor name: writing one writes the vector. */
export function tensorViews<A extends Vector>(table: ParameterTable, flat: A): Tensors<A> {
  if (flat.length !== table.length)
    throw new RangeError(
      `parameters: ${flat.length} floats, but the model has ${table.length}; check the model's shape`,
    );
  const views = new Map(table.tensors.map((t) => [t.name, flat.subarray(t.offset, t.offset + t.length) as A]));
  return (name) => {
    const view = views.get(name);
    if (view === undefined) throw new Error(`no tensor ${name} in the parameter table`);
    return view;
  };
}

interface Batch {
  readonly B: number;
  readonly T: number;
  readonly inputs: Uint16Array; //  (B, T)
  readonly targets: Uint16Array; // (B, T)
}

export function batchOf(ids: ArrayLike<number>, B: number): Batch {
  const T = ids.length / B - 1;
  if (!Number.isInteger(T) || T < 1)
    throw new RangeError(`ids: ${ids.length} ids are not ${B} sequences of T+1; give B x (T+1) ids with T >= 1`);
  const inputs = new Uint16Array(B * T);
  const targets = new Uint16Array(B * T);
  for (let b = 0; b < B; b++) {
    for (let t = 0; t < T; t++) {
      inputs[b * T + t] = ids[b * (T + 1) + t];
      targets[b * T + t] = ids[b * (T + 1) + t + 1];
    }
  }
  return { B, T, inputs, targets };
}

export function shapesOf(m: RankShape, { B, T }: { readonly B: number; readonly T: number }) {
  const D = headSizeOf(m);
  const [N, C, F, A, KV] = [B * T, m.dModel, m.dFfn, m.heads * D, m.kvHeads * D];
  return {
    embedding: { N, V: m.vocabSize, C },
    norm: { N, C, eps: m.normEps },
    late: latenessOf(m),
    qProj: { N, I: C, O: A },
    kvProj: { N, I: C, O: KV },
    oProj: { N, I: A, O: C },
    qRope: { B, T, heads: m.heads, D, theta: m.ropeTheta },
    kRope: { B, T, heads: m.kvHeads, D, theta: m.ropeTheta },
    attention: { B, T, NH: m.heads, KVH: m.kvHeads, D },
    ffnIn: { N, I: C, O: F },
    ffnOut: { N, I: F, O: C },
    head: { N, I: C, O: m.vocabSize },
    crossEntropy: { N, V: m.vocabSize },
  };
}

export const headName = (model: ModelShape) => (model.tiedEmbedding ? "model.embed_tokens.weight" : "lm_head.weight");

/** What the backward pass needs of one layer. */
type LayerTape<A extends Vector> = ReturnType<typeof layerForward<A>>;
type HeadTape<A extends Vector> = ReturnType<typeof forward<A>>;

/** @param attend of these rows alone, unless older keys and values were kept */
export function layerForward<A extends Vector>(
  weight: Tensors<A>,
  stream: Stream<A>,
  s: ReturnType<typeof shapesOf>,
  attend = (qkv: { readonly q: A; readonly k: A; readonly v: A }) => attentionForward(qkv, s.attention),
) {
  const { norm: norm1, left } = normBefore(weight("input_layernorm.weight"), stream, s);
  const attention = attentionBlock(weight, norm1.normed, s, attend);
  const between = { residual: norm1.residual, given: [...left, attention.projected] };
  const { norm: norm2, left: late } = normBefore(weight("post_attention_layernorm.weight"), between, s);
  const mlp = mlpBlock(weight, norm2.normed, s);
  return { norm1, ...attention, norm2, ...mlp, stream: { residual: norm2.residual, given: [...late, mlp.out] } };
}

/** From the normed stream to what is added to it: of all heads, or of those that a rank of an island has. */
export function attentionBlock<A extends Vector>(
  weight: Tensors<A>,
  x: A,
  s: ReturnType<typeof shapesOf>,
  attend = (qkv: { readonly q: A; readonly k: A; readonly v: A }) => attentionForward(qkv, s.attention),
) {
  const q = ropeForward(linearForward({ x, weight: weight("self_attn.q_proj.weight") }, s.qProj), s.qRope);
  const k = ropeForward(linearForward({ x, weight: weight("self_attn.k_proj.weight") }, s.kvProj), s.kRope);
  const v = linearForward({ x, weight: weight("self_attn.v_proj.weight") }, s.kvProj);
  const attended = attend({ q, k, v });
  const projected = linearForward({ x: attended.out, weight: weight("self_attn.o_proj.weight") }, s.oProj);
  return { q, k, v, attended, projected };
}

export function mlpBlock<A extends Vector>(weight: Tensors<A>, x: A, s: ReturnType<typeof shapesOf>) {
  const gate = linearForward({ x, weight: weight("mlp.gate_proj.weight") }, s.ffnIn);
  const up = linearForward({ x, weight: weight("mlp.up_proj.weight") }, s.ffnIn);
  const hidden = swigluForward({ gate, up });
  return { gate, up, hidden, out: linearForward({ x: hidden, weight: weight("mlp.down_proj.weight") }, s.ffnOut) };
}

function forward<A extends Vector>(model: ModelShape, weights: Tensors<A>, batch: Batch, tape?: LayerTape<A>[]) {
  const s = shapesOf(model, batch);
  const { norm, logits } = logitsForward(model, weights, batch.inputs, s, tape);
  const { loss, lse } = crossEntropyForward({ logits, targets: batch.targets }, s.crossEntropy);
  return { norm, logits, loss, lse };
}

function logitsForward<A extends Vector>(
  model: ModelShape,
  weights: Tensors<A>,
  ids: ArrayLike<number>,
  s: ReturnType<typeof shapesOf>,
  tape?: LayerTape<A>[],
) {
  const embedded = embeddingForward({ ids, weight: weights("model.embed_tokens.weight") }, s.embedding);
  let stream: Stream<A> = { residual: embedded, given: [] };
  for (let l = 0; l < model.layers; l++) {
    const layer = layerForward((name) => weights(`model.layers.${l}.${name}`), stream, s);
    tape?.push(layer);
    stream = layer.stream;
  }
  const { residual, given } = stream;
  const norm = rmsnormForward({ partials: given, residual, weight: weights("model.norm.weight") }, s.norm);
  const logits = linearForward({ x: norm.normed, weight: weights(headName(model)) }, s.head);
  return { norm, logits };
}

/** dStream goes from behind the layer to before it. */
function layerBackward<A extends Vector>(
  weight: Tensors<A>,
  dWeight: Tensors<A>,
  tape: LayerTape<A>,
  dStream: StreamGradient<A>,
  s: ReturnType<typeof shapesOf>,
): void {
  const { norm1, norm2 } = tape;
  const done = (name: string, norm: typeof norm1, dNormed: A): void =>
    dStream.blockDone({ ...norm, dNormed, weight: weight(name), dWeight: dWeight(name) });
  const dNormed2 = mlpBlockBackward(weight, dWeight, { ...tape, x: norm2.normed }, dStream.value, s);
  done("post_attention_layernorm.weight", norm2, dNormed2);
  const dNormed1 = attentionBlockBackward(weight, dWeight, { ...tape, x: norm1.normed }, dStream.value, s);
  done("input_layernorm.weight", norm1, dNormed1);
}

type BlockTape<A extends Vector, Block extends (...given: never[]) => object> = ReturnType<Block> & { readonly x: A };

/** Adds the weights' gradients, and answers the normed stream's. */
export function attentionBlockBackward<A extends Vector>(
  weight: Tensors<A>,
  dWeight: Tensors<A>,
  { q, k, v, attended, x }: BlockTape<A, typeof attentionBlock<A>>,
  dOut: A,
  s: ReturnType<typeof shapesOf>,
): A {
  const linear = linearWith(weight, dWeight);
  const dAttended = linear("self_attn.o_proj.weight", dOut, attended.out, s.oProj);
  const { dq, dk, dv } = attentionBackward({ q, k, v, ...attended, dOut: dAttended }, s.attention);
  const dx = linear("self_attn.q_proj.weight", ropeBackward(dq, s.qRope), x, s.qProj);
  addInPlace(dx, linear("self_attn.k_proj.weight", ropeBackward(dk, s.kRope), x, s.kvProj));
  addInPlace(dx, linear("self_attn.v_proj.weight", dv, x, s.kvProj));
  return dx;
}

/** As attentionBlockBackward. */
export function mlpBlockBackward<A extends Vector>(
  weight: Tensors<A>,
  dWeight: Tensors<A>,
  { gate, up, hidden, x }: BlockTape<A, typeof mlpBlock<A>>,
  dOut: A,
  s: ReturnType<typeof shapesOf>,
): A {
  const linear = linearWith(weight, dWeight);
  const dHidden = linear("mlp.down_proj.weight", dOut, hidden, s.ffnOut);
  const { dGate, dUp } = swigluBackward({ gate, up, dHidden });
  const dx = linear("mlp.gate_proj.weight", dGate, x, s.ffnIn);
  addInPlace(dx, linear("mlp.up_proj.weight", dUp, x, s.ffnIn));
  return dx;
}

const linearWith =
  <A extends Vector>(weight: Tensors<A>, dWeight: Tensors<A>) =>
  (name: string, dy: A, x: A, shape: { N: number; I: number; O: number }): A => {
    const d = linearBackward({ dy, x, weight: weight(name) }, shape);
    addInPlace(dWeight(name), d.dWeight);
    return d.dx;
  };

function backward<A extends Vector>(
  model: ModelShape,
  weights: Tensors<A>,
  gradients: Tensors<A>,
  batch: Batch,
  tape: readonly LayerTape<A>[],
  { norm, logits, lse }: HeadTape<A>,
): void {
  const s = shapesOf(model, batch);
  const dy = crossEntropyBackward({ logits, targets: batch.targets, lse }, s.crossEntropy);
  const head = linearBackward({ dy, x: norm.normed, weight: weights(headName(model)) }, s.head);
  addInPlace(gradients(headName(model)), head.dWeight);
  const last = rmsnormBackward({ ...norm, dNormed: head.dx, weight: weights("model.norm.weight") }, s.norm);
  addInPlace(gradients("model.norm.weight"), last.dWeight);
  const dStream = new StreamGradient(last.dResidual, s);
  for (let l = model.layers - 1; l >= 0; l--) {
    const named = (tensors: Tensors<A>) => (name: string) => tensors(`model.layers.${l}.${name}`);
    layerBackward(named(weights), named(gradients), tape[l], dStream, s);
  }
  const dEmbedding = embeddingBackward({ ids: batch.inputs, dx: dStream.end() }, s.embedding);
  addInPlace(gradients("model.embed_tokens.weight"), dEmbedding); // tied: the head's gradient is already there
}
