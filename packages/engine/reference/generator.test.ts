// Keys and values that were kept change nothing: every position has the logits of the whole forward pass.
import { describe, expect, test } from "vitest";
import { ReferenceGenerator } from "./generator.ts";
import { logitsOf } from "./model.ts";
import { prng, randomIds, randomParameters, tinyModel } from "./testing.ts";
import { relativeError } from "./vector.ts";

describe.each([
  ["grouped heads, tied", tinyModel({ contextLength: 9 })],
  ["a ladder residual", tinyModel({ residual: "ladder", contextLength: 9 })],
  ["full heads, untied", tinyModel({ heads: 2, kvHeads: 2, tiedEmbedding: false, contextLength: 9 })],
])("%s", (_name, model) => {
  const random = prng(21);
  const flat = randomParameters(random, model, 0.3);
  const ids = randomIds(random, model.contextLength, model.vocabSize);
  const truth = logitsOf(model, flat, ids);
  const at = (position: number) => truth.subarray(position * model.vocabSize, (position + 1) * model.vocabSize);

  test.each([1, 4, 8])("a prompt of %i ids, then one after the other up to the whole context", (prompt) => {
    const generator = new ReferenceGenerator(model, flat);
    expect(relativeError(generator.append(ids.subarray(0, prompt)), at(prompt - 1))).toBeLessThan(1e-12);
    for (let i = prompt; i < ids.length; i++)
      expect(relativeError(generator.append([ids[i]]), at(i)), `position ${i}`).toBeLessThan(1e-12);
    expect(generator.length).toBe(model.contextLength);
  });

  test("after clear it begins anew", () => {
    const generator = new ReferenceGenerator(model, flat);
    generator.append(ids.subarray(3, 8));
    generator.clear();
    expect(generator.append(ids)).toEqual(truth.subarray((ids.length - 1) * model.vocabSize));
  });
});
