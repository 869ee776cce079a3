// Low-rank adapters (LoRA; Hu et al., 2021): beside a linear layer W0 (out, in) that stays, the swarm trains B (out, r) and A (r, in).
//
//   W = W0 + (alpha / r) · B · A        B starts at zero, so that the first W is W0; A is pseudo-normal by the run's seed
//
// The flat vector that peers share, hash and exchange holds the adapters alone, under the names of PEFT's adapter files.
import { LORA_TARGETS, type LoraShape, type LoraTarget, loraLayerShape, type ModelShape, type RunSpec } from "#wire";
import { pseudoNormal } from "./genesis.ts";
import { type ParameterTable, parameterTable, type TensorPlace, tableOf } from "./parameters.ts";

const MODULES: Readonly<Record<LoraTarget, string>> = {
  q: "self_attn.q_proj",
  k: "self_attn.k_proj",
  v: "self_attn.v_proj",
  o: "self_attn.o_proj",
  gate: "mlp.gate_proj",
  up: "mlp.up_proj",
  down: "mlp.down_proj",
};

/** What an adapter stands beside, and where its two matrices lie. */
export interface Adapter {
  readonly layer: number;
  readonly target: LoraTarget;
  readonly out: number;
  readonly in: number;
  /** Of the layer's weight, (out, in), in the model's flat vector. */
  readonly weightOffset: number;
  /** Of A (r, in), in the adapters' flat vector. */
  readonly aOffset: number;
  /** Of B (out, r). */
  readonly bOffset: number;
}

const nameOf = (layer: number, target: LoraTarget, part: "A" | "B"): string =>
  `base_model.model.model.layers.${layer}.${MODULES[target]}.lora_${part}.weight`;

/** The adapters' tensors: what a run with `lora` shares. */
export function adapterTable(model: ModelShape, { rank, targets }: LoraShape): ParameterTable {
  const shapes: [string, number[]][] = [];
  for (let layer = 0; layer < model.layers; layer++)
    for (const target of targets) {
      const [out, into] = loraLayerShape(model, target);
      shapes.push([nameOf(layer, target, "A"), [rank, into]], [nameOf(layer, target, "B"), [out, rank]]);
    }
  return tableOf(shapes);
}

/** What a run's peers share: the whole model, or adapters alone. */
export const sharedTable = ({ model, lora }: Pick<RunSpec, "model" | "lora">): ParameterTable =>
  lora ? adapterTable(model, lora) : parameterTable(model);

/** Every adapter with its places, layer by layer. */
export function adaptersOf(model: ModelShape, lora: LoraShape): Adapter[] {
  const byName = (table: ParameterTable) => new Map(table.tensors.map((place) => [place.name, place]));
  const [weights, own] = [byName(parameterTable(model)), byName(adapterTable(model, lora))];
  const at = (places: ReadonlyMap<string, TensorPlace>, name: string): number => {
    const place = places.get(name);
    if (!place) throw new Error(`no tensor ${name}`);
    return place.offset;
  };
  return Array.from({ length: model.layers }, (_, layer) =>
    LORA_TARGETS.filter((target) => lora.targets.includes(target)).map((target) => {
      const [out, into] = loraLayerShape(model, target);
      return {
        ...{ layer, target, out, in: into },
        weightOffset: at(weights, `model.layers.${layer}.${MODULES[target]}.weight`),
        aOffset: at(own, nameOf(layer, target, "A")),
        bOffset: at(own, nameOf(layer, target, "B")),
      };
    }),
  ).flat();
}

export const loraScale = ({ alpha, rank }: LoraShape): number => alpha / rank;

/** The adapters before round 0: A about normal with the variance of PEFT's Kaiming-uniform draw, 1 / (3 · in); B zero. */
export function genesisAdapters(model: ModelShape, lora: LoraShape, seed: number): Float32Array {
  const flat = new Float32Array(adapterTable(model, lora).length);
  const draw = pseudoNormal(seed);
  for (const { aOffset, in: into } of adaptersOf(model, lora))
    draw(flat, aOffset, aOffset + lora.rank * into, 1 / Math.sqrt(3 * into));
  return flat;
}

/**
 * W0 + (alpha / r) · B · A as one flat vector of the whole model; the base stays as it is. The same bits in every JavaScript engine: f64 sums
 * in order of the rank, each rounded to f32 where it is stored.
 */
export function mergeAdapters(
  model: ModelShape,
  lora: LoraShape,
  base: Float32Array,
  adapters: Float32Array,
): Float32Array {
  const merged = base.slice();
  mergeRange(model, lora, adapters, merged, 0);
  return merged;
}

/** The same in place, of a part of the model's vector: `values` holds the base's floats from `from` on. The same bits, however it is cut. */
export function mergeRange(
  model: ModelShape,
  lora: LoraShape,
  adapters: Float32Array,
  values: Float32Array,
  from: number,
): void {
  const { rank } = lora;
  const scale = loraScale(lora);
  for (const { out, in: into, weightOffset, aOffset, bOffset } of adaptersOf(model, lora)) {
    const first = Math.max(0, Math.floor((from - weightOffset) / into));
    const last = Math.min(out, Math.ceil((from + values.length - weightOffset) / into));
    const row = new Float64Array(into);
    for (let o = first; o < last; o++) {
      row.fill(0);
      for (let k = 0; k < rank; k++) {
        const b = adapters[bOffset + o * rank + k];
        const a = aOffset + k * into;
        for (let i = 0; i < into; i++) row[i] += b * adapters[a + i];
      }
      const at = weightOffset + o * into - from;
      for (let i = Math.max(0, -at); i < Math.min(into, values.length - at); i++) values[at + i] += scale * row[i];
    }
  }
}
