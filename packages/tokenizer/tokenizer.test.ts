import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import expected from "./fixtures/expected.json" with { type: "json" };
import { mixedText } from "./fixtures/mixed-text.ts";
import { bytesTokenizer, openTokenizer, readTokenizer, type Tokenizer } from "./index.ts";
import { END_OF_TEXT, trainByteLevelBpe, WordCounter } from "./train.ts";

const fixture = (name: string): Uint8Array => readFileSync(join(import.meta.dirname, "fixtures", `${name}.json`));
const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");
const idsHash = (ids: Uint16Array): string => sha256(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
const text = mixedText(1_000_000);
const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** What the library wants to be there, if only as null. */
const noParts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };

/** Ids one by one, as a model writes them. */
function streamed(tokenizer: Tokenizer, ids: Uint16Array): string {
  const stream = tokenizer.stream();
  return Array.from(ids, (id) => stream.write(id)).join("") + stream.end();
}

function trained(on: string, vocabSize: number): { json: string; vocabSize: number } {
  const counter = new WordCounter();
  counter.add(on);
  return trainByteLevelBpe(counter.counts(), vocabSize);
}

describe("a tokenizer.json from elsewhere", () => {
  test("the text is the one that the Hugging Face library encoded", () => expect(sha256(text)).toBe(expected.text));

  test.each(["gpt2", "llama3", "digits", "llama2", "unigram"] as const)(
    "%s encodes and decodes 1 MB of mixed scripts as that library does",
    async (name) => {
      const tokenizer = await readTokenizer(fixture(name), name);
      const ids = tokenizer.encode(text);
      expect([...ids.slice(0, 16)]).toEqual(expected[name].first);
      expect({ tokens: ids.length, ids: idsHash(ids) }).toEqual({
        tokens: expected[name].tokens,
        ids: expected[name].ids,
      });
      expect(sha256(tokenizer.decode(ids).replaceAll("\ufeff", ""))).toBe(expected[name].decoded);
      const part = ids.subarray(0, 3000);
      expect(streamed(tokenizer, part)).toBe(tokenizer.decode(part));
    },
  );

  test("its end of a text is found by name, or named", async () => {
    const end = async (name: string) => (await readTokenizer(fixture(name), name)).endOfText;
    expect(await Promise.all(["gpt2", "llama3", "llama2", "unigram"].map(end))).toEqual([0, 0, 2, 1]);
    const { tokenizerFrom } = await import("./file.ts");
    expect(tokenizerFrom(fixture("llama2"), "it", "<s>").endOfText).toBe(1);
    expect(() => tokenizerFrom(fixture("llama2"), "it", "<eot>")).toThrow(
      'it has no token "<eot>". Its own are <unk>, <s>, </s>: endOfText',
    );
  });

  test.each<[string, Uint8Array, RegExp]>([
    [
      "no JSON",
      new Uint8Array([1, 2, 3]),
      /^it is no tokenizer: .*tokenizer\.json that the Hugging Face library saves/,
    ],
    ["no UTF-8", new Uint8Array([0xff]), /^it is no tokenizer: .*utf-8/i],
    ["a vocabulary alone", utf8({ a: 1 }), /^it is no tokenizer: model: /],
    [
      "more tokens than 16 bits name",
      utf8({ model: { type: "WordLevel", unk_token: "a", vocab: { a: 65_536 } } }),
      /^it has 65537 tokens; ids are 16 bits here, so 65536 at most\. Take another .*"kind": "train"/,
    ],
    [
      "a kind that nobody knows",
      utf8({ ...noParts, model: { type: "Magic", vocab: { a: 0 } } }),
      /^it is of kind "Magic"\. Take one of BPE, Unigram/,
    ],
  ])("%s is refused with its remedy", async (_, bytes, message) => {
    await expect(readTokenizer(bytes, "it")).rejects.toThrow(message);
  });
});

