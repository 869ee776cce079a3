// How members of an island share a model.
import { expect, test } from "vitest";
import { islandKindOf, sequenceExchange, sharesAmong } from "./islands.ts";
import { presets } from "./presets.ts";

const gpt2Small = {
  ...{ vocabSize: 50_257, dModel: 768, layers: 12, heads: 12, kvHeads: 12, dFfn: 2048 },
  ...{ ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true },
};

test("matrices are cut until the positions are more than they", () => {
  const kindAt = (contextLength: number) => islandKindOf({ ...gpt2Small, contextLength });
  expect([1024, 8464, 8468, 32_768].map(kindAt)).toEqual(["tensor", "tensor", "sequence", "sequence"]);
  expect(kindAt(9001)).toBe("tensor"); // which no two members can share
  expect([presets.nano, presets.micro].map(({ model }) => islandKindOf(model))).toEqual(["tensor", "tensor"]);
});

test("positions are shared among as many as can have two equal chunks each", () => {
  const ranksAt = (contextLength: number) =>
    [2, 3, 4].filter((ranks) => sharesAmong({ ...gpt2Small, contextLength }, ranks));
  expect([1024, 9000, 16_384, 12_000].map(ranksAt)).toEqual([
    [2, 3, 4],
    [2, 3, 4],
    [2, 4],
    [2, 3, 4],
  ]);
});

test("heads cross where members have as many and that is clearly less than keys and values are", () => {
  const byHeads = (kvHeads: number) =>
    [2, 3, 4].filter((ranks) => sequenceExchange({ ...gpt2Small, kvHeads }, ranks).by === "heads");
  expect([12, 6, 4, 3].map(byHeads)).toEqual([[3, 4], [], [], []]);
  const numbers = (kvHeads: number, ranks: number) => sequenceExchange({ ...gpt2Small, kvHeads }, ranks).numbers / 768;
  expect([numbers(12, 2), numbers(12, 4), numbers(3, 4)]).toEqual([4.5, 6, 3.375]);
});
