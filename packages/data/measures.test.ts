// Both measures by their definitions, on a distribution whose entropy is known.
import { expect, test } from "vitest";
import { lossMeasures } from "./measures.ts";

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