describe("byte-level BPE that is trained here", () => {
  test("the file is the same everywhere, and both libraries encode 1 MB with it as we do", async () => {
    const { json, vocabSize } = trained(text, 3000);
    expect(vocabSize).toBe(3000);
    expect(sha256(json)).toBe(expected.file);
    const tokenizer = await readTokenizer(new TextEncoder().encode(json), "it");
    const ids = tokenizer.encode(text);
    expect(idsHash(ids)).toBe(expected.trained.ids); // the Rust library's
    const common = text.replace(/[\u0085\ufeff]/gu, ""); // spaces to one and not to the other: the Rust library and we go by Unicode, npm's by JavaScript
    const library = new LibraryTokenizer(JSON.parse(json), {}).encode(common, { add_special_tokens: false });
    expect(idsHash(Uint16Array.from(library.ids))).toBe(idsHash(tokenizer.encode(common)));
    expect(tokenizer.decode(ids)).toBe(text.replaceAll(END_OF_TEXT, ""));
    expect(tokenizer.endOfText).toBe(2999);
  });

  test("it learns the merges that the Hugging Face trainer learns", () => {
    const scripts = readFileSync(join(import.meta.dirname, "fixtures", "mixed-scripts.txt"), "utf8");
    const merges = (json: string): unknown => JSON.parse(json).model.merges;
    const counter = new WordCounter();
    for (const line of scripts.split(/(?<=\n)/)) counter.add(line); // that one was given lines
    expect(merges(trainByteLevelBpe(counter.counts(), 1200).json)).toEqual(
      merges(new TextDecoder().decode(fixture("gpt2"))),
    );
  });

  test("any text comes back", async () => {
    const tokenizer = await readTokenizer(new TextEncoder().encode(trained(text.slice(0, 50_000), 600).json), "it");
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (given) => {
        fc.pre(!given.includes(END_OF_TEXT));
        const ids = tokenizer.encode(given);
        expect(tokenizer.decode(ids)).toBe(given);
        expect(streamed(tokenizer, ids)).toBe(given);
      }),
    );
    const long = "ab".repeat(50_000); // a word without end takes no quadratic time
    expect(tokenizer.decode(tokenizer.encode(long))).toBe(long);
  });

  test("a text with too few pairs gives a smaller vocabulary; words beyond the room are forgotten, the rarest first", () => {
    expect(trained("aaaa aaaa", 5000).vocabSize).toBe(259); // aa, aaaa, and no third pair occurs twice
    const counter = new WordCounter(4);
    counter.add("a a a b b c d e");
    expect([...counter.counts()]).toEqual([
      [" a", 2],
      [" b", 2],
    ]);
    expect(counter.forgottenTypes).toBeGreaterThan(0);
    expect(() => trainByteLevelBpe(new Map(), 256)).toThrow("a vocabulary of 256: allowed are 257 to 65536");
  });
});

test("bytes: ids are the text's UTF-8, and a character waits for its rest", () => {
  const ids = bytesTokenizer.encode("é🙂");
  expect([...ids]).toEqual([0xc3, 0xa9, 0xf0, 0x9f, 0x99, 0x82]);
  expect(bytesTokenizer.decode(ids)).toBe("é🙂");
  const stream = bytesTokenizer.stream();
  expect([...ids].map((id) => stream.write(id))).toEqual(["", "é", "", "", "", "🙂"]);
  expect(() => bytesTokenizer.decode([256])).toThrow("token id 256");
  expect(stream.write(256)).toBe("\ufffd"); // a model's vocabulary may be larger
});

test("a run's tokenizer is fetched when it is no bytes", async () => {
  const none = () => Promise.reject(new Error("nothing to fetch"));
  expect(await openTokenizer("bytes", none)).toBe(bytesTokenizer);
  const bytes = fixture("llama2");
  const ref = { hash: "0".repeat(64), bytes: bytes.length, vocabSize: 1200, endOfText: 1 };
  const tokenizer = await openTokenizer(ref, async () => bytes);
  expect(tokenizer.endOfText).toBe(1);
  await expect(openTokenizer({ ...ref, vocabSize: 999 }, async () => bytes)).rejects.toThrow("the run's spec says 999");
});
