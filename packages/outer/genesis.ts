// Genesis: the parameters before round 0, from the spec's model and seed alone, with the same bits in every JavaScript engine.
//
//   (seed, place in the flat vector) -> integer hash -> 8 uniforms of 16 bits -> their sum, about normal -> x std -> f32
//
// Math.log and Math.cos differ between engines, so there is no Box-Muller here: integers, + - * / and sqrt only.
import type { ModelShape } from "#wire";
import { parameterTable } from "./parameters.ts";
import { bitsAt, mix } from "./random.ts";

/** Standard deviation of linear layers, as in GPT-2 and Llama. */
const INIT_STD = 0.02;
/** Embeddings start larger: at 0.02 a tied head's first logits are so flat that a small model spends its first hundred steps on unigrams. */
const EMBEDDING_STD = 0.05;
/** Mean and standard deviation of a sum of 8 uniform integers in [0, 65535] (Irwin-Hall). */
const SUM_MEAN = 4 * 65_535;
const SUM_STD = Math.sqrt((8 * (65_536 * 65_536 - 1)) / 12);

/** Flat vector in parameterTable order: norm weights 1, matrices pseudo-normal; what writes into the residual stream is 1/sqrt(2L) smaller. */
export function genesisParameters(model: ModelShape, seed: number): Float32Array {
  const table = parameterTable(model);
  const flat = new Float32Array(table.length);
  const draw = pseudoNormal(seed);
  for (const { name, offset, length } of table.tensors) {
    if (name.endsWith("norm.weight")) {
      flat.fill(1, offset, offset + length);
      continue;
    }
    const intoResidual = name.endsWith("o_proj.weight") || name.endsWith("down_proj.weight");
    const std = name.endsWith("embed_tokens.weight")
      ? EMBEDDING_STD
      : intoResidual
        ? INIT_STD / Math.sqrt(2 * model.layers)
        : INIT_STD;
    draw(flat, offset, offset + length, std);
  }
  return flat;
}

/** flat[start, end) = pseudo-normal numbers of the seed and of their place in the vector. */
export function pseudoNormal(seed: number): (flat: Float32Array, start: number, end: number, std: number) => void {
  const key = mix(seed ^ 0x9e37_79b9);
  return (flat, start, end, std) => {
    const scale = std / SUM_STD;
    for (let i = start; i < end; i++) flat[i] = (sumOfUniforms(key, i) - SUM_MEAN) * scale; // the store rounds to f32
  };
}

/** Sum of 8 uniform 16-bit integers for this place. The counter wraps past 2^30 parameters, far beyond what a volunteer holds. */
function sumOfUniforms(key: number, place: number): number {
  let sum = 0;
  for (let draw = 0; draw < 4; draw++) {
    const bits = bitsAt(key, Math.imul(place, 4) + draw);
    sum += (bits & 0xffff) + (bits >>> 16);
  }
  return sum;
}
