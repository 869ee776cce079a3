// Byte-level BPE of a tokenizer.json (GPT-2, Llama 3, Qwen, SmolLM and what is trained here), encoded by own code: some twenty times as fast as the
// library that reads all kinds, to which what is not exactly this kind is left. Tests hold both to the same ids.
//
//   text -> special tokens -> words (regular expressions) -> bytes -> merges -> ids
import { bytesOfToken, GPT2_PATTERN, isolate, isolated, letterOfByte, translatePattern } from "./byte-level.ts";
import { MergeTable } from "./merges.ts";
import { byteDecoding, type Tokenizer } from "./tokenizer.ts";
import { type AddedToken, type TokenizerJson, vocabSizeOf } from "./tokenizer-json.ts";

/** Words whose ids are remembered: some 30 MB, and nearly every word of a language. */
const REMEMBERED_MAX = 200_000;
const REMEMBERED_LETTERS_MAX = 48;

interface Cutting {
  readonly patterns: readonly RegExp[]; // each cuts what the one before left
  readonly prefixSpace: boolean;
}

type Part = Record<string, unknown> & { type: string };

function cuttingOf(preTokenizer: TokenizerJson["pre_tokenizer"]): Cutting | undefined {
  if (!preTokenizer) return undefined;
  const parts = preTokenizer.type === "Sequence" ? preTokenizer.pretokenizers : [preTokenizer];
  if (!Array.isArray(parts)) return undefined;
  const patterns: (RegExp | undefined)[] = [];
  for (const [i, part] of (parts as Part[]).entries()) {
    if (part.type === "ByteLevel") {
      if (i !== parts.length - 1) return undefined;
      if (part.use_regex !== false) patterns.push(translatePattern(GPT2_PATTERN));
      const prefixSpace = part.add_prefix_space !== false;
      if (prefixSpace && i > 0) return undefined; // it would be put before each piece
      return patterns.includes(undefined) ? undefined : { patterns: patterns as RegExp[], prefixSpace };
    }
    if (part.type === "Digits") patterns.push(part.individual_digits ? /\p{N}/gu : /\p{N}+/gu);
    else if (part.type === "Split" && part.behavior === "Isolated" && part.invert !== true) {
      const regex = (part.pattern as { Regex?: unknown } | undefined)?.Regex;
      patterns.push(typeof regex === "string" ? translatePattern(regex) : undefined);
    } else return undefined;
  }
  return undefined; // no ByteLevel
}

const isPlain = (token: AddedToken): boolean => !token.single_word && !token.lstrip && !token.rstrip;

/** Undefined: not exactly this kind. */
export function byteLevelBpe(json: TokenizerJson, endOfText: number | undefined): Tokenizer | undefined {
  const { model, normalizer, added_tokens: added = [] } = json;
  const { vocab, merges } = model;
  const off = (name: string): boolean => !model[name];
  const plain = ["dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"].every(off);
  if ((model.type ?? "BPE") !== "BPE" || Array.isArray(vocab) || merges === undefined || !plain) return undefined;
  if (normalizer && normalizer.type !== "NFC") return undefined;
  const normalized = normalizer ? (text: string) => text.normalize("NFC") : (text: string) => text;
  const cutting = cuttingOf(json.pre_tokenizer);
  if (cutting === undefined || json.decoder?.type !== "ByteLevel" || !added.every(isPlain)) return undefined;
  if (normalizer && added.some((token) => token.normalized)) return undefined;
  const ids = new Map(Object.entries(vocab));
  const idOfByte = letterOfByte.map((letter) => ids.get(letter));
  if (idOfByte.includes(undefined)) return undefined;
  const steps = merges.map((merge) => {
    const [first, second] = typeof merge === "string" ? merge.split(" ") : merge;
    return { a: ids.get(first), b: ids.get(second), joined: ids.get(first + second) };
  });
  if (steps.some(({ a, b, joined }) => a === undefined || b === undefined || joined === undefined)) return undefined;
  const table = new MergeTable(steps as { a: number; b: number; joined: number }[]);
  const words = new WordEncoder(table, idOfByte as number[], model.ignore_merges === true ? ids : undefined);
  const idOfAdded = new Map(added.filter(({ content }) => content !== "").map(({ content, id }) => [content, id]));
  const splitter = splitterOf([...idOfAdded.keys()]);
  const { patterns, prefixSpace } = cutting;

  const encodePlain = (piece: string, out: Ids): void => {
    const text = normalized(piece);
    if (text === "") return;
    cut(prefixSpace && !text.startsWith(" ") ? ` ${text}` : text, patterns, (word) => words.encode(word, out));
  };
  const encode = (text: string): Uint16Array => {
    const out = new Ids(text.length >> 1);
    if (splitter === undefined) encodePlain(text, out);
    else
      isolate(text, splitter, (piece) => {
        const id = idOfAdded.get(piece);
        if (id === undefined) encodePlain(piece, out);
        else out.push(id);
      });
    return out.taken();
  };
  return { vocabSize: vocabSizeOf(json), endOfText, encode, ...byteDecoding(bytesOfIds(json)) };
}

