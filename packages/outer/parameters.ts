// The parameter table: every tensor of the model with its name, shape and place in the flat vector that the swarm shares.
//
// Names and shapes are those of Hugging Face's Llama layout (a linear layer is [out, in]), so that an export is a copy.
// The flat vector holds the tensors in name order (compared as bytes); the same order is hashed.
import type { ModelShape } from "#wire";

export interface TensorPlace {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number; // in floats, from the start of the flat vector
  readonly length: number; // in floats
}

export interface ParameterTable {
  readonly tensors: readonly TensorPlace[];
  readonly length: number; // floats in all
}

/** A model, or the part of one that a rank of an island has: fewer heads, each as wide as the whole model's. */
export interface RankShape extends ModelShape {
  /** Absent: dModel / heads. */
  readonly headSize?: number;
  /** Of a stage of a pipeline, whose layers count from 0: the first has the embedding, the last one the norm and the head. Absent: all of them. */
  readonly stage?: { readonly first: boolean; readonly last: boolean };
}

export const headSizeOf = ({ headSize, dModel, heads }: RankShape): number => headSize ?? dModel / heads;

export function parameterTable(model: RankShape): ParameterTable {
  const { vocabSize: V, dModel: C, layers: L, dFfn: F } = model;
  const [width, kvWidth] = [model.heads, model.kvHeads].map((heads) => heads * headSizeOf(model));
  const { first, last } = model.stage ?? { first: true, last: true };
  const shapes: [string, number[]][] = [];
  if (first || (last && model.tiedEmbedding)) shapes.push(["model.embed_tokens.weight", [V, C]]);
  if (last) shapes.push(["model.norm.weight", [C]]);
  if (last && !model.tiedEmbedding) shapes.push(["lm_head.weight", [V, C]]);
  for (let l = 0; l < L; l++) {
    const layer = `model.layers.${l}`;
    shapes.push(
      [`${layer}.input_layernorm.weight`, [C]],
      [`${layer}.self_attn.q_proj.weight`, [width, C]],
      [`${layer}.self_attn.k_proj.weight`, [kvWidth, C]],
      [`${layer}.self_attn.v_proj.weight`, [kvWidth, C]],
      [`${layer}.self_attn.o_proj.weight`, [C, width]],
      [`${layer}.post_attention_layernorm.weight`, [C]],
      [`${layer}.mlp.gate_proj.weight`, [F, C]],
      [`${layer}.mlp.up_proj.weight`, [F, C]],
      [`${layer}.mlp.down_proj.weight`, [C, F]],
    );
  }
  return tableOf(shapes);
}

/** Tensors in name order, one behind the other. */
export function tableOf(shapes: readonly (readonly [name: string, shape: readonly number[]])[]): ParameterTable {
  const sorted = [...shapes].sort(([a], [b]) => (a < b ? -1 : 1)); // ASCII names: code-unit order is byte order
  let offset = 0;
  const tensors = sorted.map(([name, shape]) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const place = { name, shape, offset, length };
    offset += length;
    return place;
  });
  return { tensors, length: offset };
}
