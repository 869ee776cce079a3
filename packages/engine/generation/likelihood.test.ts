// Likelihoods against the definition: the whole forward pass, softmax, product.
import { describe, expect, test } from "vitest";
import { logitsOf } from "../reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { createGenerator, logLikelihood, logProbability } from "./index.ts";

const model = tinyModel({ contextLength: 12 });
const V = model.vocabSize;
const flat = Float32Array.from(randomParameters(prng(5), model, 0.4));

async function generatorOf() {
  const generator = await createGenerator({ model, backend: "processor" });
  await generator.load(flat);
  return generator;
}

/** ln of the product of p(each | all before it). */
function byDefinition(prompt: readonly number[], continuation: readonly number[]): number {
  const logits = logitsOf(model, Float64Array.from(flat), [...prompt, ...continuation]);
  let sum = 0;
  for (const [i, id] of continuation.entries()) {
    const row = Array.from(logits.subarray((prompt.length + i - 1) * V, (prompt.length + i) * V), Math.exp);
    sum += Math.log(row[id] / row.reduce((a, b) => a + b));
  }
  return sum;
}

describe("of a continuation", () => {
  test("it is the product of its tokens' probabilities, each after all before it", async () => {
    const generator = await generatorOf();
    const ids = Array.from(randomIds(prng(6), 12, V));
    for (const cut of [1, 4, 11]) {
      const [prompt, continuation] = [ids.slice(0, cut), ids.slice(cut)];
      expect(await logLikelihood(generator, prompt, continuation)).toBeCloseTo(byDefinition(prompt, continuation), 4);
    }
  });

  test("all one-token continuations have probability 1 together", async () => {
    const generator = await generatorOf();
    const prompt = randomIds(prng(7), 3, V);
    let sum = 0;
    for (let id = 0; id < V; id++) sum += Math.exp(await logLikelihood(generator, prompt, [id]));
    expect(sum).toBeCloseTo(1, 5);
  });

  test("of a prompt that is too long the end counts, and of what is judged the last id needs no place", async () => {
    const generator = await generatorOf();
    const ids = Array.from(randomIds(prng(8), 40, V));
    const continuation = ids.slice(30);
    const fitting = ids.slice(27, 30); // 3 + 10 - 1 = 12
    expect(await logLikelihood(generator, ids.slice(0, 30), continuation)).toBe(
      await logLikelihood(generator, fitting, continuation),
    );
  });

  test("none, and one that is longer than the context, are refused", async () => {
    const generator = await generatorOf();
    await expect(logLikelihood(generator, [1], [])).rejects.toThrow(/1 to 12 tokens/);
    await expect(logLikelihood(generator, [1], Array(13).fill(0))).rejects.toThrow(/not 13/);
  });
});

test("logits that are not finite are no distribution; large ones are", () => {
  expect(() => logProbability([0, Number.NaN], 0)).toThrow(/not finite/);
  expect(logProbability([1000, 1000], 1)).toBeCloseTo(-Math.LN2, 12);
});
