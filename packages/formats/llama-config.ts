// Hugging Face's config.json of a Llama <-> our ModelShape. What we cannot run is refused by its key, so nothing is ever computed otherwise than its
// maker meant. Keys and defaults are those of transformers' LlamaConfig (4.57 and 5.18).
import { type ModelShape, modelSchema } from "#wire";
import { FormatError } from "./source.ts";

type Config = Readonly<Record<string, unknown>>;

/** Keys whose one value is what our decoder does; absent or null means that value too, as LlamaConfig has it. */
const only: readonly { key: string; value: unknown; remedy: string }[] = [
  { key: "model_type", value: "llama", remedy: "Only the Llama family is run here." },
  { key: "hidden_act", value: "silu", remedy: "The feed-forward layer here is SwiGLU." },
  { key: "attention_bias", value: false, remedy: "Linear layers here have no bias." },
  { key: "mlp_bias", value: false, remedy: "Linear layers here have no bias." },
  {
    key: "attention_dropout",
    value: 0,
    remedy: "There is no dropout here: set it to 0, if it may be trained without.",
  },
  {
    key: "pretraining_tp",
    value: 1,
    remedy: "Linear layers here are computed whole: set it to 1, the weights are the same.",
  },
  { key: "sliding_window", value: null, remedy: "Attention here sees the whole context." },
  { key: "rope_interleaved", value: false, remedy: "Rotary positions here turn the halves of a head." },
  { key: "quantization_config", value: null, remedy: "Take the model's f32, f16 or bf16 weights." },
  { key: "rope_scaling", value: null, remedy: "Rotary positions here are not scaled: take a model without." },
];

const maxima = { vocab_size: 65_536, max_position_embeddings: 32_768 } as const;

/**
 * @param config the parsed file
 * @param contextLength of the run, where it is to be shorter than the model's: positions are rotations, so any length up to that will do
 * @param name of the file, for messages
 * @throws FormatError
 */
export function modelFromConfig(
  config: unknown,
  { contextLength, name = "config.json" }: { readonly contextLength?: number; readonly name?: string } = {},
): ModelShape {
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new FormatError(`${name} is no JSON object. Take the config.json that came with the weights.`);
  const given = config as Config;
  const wrong = (key: string, remedy: string) =>
    new FormatError(`${name}: ${key} is ${JSON.stringify(given[key])}. ${remedy}`);
  for (const { key, value, remedy } of only) {
    if (key === "model_type" && given[key] === undefined) throw wrong(key, remedy);
    if ((given[key] ?? value) !== value) throw wrong(key, remedy);
  }
  const { architectures } = given;
  if (Array.isArray(architectures) && !architectures.includes("LlamaForCausalLM"))
    throw wrong("architectures", "LlamaForCausalLM is what is run here.");
  const whole = (key: string, absent?: number): number => {
    const value = given[key] ?? absent;
    if (!Number.isSafeInteger(value) || (value as number) < 1) throw wrong(key, "It must be a whole number from 1 on.");
    return value as number;
  };
  const [dModel, heads] = [whole("hidden_size"), whole("num_attention_heads")];
  if (dModel % heads !== 0) throw wrong("num_attention_heads", `It must divide hidden_size, ${dModel}.`);
  if (whole("head_dim", dModel / heads) !== dModel / heads)
    throw wrong("head_dim", `Heads here are hidden_size / num_attention_heads = ${dModel / heads} wide.`);
  const vocabSize = whole("vocab_size");
  if (vocabSize > maxima.vocab_size)
    throw wrong("vocab_size", `Token ids here have 16 bits: take a model of at most ${maxima.vocab_size} tokens.`);
  const longest = whole("max_position_embeddings", 2048);
  const length = contextLength ?? Math.min(longest, maxima.max_position_embeddings);
  if (length > longest)
    throw wrong("max_position_embeddings", `The run's contextLength, ${length}, must not be longer than the model's.`);
  const model = {
    vocabSize,
    dModel,
    layers: whole("num_hidden_layers"),
    heads,
    kvHeads: whole("num_key_value_heads", heads),
    dFfn: whole("intermediate_size"),
    contextLength: length,
    ropeTheta: ropeTheta(given, name),
    normEps: given.rms_norm_eps ?? 1e-6,
    tiedEmbedding: given.tie_word_embeddings ?? false,
  };
  const parsed = modelSchema.safeParse(model);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new FormatError(
    `${name}: makes a model whose ${path.join(".")} cannot be: ${message}. Such a model is not run here.`,
  );
}

/** transformers 5 has rope_parameters, 4 rope_theta; without either it is 10,000. */
function ropeTheta(given: Config, name: string): unknown {
  const parameters = (given.rope_parameters ?? {}) as Config;
  const {
    rope_type = "default",
    rope_theta = given.rope_theta ?? 10_000,
    partial_rotary_factor = 1,
    ...more
  } = parameters;
  if (rope_type !== "default" || partial_rotary_factor !== 1 || Object.keys(more).length > 0)
    throw new FormatError(
      `${name}: rope_parameters is ${JSON.stringify(parameters)}. Rotary positions here are not scaled: rope_type must be "default".`,
    );
  return rope_theta;
}

/** Tokens with a meaning of their own; null: the tokenizer has none. */
export interface SpecialIds {
  readonly bos: number | null;
  readonly eos: number | null;
  readonly pad: number | null;
}

const dtypeNames = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

/** What LlamaForCausalLM.from_pretrained reads, of transformers 4 (rope_theta, torch_dtype) and 5 (rope_parameters, dtype). */
export function configOf(model: ModelShape, dtype: keyof typeof dtypeNames, { bos, eos, pad }: SpecialIds): Config {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: model.vocabSize,
    hidden_size: model.dModel,
    intermediate_size: model.dFfn,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    num_key_value_heads: model.kvHeads,
    head_dim: model.dModel / model.heads,
    hidden_act: "silu",
    max_position_embeddings: model.contextLength,
    rms_norm_eps: model.normEps,
    rope_theta: model.ropeTheta,
    rope_parameters: { rope_type: "default", rope_theta: model.ropeTheta },
    tie_word_embeddings: model.tiedEmbedding,
    attention_bias: false,
    attention_dropout: 0,
    mlp_bias: false,
    initializer_range: 0.02,
    use_cache: true,
    bos_token_id: bos,
    eos_token_id: eos,
    pad_token_id: pad,
    torch_dtype: dtypeNames[dtype],
    dtype: dtypeNames[dtype],
  };
}
