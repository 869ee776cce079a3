// A Llama as GGUF: tensors by llama.cpp's names, queries and keys with their rows as it turns them, the vocabulary inside.
import { type ParameterTable, parameterTable, type TensorPlace } from "#outer";
import type { ModelShape } from "#wire";
import { type GgufTensor, type GgufValue, ggufHeader, paddingBehind } from "./gguf.ts";
import { type GgufVocabulary, vocabularyOf } from "./gguf-vocabulary.ts";
import type { SpecialIds } from "./llama-config.ts";
import { Q8_BLOCK } from "./q8.ts";
import { bytesOf, type FloatSource, type OutType, pairedBytes, plainBytes } from "./tensors-out.ts";

const fileTypes: Readonly<Record<OutType, number>> = { F32: 0, F16: 1, Q8_0: 7, BF16: 32 };

const names: Readonly<Record<string, string>> = {
  "model.embed_tokens.weight": "token_embd.weight",
  "model.norm.weight": "output_norm.weight",
  "lm_head.weight": "output.weight",
};
const namesInLayer: Readonly<Record<string, string>> = {
  "input_layernorm.weight": "attn_norm.weight",
  "self_attn.q_proj.weight": "attn_q.weight",
  "self_attn.k_proj.weight": "attn_k.weight",
  "self_attn.v_proj.weight": "attn_v.weight",
  "self_attn.o_proj.weight": "attn_output.weight",
  "post_attention_layernorm.weight": "ffn_norm.weight",
  "mlp.gate_proj.weight": "ffn_gate.weight",
  "mlp.up_proj.weight": "ffn_up.weight",
  "mlp.down_proj.weight": "ffn_down.weight",
};

function nameOf(ours: string): string {
  const [, layer, rest] = /^model\.layers\.(\d+)\.(.+)$/.exec(ours) ?? [];
  return layer === undefined ? names[ours] : `blk.${layer}.${namesInLayer[rest]}`;
}

/** Vectors stay f32, as llama.cpp has them; a row that is not of whole blocks is f16. */
function typeOf({ shape }: TensorPlace, type: OutType): OutType {
  if (shape.length === 1) return "F32";
  return type === "Q8_0" && shape[1] % Q8_BLOCK !== 0 ? "F16" : type;
}

/** Texts about the model, by GGUF's keys: "general.name", "general.license", … */
export type GgufTexts = Readonly<Record<string, string>>;

export interface GgufPlan {
  readonly bytes: number;
  /** The file, from its first byte to its last. Rejects with FormatError when the type cannot hold a value. */
  chunks(source: FloatSource): AsyncGenerator<Uint8Array>;
}

/**
 * @param tokenizer a parsed tokenizer.json
 * @throws FormatError for a tokenizer that llama.cpp would not follow
 */
export function planGguf(
  model: ModelShape,
  type: OutType,
  {
    tokenizer,
    special,
    texts,
  }: { readonly tokenizer: unknown; readonly special: SpecialIds; readonly texts: GgufTexts },
): GgufPlan {
  const table: ParameterTable = parameterTable(model);
  const tensors = table.tensors.map((place): GgufTensor & { place: TensorPlace } => {
    const own = typeOf(place, type);
    return { name: nameOf(place.name), shape: place.shape, type: own, bytes: bytesOf(place.length, own), place };
  });
  const header = ggufHeader(pairsOf(model, type, vocabularyOf(tokenizer, model.vocabSize), special, texts), tensors);
  return {
    bytes: tensors.reduce((sum, { bytes }) => sum + bytes + paddingBehind(bytes), header.length),
    async *chunks(source) {
      yield header;
      for (const { place, type: own, bytes } of tensors) {
        const heads = headsOf(place.name, model);
        yield* heads === undefined ? plainBytes(source, place, own) : pairedBytes(source, place, own, heads);
        if (paddingBehind(bytes) > 0) yield new Uint8Array(paddingBehind(bytes));
      }
    },
  };
}

function headsOf(name: string, model: ModelShape): number | undefined {
  if (name.endsWith("q_proj.weight")) return model.heads;
  return name.endsWith("k_proj.weight") ? model.kvHeads : undefined;
}

function pairsOf(
  model: ModelShape,
  type: OutType,
  vocabulary: GgufVocabulary,
  special: SpecialIds,
  texts: GgufTexts,
): [string, GgufValue][] {
  // Where a file names no such tokens llama.cpp takes 11, which is a letter of most vocabularies; 0 is a byte that no text has.
  const [bos, eos] = [special.bos ?? special.eos ?? 0, special.eos ?? 0];
  return [
    ["general.architecture", { text: "llama" }],
    ["general.type", { text: "model" }],
    ["general.file_type", { u32: fileTypes[type] }],
    ["general.quantization_version", { u32: 2 }],
    ...Object.entries(texts).map(([key, text]): [string, GgufValue] => [key, { text }]),
    ["llama.vocab_size", { u32: model.vocabSize }],
    ["llama.context_length", { u32: model.contextLength }],
    ["llama.embedding_length", { u32: model.dModel }],
    ["llama.block_count", { u32: model.layers }],
    ["llama.feed_forward_length", { u32: model.dFfn }],
    ["llama.attention.head_count", { u32: model.heads }],
    ["llama.attention.head_count_kv", { u32: model.kvHeads }],
    ["llama.attention.layer_norm_rms_epsilon", { f32: model.normEps }],
    ["llama.rope.dimension_count", { u32: model.dModel / model.heads }],
    ["llama.rope.freq_base", { f32: model.ropeTheta }],
    ["tokenizer.ggml.model", { text: "gpt2" }],
    ["tokenizer.ggml.pre", { text: vocabulary.pre }],
    ["tokenizer.ggml.tokens", { texts: vocabulary.tokens }],
    ["tokenizer.ggml.token_type", { i32s: vocabulary.types }],
    ["tokenizer.ggml.merges", { texts: vocabulary.merges }],
    ["tokenizer.ggml.bos_token_id", { u32: bos }],
    ["tokenizer.ggml.eos_token_id", { u32: eos }],
    ...(special.pad === null
      ? []
      : ([["tokenizer.ggml.padding_token_id", { u32: special.pad }]] as [string, GgufValue][])),
    ["tokenizer.ggml.add_bos_token", { bool: vocabulary.addsBos }],
  ];
}
