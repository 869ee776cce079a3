// Byte-level BPE, learned from a text: which pairs of tokens to join, the most frequent first, as a Hugging Face tokenizer.json in GPT-2's layout.
//
//   texts -> words (GPT-2's pattern) with their counts -> merges, by a heap of pair counts -> tokenizer.json
//
// Sennrich, Haddow and Birch 2016 (arXiv:1508.07909) on bytes, as in Radford et al. 2019. Of pairs that are as frequent the one with the smaller ids is joined, so
// the same text gives the same file on every machine. Ids: the 256 bytes in the order of their letters, then the merges, then <|endoftext|>.
import { GPT2_PATTERN, letterOfByte, translatePattern } from "./byte-level.ts";
import { Heap } from "./heap.ts";

export const END_OF_TEXT = "<|endoftext|>";
/** The bytes and the end of a text: without a single merge. */
const VOCAB_MIN = 257;

/** Some 300 MB of words. When there are more, those that occurred once are forgotten, then twice, until half of the room is free. */
const WORD_TYPES_MAX = 2_000_000;
/** What is longer is no word of a language, and its pairs teach nothing about one. */
const WORD_LETTERS_MAX = 128;
/** A pair that occurs once saves nothing. */
const PAIR_COUNT_MIN = 2;

/** Words of a text and how often they occur; bounded, and the same for the same texts in the same order. */
export class WordCounter {
  readonly #pattern = translatePattern(GPT2_PATTERN)!;
  readonly #typesMax: number;
  #counts = new Map<string, number>();
  #forgottenTypes = 0;

  constructor(typesMax = WORD_TYPES_MAX) {
    this.#typesMax = typesMax;
  }

  add(text: string): void {
    const counts = this.#counts;
    this.#pattern.lastIndex = 0;
    for (let match = this.#pattern.exec(text); match !== null; match = this.#pattern.exec(text)) {
      const [word] = match;
      if (word.length > WORD_LETTERS_MAX) continue;
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    if (counts.size > this.#typesMax) this.#forget();
  }

  #forget(): void {
    const before = this.#counts.size;
    for (let rare = 1; this.#counts.size > this.#typesMax / 2; rare++)
      this.#counts = new Map([...this.#counts].filter(([, count]) => count > rare));
    this.#forgottenTypes += before - this.#counts.size;
  }

  /** Word types that there was no room for. */
  get forgottenTypes(): number {
    return this.#forgottenTypes;
  }

  counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}

const lettersInOrder = letterOfByte.toSorted();
const idOfByte = letterOfByte.map((letter) => lettersInOrder.indexOf(letter));

interface Pair {
  readonly key: number; // a · 65536 + b
  readonly count: number;
}

interface Learned {
  /** Letters of each id: the bytes, then what merges made. */
  readonly tokens: string[];
  /** In the order in which they were learned. */
  readonly merges: [string, string][];
}

/**
 * @param counts words and how often they occur
 * @param tokensMax fewer are learned where no pair occurs twice any more
 */
function learn(counts: ReadonlyMap<string, number>, tokensMax: number): Learned {
  const utf8 = new TextEncoder();
  const words: Uint16Array[] = [];
  const times: number[] = [];
  for (const [word, count] of counts) {
    words.push(Uint16Array.from(utf8.encode(word), (byte) => idOfByte[byte]));
    times.push(count);
  }
  const countOf = new Map<number, number>();
  const wordsOf = new Map<number, number[]>(); // where a pair occurs, or occurred
  const add = (key: number, word: number, sign: number): void => {
    countOf.set(key, (countOf.get(key) ?? 0) + sign * times[word]);
    if (sign < 0) return;
    const where = wordsOf.get(key);
    if (where === undefined) wordsOf.set(key, [word]);
    else if (where.at(-1) !== word) where.push(word);
  };
  for (const [w, ids] of words.entries())
    for (let i = 0; i + 1 < ids.length; i++) add(ids[i] * 65_536 + ids[i + 1], w, 1);
  const best = new Heap<Pair>((x, y) => x.count > y.count || (x.count === y.count && x.key < y.key));
  for (const [key, count] of countOf) best.push({ key, count });

  const tokens = [...lettersInOrder];
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const merges: [string, string][] = [];
  while (tokens.length < tokensMax) {
    const top = best.pop();
    if (top === undefined || top.count < PAIR_COUNT_MIN) break;
    const { key } = top;
    const now = countOf.get(key) ?? 0;
    if (now !== top.count) {
      if (now > 0 && now < top.count) best.push({ key, count: now }); // of a larger count there is a newer item
      continue;
    }
    const [a, b] = [Math.floor(key / 65_536), key % 65_536];
    const token = tokens[a] + tokens[b];
    const joined = idOf.get(token) ?? tokens.push(token) - 1; // ab + c may be what a + bc is
    idOf.set(token, joined);
    merges.push([tokens[a], tokens[b]]);
    const grown = new Set<number>();
    for (const w of wordsOf.get(key) ?? []) {
      const ids = words[w];
      const after = joinPair(ids, a, b, joined);
      if (after === undefined) continue; // it was joined otherwise before
      for (let i = 0; i + 1 < ids.length; i++) add(ids[i] * 65_536 + ids[i + 1], w, -1);
      for (let i = 0; i + 1 < after.length; i++) {
        const pair = after[i] * 65_536 + after[i + 1];
        add(pair, w, 1);
        if (after[i] === joined || after[i + 1] === joined) grown.add(pair);
      }
      words[w] = after;
    }
    countOf.delete(key);
    wordsOf.delete(key);
    for (const pair of grown) best.push({ key: pair, count: countOf.get(pair)! });
  }
  return { tokens, merges };
}

/** Undefined when the pair is not there. */
function joinPair(ids: Uint16Array, a: number, b: number, joined: number): Uint16Array | undefined {
  let length = 0;
  let found = false;
  const after = new Uint16Array(ids.length);
  for (let i = 0; i < ids.length; i++) {
    const here = ids[i] === a && i + 1 < ids.length && ids[i + 1] === b;
    after[length++] = here ? joined : ids[i];
    if (!here) continue;
    found = true;
    i++;
  }
  return found ? after.slice(0, length) : undefined;
}

/**
 * A tokenizer.json as the Hugging Face library writes one.
 * @param vocabSize at most; less where the text has no more pairs that occur twice
 * @throws RangeError
 */
export function trainByteLevelBpe(
  counts: ReadonlyMap<string, number>,
  vocabSize: number,
): { readonly json: string; readonly vocabSize: number } {
  if (!(Number.isInteger(vocabSize) && vocabSize >= VOCAB_MIN && vocabSize <= 65_536))
    throw new RangeError(`a vocabulary of ${vocabSize}: allowed are ${VOCAB_MIN} to 65536`);
  const { tokens, merges } = learn(counts, vocabSize - 1);
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const end = tokens.length;
  vocab[END_OF_TEXT] = end;
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [
      {
        ...{ id: end, content: END_OF_TEXT, single_word: false, lstrip: false, rstrip: false },
        ...{ normalized: false, special: true },
      },
    ],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      ...{ dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
      ...{ fuse_unk: false, byte_fallback: false, ignore_merges: false },
      vocab,
      merges,
    },
  };
  return { json: `${JSON.stringify(json)}\n`, vocabSize: end + 1 };
}
