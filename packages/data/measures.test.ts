// Both measures by their definitions, on a distribution whose entropy is known.
import { expect, test } from "vitest";
import type { RunSpec } from "#wire";
import { lossMeasures, measuresOf } from "./measures.ts";

test("a model that chooses evenly among 256 bytes has perplexity 256 and takes 8 bits a byte", () => {
  const { perplexity, bitsPerByte } = lossMeasures(Math.log(256), { tokens: 1000, bytes: 1000 });
  expect(perplexity).toBeCloseTo(256, 9);
  expect(bitsPerByte).toBeCloseTo(8, 12);
});

test("the same text in a quarter of the tokens, each four times as surprising, takes as many bits a byte", () => {
  const [bytes, words] = [
    lossMeasures(1.1, { tokens: 4000, bytes: 4000 }),
    lossMeasures(4.4, { tokens: 1000, bytes: 4000 }),
  ];
  expect(words.bitsPerByte).toBeCloseTo(bytes.bitsPerByte, 12);
  expect(words.perplexity).toBeCloseTo(bytes.perplexity ** 4, 9);
});

test("of a run: the held-out text's own tokens and bytes; a byte is a token where nothing else is said; before an evaluation nothing", () => {
  const shard = (tokens: number) => ({ hash: "a".repeat(64), bytes: 16 + 2 * tokens, tokens });
  const data = { evaluation: [shard(700), shard(300)] } as unknown as RunSpec["data"];
  expect(measuresOf(data, Math.log(16))).toEqual({
    perplexity: expect.closeTo(16, 9),
    bitsPerByte: expect.closeTo(4, 9),
  });
  expect(measuresOf({ ...data, evaluationBytes: 4000 }, Math.log(16)).bitsPerByte).toBeCloseTo(1, 9);
  expect(measuresOf(data, null)).toEqual({});
});
