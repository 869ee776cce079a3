// The second reader's parameters, written from docs/FORMATS.md alone: which tensors a run shares, and their values before round 0.
import { mix, type Tensor } from "./second-codecs.ts";

const { imul, sqrt } = Math;

interface Model {
  readonly vocabSize: number;
  readonly dModel: number;
  readonly layers: number;
  readonly dFfn: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly contextLength: number;
  readonly tiedEmbedding: boolean;
}

/** What of a spec says what peers share. */
export interface Parameters {
  readonly seed: number;
  readonly model: Model;
  readonly base?: { readonly blobs: readonly { readonly hash: string }[] } | undefined;
  readonly lora?: { readonly rank: number; readonly targets: readonly string[] } | undefined;
}

/** Those of the flat vector, in order: the model's, or its adapters'. */
export function tensors({ model, lora }: Parameters): Tensor[] {
  if (!lora) return ofModel(model);
  const adapted = ofModel(model).filter(([name]) =>
    lora.targets.includes(/\.(\w+)_proj\.weight$/.exec(name)?.[1] ?? ""),
  );
  const sizes = adapted.flatMap(([name, rows, columns]): Tensor[] => {
    const within = `base_model.model.${name.replace(/\.weight$/, "")}`;
    return [
      [`${within}.lora_A.weight`, lora.rank, columns],
      [`${within}.lora_B.weight`, rows, lora.rank],
    ];
  });
  return sizes.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Name, rows, columns: 1 of a norm's weights. */
function ofModel({ vocabSize, dModel, layers, dFfn, heads, kvHeads, tiedEmbedding }: Model): Tensor[] {
  const kv = (dModel / heads) * kvHeads;
  const sizes: Tensor[] = [
    ["model.embed_tokens.weight", vocabSize, dModel],
    ["model.norm.weight", dModel, 1],
    ...(tiedEmbedding ? [] : ([["lm_head.weight", vocabSize, dModel]] as Tensor[])),
  ];
  for (let layer = 0; layer < layers; layer++)
    for (const [name, rows, columns] of [
      ["input_layernorm", dModel, 1],
      ["self_attn.q_proj", dModel, dModel],
      ["self_attn.k_proj", kv, dModel],
      ["self_attn.v_proj", kv, dModel],
      ["self_attn.o_proj", dModel, dModel],
      ["post_attention_layernorm", dModel, 1],
      ["mlp.gate_proj", dFfn, dModel],
      ["mlp.up_proj", dFfn, dModel],
      ["mlp.down_proj", dModel, dFfn],
    ] as const)
      sizes.push([`model.layers.${layer}.${name}.weight`, rows, columns]);
  return sizes.sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The flat vector before round 0. */
export function genesis(spec: Parameters, blobs: ReadonlyMap<string, Uint8Array>): Float32Array {
  if (spec.base && !spec.lora) {
    const bytes = Buffer.concat(spec.base.blobs.map(({ hash }) => blobs.get(hash)!));
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }
  const list = tensors(spec);
  const values = new Float32Array(list.reduce((sum, [, rows, columns]) => sum + rows * columns, 0));
  const key = mix(spec.seed ^ 0x9e3779b9);
  let place = 0;
  for (const [name, rows, columns] of list)
    for (const end = place + rows * columns; place < end; place++) {
      if (name.endsWith("norm.weight")) {
        values[place] = 1;
        continue;
      }
      if (name.endsWith("lora_B.weight")) continue;
      let sum = 0;
      for (let draw = 0; draw < 4; draw++) {
        const bits = mix(mix(imul(4, place) + draw) ^ key);
        sum += (bits & 0xffff) + (bits >>> 16);
      }
      const adapter = name.endsWith("lora_A.weight") && 1 / sqrt(3 * columns);
      const small = /(o_proj|down_proj)/.test(name);
      const std = name.includes("embed_tokens") ? 0.05 : small ? 0.02 / sqrt(2 * spec.model.layers) : 0.02;
      values[place] = (sum - 262_140) * ((adapter || std) / sqrt((8 * (65_536 ** 2 - 1)) / 12));
    }
  return values;
}
