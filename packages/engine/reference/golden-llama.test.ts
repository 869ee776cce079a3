// The reference against Hugging Face's Llama and torch's AdamW (golden-llama.json, made by golden-llama.py): the loss, every tensor's gradient,
// ten clipped steps. Hugging Face keeps norms, softmax and rotary angles in f32 even in an f64 model: hence 1e-5 and not 1e-12.
import { describe, expect, test } from "vitest";
import { parameterTable } from "#outer";
import golden from "./golden-llama.json";
import { lossAndGradient } from "./model.ts";
import { dot, prng, randomIds } from "./testing.ts";
import { ReferenceTrainer } from "./trainer.ts";
import { relativeError } from "./vector.ts";

describe.each(golden.cases)("Llama, tied embedding $tiedEmbedding", ({ seed, tiedEmbedding, ...expected }) => {
  const model = { ...golden.model, tiedEmbedding };
  const table = parameterTable(model);
  const random = prng(seed);
  const uniform = (length: number, low: number, high: number) =>
    Float64Array.from({ length }, () => low + (high - low) * random());
  const flat = new Float64Array(table.length);
  for (const { shape, offset, length } of table.tensors)
    flat.set(shape.length === 1 ? uniform(length, 0.8, 1.2) : uniform(length, -0.3, 0.3), offset);
  const ids = randomIds(random, golden.B * (model.contextLength + 1), model.vocabSize);

  test("every tensor's gradient", () => {
    expect(table.tensors.map(({ name }) => name)).toEqual(Object.keys(expected.gradient));
    const { gradient } = lossAndGradient(model, flat, ids, golden.B);
    const pairs = table.tensors.flatMap(({ offset, length }) => {
      const part = gradient.subarray(offset, offset + length);
      return [[Math.sqrt(dot(part, part)), dot(part, uniform(length, -1, 1))]];
    });
    for (const [i, pair] of Object.values(expected.gradient).entries())
      expect(relativeError(pairs[i], pair as number[]), table.tensors[i].name).toBeLessThan(1e-5);
  });

  test("ten steps of clipped AdamW", () => {
    const trainer = new ReferenceTrainer(model, flat);
    const reports = expected.losses.map(() => trainer.step([ids], golden.options));
    expect(
      relativeError(
        reports.map(({ loss }) => loss),
        expected.losses,
      ),
    ).toBeLessThan(1e-5);
    expect(
      relativeError(
        reports.map(({ gradNorm }) => gradNorm),
        expected.gradNorms,
      ),
    ).toBeLessThan(1e-4);
    expect(Math.min(...expected.gradNorms)).toBeGreaterThan(golden.options.clipNorm); // the clip is at work in every step
  });
});
