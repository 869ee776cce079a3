// A tokenizer.json as a Tokenizer: byte-level BPE by own code, every other kind by @huggingface/tokenizers.
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { byteLevelBpe } from "./byte-level-bpe.ts";
import { type TextStream, type Tokenizer, TokenizerError } from "./tokenizer.ts";
import { type TokenizerJson, tokenizerJsonSchema, vocabSizeOf } from "./tokenizer-json.ts";

/** Token ids are u16 in shards. */
const VOCAB_MAX = 65_536;
/** Five times Llama 3's, which has twice the vocabulary that fits here. Every page that tries the model fetches it. */
const FILE_BYTES_MAX = 48 * 2 ** 20;
/** Names of the token that ends a text, as GPT-2, Llama 3, Llama 2 and T5, Qwen, Gemma and BERT have it; the first that is there. */
const END_NAMES = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<|im_end|>", "<eos>", "[SEP]"];

const REMEDY = "Give the tokenizer.json that the Hugging Face library saves, not its vocabulary or a .model file";

/**
 * @param name of the file, for messages
 * @param endOfText the id that ends a text, or the token's name; absent: by the names that are in use
 * @throws TokenizerError
 */
export function tokenizerFrom(bytes: Uint8Array, name: string, endOfText?: number | string): Tokenizer {
  if (bytes.length > FILE_BYTES_MAX)
    throw new TokenizerError(name, `has ${bytes.length} bytes, allowed are ${FILE_BYTES_MAX}`, "Take a smaller one");
  const json = parse(bytes, name);
  const vocabSize = vocabSizeOf(json);
  if (vocabSize > VOCAB_MAX)
    throw new TokenizerError(
      name,
      `has ${vocabSize} tokens; ids are 16 bits here, so ${VOCAB_MAX} at most`,
      'Take another tokenizer, or let one be trained: "tokenizer": {"kind": "train", "vocabSize": 32768}',
    );
  const end = typeof endOfText === "number" ? endOfText : endOf(json, name, endOfText);
  if (end !== undefined && end >= vocabSize)
    throw new TokenizerError(name, `has no token ${end} to end a text with`, "Name one that it has, or leave it out");
  return byteLevelBpe(json, end) ?? byLibrary(json, name, vocabSize, end);
}

function parse(bytes: Uint8Array, name: string): TokenizerJson {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new TokenizerError(name, `is no tokenizer: ${(error as Error).message}`, REMEDY);
  }
  const parsed = tokenizerJsonSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new TokenizerError(name, `is no tokenizer: ${path.join(".") || "it"}: ${message}`, REMEDY);
}

function endOf({ added_tokens: added = [], model }: TokenizerJson, name: string, wanted?: string): number | undefined {
  const idOf = (content: string): number | undefined =>
    added.find((token) => token.content === content)?.id ??
    (wanted === undefined || Array.isArray(model.vocab) ? undefined : model.vocab[content]);
  for (const content of wanted === undefined ? END_NAMES : [wanted]) {
    const id = idOf(content);
    if (id !== undefined) return id;
  }
  if (wanted === undefined) return undefined;
  const there = added.slice(0, 8).map(({ content }) => content);
  throw new TokenizerError(name, `has no token "${wanted}"`, `Its own are ${there.join(", ") || "none"}: endOfText`);
}

/** Ids that are decoded together to see what the last one adds: more than any character or joined word needs. */
const CONTEXT_IDS = 12;

/** The library takes what it does not know for a list of words. */
const KINDS = ["BPE", "Unigram", "WordPiece", "WordLevel"];

function byLibrary(json: TokenizerJson, name: string, vocabSize: number, endOfText: number | undefined): Tokenizer {
  const { type } = json.model;
  if (type !== undefined && !KINDS.includes(type))
    throw new TokenizerError(name, `is of kind "${type}"`, `Take one of ${KINDS.join(", ")}`);
  let library: LibraryTokenizer;
  try {
    library = new LibraryTokenizer(json, {});
    library.encode("a", { add_special_tokens: false });
  } catch (error) {
    throw new TokenizerError(name, `cannot be used: ${(error as Error).message}`, "Take another tokenizer");
  }
  const isKnown = (id: number): boolean => library.id_to_token(id) !== undefined;
  const decode = (ids: ArrayLike<number>): string => {
    const bad = Array.from(ids).find((id) => !isKnown(id));
    if (bad !== undefined) throw new RangeError(`token id ${bad} is not in the vocabulary of ${vocabSize}`);
    if (ids.length === 0) return "";
    return library.decode(Array.from(ids), { skip_special_tokens: true, clean_up_tokenization_spaces: false });
  };
  const encode = (text: string): Uint16Array => {
    const { ids } = library.encode(text, { add_special_tokens: false });
    const bad = ids.findIndex((id) => !Number.isInteger(id));
    if (bad !== -1)
      throw new TokenizerError(name, "has no token for unknown text", "Take one with an unknown token or bytes");
    return Uint16Array.from(ids);
  };
  return { vocabSize, endOfText, encode, decode, stream: () => differences(decode, isKnown) };
}

/** What each id adds to the text of those before it: such a decoder may join, and put spaces between words. */
function differences(decode: (ids: readonly number[]) => string, isKnown: (id: number) => boolean): TextStream {
  let ids: number[] = [];
  let told = ""; // of the text of `ids`
  return {
    write(id) {
      if (!isKnown(id)) return "\ufffd";
      ids.push(id);
      const text = decode(ids);
      if (text.endsWith("\ufffd") || !text.startsWith(told)) return ""; // a character that is not whole
      const more = text.slice(told.length);
      told = text;
      if (ids.length > CONTEXT_IDS) {
        ids = ids.slice(-CONTEXT_IDS / 2);
        told = decode(ids);
      }
      return more;
    },
    end: () => decode(ids).slice(told.length),
  };
}
