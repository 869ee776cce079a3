// A tokenizer.json as llama.cpp wants it: a list of tokens, their types, merges, and the name of the way in which text is cut before merging.
//
// llama.cpp knows the cut by name alone, so only those that we can tell apart are written; any other would encode text otherwise without a word.
import { FormatError } from "./source.ts";

export interface GgufVocabulary {
  readonly tokens: readonly string[]; // by id, all of the model's
  readonly types: readonly number[];
  readonly merges: readonly string[];
  readonly pre: string;
  readonly addsBos: boolean; //         before each text, as the tokenizer.json says
}

/** Numbers of llama.cpp's token types. */
const [NORMAL, CONTROL, USER_DEFINED, UNUSED] = [1, 3, 4, 5];

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}
interface Part {
  readonly type?: string;
  readonly [key: string]: unknown;
}
interface TokenizerFile {
  readonly model: Part & {
    readonly vocab: Record<string, number>;
    readonly merges: readonly (string | [string, string])[];
  };
  readonly added_tokens?: readonly AddedToken[];
  readonly normalizer?: Part | null;
  readonly pre_tokenizer?: Part | null;
  readonly post_processor?: Part | null;
}

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const rest = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
/** llama.cpp's names of the cuts that are one regular expression. */
const cutByRegex: Readonly<Record<string, string>> = {
  [`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}${rest}`]: "llama-bpe",
  [`${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${rest}`]: "qwen2",
};

/**
 * @param tokenizer a parsed tokenizer.json
 * @param size tokens of the model; what the tokenizer has not is unused
 * @throws FormatError for a tokenizer that llama.cpp would not follow
 */
export function vocabularyOf(tokenizer: unknown, size: number): GgufVocabulary {
  const { model, added_tokens = [], normalizer, pre_tokenizer, post_processor } = tokenizer as TokenizerFile;
  if (model?.type !== "BPE" || model.byte_fallback === true)
    throw unlike(`its model is ${model?.type}, not byte-level BPE`);
  if (normalizer && normalizer.type !== "NFC") throw unlike(`it normalizes text by ${normalizer.type}`);
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const types = new Array<number>(size).fill(UNUSED);
  const put = (id: number, token: string, type: number): void => {
    if (id >= size)
      throw unlike(`its token ${JSON.stringify(token)} has the id ${id}, but the model has ${size} tokens`);
    tokens[id] = token;
    types[id] = type;
  };
  for (const [token, id] of Object.entries(model.vocab)) put(id, token, NORMAL);
  for (const { id, content, special } of added_tokens) put(id, content, special ? CONTROL : USER_DEFINED);
  return {
    tokens,
    types,
    merges: model.merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" "))),
    pre: cutOf(pre_tokenizer ?? {}, model.merges.length === 0),
    addsBos: beginsWithSpecial(post_processor ?? {}),
  };
}

const unlike = (reason: string): FormatError =>
  new FormatError(
    `This run's tokenizer cannot be written for llama.cpp: ${reason}. Export safetensors; llama.cpp's convert_hf_to_gguf.py knows more tokenizers.`,
  );

function cutOf(part: Part, withoutMerges: boolean): string {
  const parts = part.type === "Sequence" ? (part.pretokenizers as Part[]) : [part];
  const [last, ...before] = [...parts].reverse();
  if (last?.type !== "ByteLevel" || last.add_prefix_space === true) throw unlike(`it cuts text by ${textOf(parts)}`);
  if (withoutMerges) return "gpt-2"; // however text is cut, each byte is a token
  if (last.use_regex !== false) {
    if (before.length === 0) return "gpt-2";
    const [digits] = before;
    if (before.length === 1 && digits.type === "Digits" && digits.individual_digits === true) return "smollm";
  } else if (before.length === 1 && before[0].type === "Split" && before[0].behavior === "Isolated") {
    const regex = (before[0].pattern as { Regex?: string }).Regex ?? "";
    if (Object.hasOwn(cutByRegex, regex)) return cutByRegex[regex];
  }
  throw unlike(`it cuts text by ${textOf(parts)}`);
}

const textOf = (parts: readonly Part[]): string => JSON.stringify(parts).slice(0, 200);

/** TemplateProcessing, alone or in a Sequence, whose template for one text begins with a special token. */
function beginsWithSpecial(part: Part): boolean {
  const parts = part.type === "Sequence" ? (part.processors as Part[]) : [part];
  return parts.some(
    ({ type, single }) => type === "TemplateProcessing" && Object.hasOwn((single as object[])[0] ?? {}, "SpecialToken"),
  );
}
