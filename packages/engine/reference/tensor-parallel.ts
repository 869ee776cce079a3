// The decoder cut among the ranks of an island: each computes some heads and some feed-forward columns, and what they add to the residual stream is
// summed over the ranks; so are the gradients of what they read of it. (Shoeybi et al. 2019, Megatron-LM: one all-reduce behind each block, forward and backward.)
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { Exchange } from "#wire/islands";
import { joinParts, partOf, rankShape, sharesOf } from "../island/parts.ts";
import { crossEntropyBackward, crossEntropyForward } from "./cross-entropy.ts";
import { embeddingBackward, embeddingForward } from "./embedding.ts";
import { linearBackward, linearForward } from "./matmul.ts";
import {
  attentionBlock,
  attentionBlockBackward,
  batchOf,
  headName,
  mlpBlock,
  mlpBlockBackward,
  shapesOf,
  type Tensors,
  tensorViews,
} from "./model.ts";
import { rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";
import { decodeShard, encodeShard } from "./shard.ts";
import { normBefore, type Stream, StreamGradient } from "./stream.ts";
import { addInPlace, type Vector, zeros } from "./vector.ts";

/** As lossAndGradient(), over so many ranks. @param exchange what a partial sum is when it has crossed */
export function tensorParallelGradient<A extends Float32Array | Float64Array>(
  { model, ranks, exchange }: { readonly model: ModelShape; readonly ranks: number; readonly exchange: Exchange },
  flat: A,
  ids: ArrayLike<number>,
  B: number,
): { loss: number; gradient: A } {
  const batch = batchOf(ids, B);
  const members = sharesOf(model, ranks).map((share) => {
    const shape = rankShape(model, share);
    const table = parameterTable(shape);
    const part = partOf(model, share, flat);
    const gradient = zeros(part, table.length);
    const s = shapesOf(shape, batch);
    return { weights: tensorViews(table, part), gradients: tensorViews(table, gradient), gradient, s };
  });
  const [{ weights, gradients, s }] = members; // what is everybody's is computed once here
  const named =
    (tensors: Tensors<A>, l: number): Tensors<A> =>
    (name) =>
      tensors(`model.layers.${l}.${name}`);
  /** What everybody adds up, each in the same order. */
  const allReduce = (partials: readonly A[]): A => {
    const sum = zeros(partials[0], partials[0].length);
    for (const partial of partials) addInPlace(sum, crossed(partial, exchange));
    return sum;
  };

  const embedded = embeddingForward({ ids: batch.inputs, weight: weights("model.embed_tokens.weight") }, s.embedding);
  let stream: Stream<A> = { residual: embedded, given: [] };
  const tape = Array.from({ length: model.layers }, (_, l) => {
    const weight = named(weights, l);
    const { norm: norm1, left } = normBefore(weight("input_layernorm.weight"), stream, s);
    const attention = members.map((m) => attentionBlock(named(m.weights, l), norm1.normed, m.s));
    const attended = allReduce(attention.map(({ projected }) => projected));
    const between = { residual: norm1.residual, given: [...left, attended] };
    const { norm: norm2, left: late } = normBefore(weight("post_attention_layernorm.weight"), between, s);
    const mlp = members.map((m) => mlpBlock(named(m.weights, l), norm2.normed, m.s));
    stream = { residual: norm2.residual, given: [...late, allReduce(mlp.map(({ out }) => out))] };
    return { norm1, attention, norm2, mlp };
  });
  const { residual, given } = stream;
  const norm = rmsnormForward({ partials: given, residual, weight: weights("model.norm.weight") }, s.norm);
  const logits = linearForward({ x: norm.normed, weight: weights(headName(model)) }, s.head);
  const { loss, lse } = crossEntropyForward({ logits, targets: batch.targets }, s.crossEntropy);

  const dy = crossEntropyBackward({ logits, targets: batch.targets, lse }, s.crossEntropy);
  const head = linearBackward({ dy, x: norm.normed, weight: weights(headName(model)) }, s.head);
  addInPlace(gradients(headName(model)), head.dWeight);
  const last = rmsnormBackward({ ...norm, dNormed: head.dx, weight: weights("model.norm.weight") }, s.norm);
  addInPlace(gradients("model.norm.weight"), last.dWeight);
  const dStream = new StreamGradient(last.dResidual, s);
  for (let l = model.layers - 1; l >= 0; l--) {
    const { norm1, attention, norm2, mlp } = tape[l];
    const back = (
      name: string,
      forward: typeof norm1,
      block: (member: (typeof members)[number], rank: number) => A,
    ): void => {
      const dNormed = allReduce(members.map(block));
      const [weight, dWeight] = [named(weights, l)(name), named(gradients, l)(name)];
      dStream.blockDone({ ...forward, dNormed, weight, dWeight });
    };
    back("post_attention_layernorm.weight", norm2, (m, rank) => {
      const given = { ...mlp[rank], x: norm2.normed };
      return mlpBlockBackward(named(m.weights, l), named(m.gradients, l), given, dStream.value, m.s);
    });
    back("input_layernorm.weight", norm1, (m, rank) => {
      const given = { ...attention[rank], x: norm1.normed };
      return attentionBlockBackward(named(m.weights, l), named(m.gradients, l), given, dStream.value, m.s);
    });
  }
  const dEmbedding = embeddingBackward({ ids: batch.inputs, dx: dStream.end() }, s.embedding);
  addInPlace(gradients("model.embed_tokens.weight"), dEmbedding);
  return {
    loss,
    gradient: joinParts(
      model,
      members.map(({ gradient }) => gradient),
    ),
  };
}

/** A partial sum as it is on the other side. */
function crossed<A extends Vector>(partial: A, exchange: Exchange): A {
  if (exchange === "f32") return partial;
  const decoded = zeros(partial, partial.length);
  decoded.set(decodeShard(encodeShard(partial)));
  return decoded;
}
