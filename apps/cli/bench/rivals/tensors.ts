// The parameters as rivals hold them: q, k and v as one matrix of rows [out, in], gate and up too, and all of them in one flat vector, over
// which AdamW is one expression. On jax-js that was a fifth faster on wasm than one tensor at a time, and as fast on WebGPU (2026-11-21).
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import { STEP } from "./shapes.ts";

export interface Tensors<A> {
  readonly embed: A;
  readonly norm: A;
  readonly layers: readonly LayerTensors<A>[];
}

export interface LayerTensors<A> {
  readonly norm1: A;
  readonly qkv: A;
  readonly o: A;
  readonly norm2: A;
  readonly gateUp: A;
  readonly down: A;
}

/** The flat vector, tensor by tensor in the order of listTensors(). */
export interface FlatTensors {
  readonly shapes: readonly number[][];
  readonly sizes: number[];
  readonly values: Float32Array<ArrayBuffer>;
  /** What a step leaves of each value before it adds its own: weight decay, on matrices only. */
  readonly kept: Float32Array<ArrayBuffer>;
}

/** @param weights in the order of parameterTable() */
export function flatTensors(model: ModelShape, weights: Float32Array<ArrayBuffer>): FlatTensors {
  const places = new Map(parameterTable(model).tensors.map((place) => [place.name, place]));
  const shapes: number[][] = [];
  const sizes: number[] = [];
  const values = new Float32Array(weights.length);
  const kept = new Float32Array(weights.length).fill(1);
  let at = 0;
  const take = (...names: string[]): void => {
    const from = at;
    for (const name of names) {
      const { offset, length } = places.get(name)!;
      values.set(weights.subarray(offset, offset + length), at);
      at += length;
    }
    const [, columns] = places.get(names[0])!.shape;
    shapes.push(columns === undefined ? [at - from] : [(at - from) / columns, columns]);
    sizes.push(at - from);
    if (columns !== undefined) kept.fill(1 - STEP.learningRate * STEP.weightDecay, from, at);
  };
  take("model.embed_tokens.weight");
  take("model.norm.weight");
  for (let l = 0; l < model.layers; l++) {
    const layer = (...parts: string[]): void => take(...parts.map((part) => `model.layers.${l}.${part}.weight`));
    layer("input_layernorm");
    layer("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");
    layer("self_attn.o_proj");
    layer("post_attention_layernorm");
    layer("mlp.gate_proj", "mlp.up_proj");
    layer("mlp.down_proj");
  }
  return { shapes, sizes, values, kept };
}

export function nameTensors<A>(list: readonly A[]): Tensors<A> {
  const [embed, norm, ...rest] = list;
  const layers = Array.from({ length: rest.length / 6 }, (_, l): LayerTensors<A> => {
    const [norm1, qkv, o, norm2, gateUp, down] = rest.slice(6 * l, 6 * l + 6);
    return { norm1, qkv, o, norm2, gateUp, down };
  });
  return { embed, norm, layers };
}

export const listTensors = <A>({ embed, norm, layers }: Tensors<A>): A[] => [
  embed,
  norm,
  ...layers.flatMap(({ norm1, qkv, o, norm2, gateUp, down }) => [norm1, qkv, o, norm2, gateUp, down]),
];