/** @param patterns each cuts what the one before it left */
function cut(text: string, [pattern, ...further]: readonly RegExp[], take: (word: string) => void): void {
  if (pattern === undefined) take(text);
  else if (further.length === 0) isolate(text, pattern, take);
  else for (const piece of isolated(text, pattern)) cut(piece, further, take);
}

/** Of several that match at a place the longest, as the Hugging Face library does. */
function splitterOf(contents: readonly string[]): RegExp | undefined {
  if (contents.length === 0) return undefined;
  const quoted = contents
    .toSorted((a, b) => b.length - a.length)
    .map((c) => c.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return new RegExp(quoted.join("|"), "gu");
}

/** What each id stands for; nothing for special tokens and gaps of the vocabulary. */
function bytesOfIds(json: TokenizerJson): Uint8Array[] {
  const none = new Uint8Array();
  const bytes = new Array<Uint8Array>(vocabSizeOf(json)).fill(none);
  const utf8 = new TextEncoder();
  for (const [token, id] of Object.entries(json.model.vocab as Record<string, number>))
    bytes[id] = bytesOfToken(token) ?? utf8.encode(token);
  for (const { content, id, special } of json.added_tokens ?? []) bytes[id] = special ? none : utf8.encode(content);
  return bytes;
}

/** Ids that grow. */
class Ids {
  #ids: Uint16Array;
  #length = 0;

  constructor(capacity: number) {
    this.#ids = new Uint16Array(Math.max(16, capacity));
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) {
      const more = new Uint16Array(2 * this.#length);
      more.set(this.#ids);
      this.#ids = more;
    }
    this.#ids[this.#length++] = id;
  }

  taken(): Uint16Array {
    return this.#ids.slice(0, this.#length);
  }
}

class WordEncoder {
  readonly #table: MergeTable;
  readonly #idOfByte: readonly number[];
  readonly #whole: ReadonlyMap<string, number> | undefined;
  readonly #remembered = new Map<string, readonly number[]>();
  readonly #utf8 = new TextEncoder();

  /** @param whole tokens that a word becomes at once, whatever the merges say (ignore_merges) */
  constructor(table: MergeTable, idOfByte: readonly number[], whole: ReadonlyMap<string, number> | undefined) {
    this.#table = table;
    this.#idOfByte = idOfByte;
    this.#whole = whole;
  }

  encode(word: string, out: Ids): void {
    const known = this.#remembered.get(word);
    const ids = known ?? this.#idsOf(word);
    for (const id of ids) out.push(id);
    if (known !== undefined || word.length > REMEMBERED_LETTERS_MAX) return;
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    this.#remembered.set(word, ids);
  }

  #idsOf(word: string): number[] {
    const bytes = this.#utf8.encode(word);
    if (this.#whole !== undefined) {
      const id = this.#whole.get(Array.from(bytes, (byte) => letterOfByte[byte]).join(""));
      if (id !== undefined) return [id];
    }
    const ids = Array.from(bytes, (byte) => this.#idOfByte[byte]);
    ids.length = this.#table.join(ids);
    return ids;
  }
}
