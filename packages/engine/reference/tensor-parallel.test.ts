import { describe, expect, it, test } from "vitest";
import { parameterTable } from "#outer";
import { presets } from "#wire";
import { joinParts, partOf, rankShape, sharesOf } from "../island/parts.ts";
import { lossAndGradient } from "./model.ts";
import { tensorParallelGradient } from "./tensor-parallel.ts";
import { prng, randomIds, randomParameters, tinyModel } from "./testing.ts";
import { relativeError } from "./vector.ts";

const model = tinyModel({ dFfn: 20, tiedEmbedding: false });
const random = prng(3);
const flat = randomParameters(random, model, 0.1);
const ids = randomIds(random, 2 * (model.contextLength + 1), model.vocabSize);
const whole = lossAndGradient(model, flat, ids, 2);

describe("a model cut among ranks", () => {
  test.each([1, 2, 3, 4])("%i: every number is in one part, or in all, and comes back", (ranks) => {
    const numbered = Float64Array.from(flat, (_, i) => i + 1);
    const parts = sharesOf(model, ranks).map((share) => partOf(model, share, numbered));
    expect(joinParts(model, parts)).toEqual(numbered);
    const times = new Map<number, number>();
    for (const part of parts) for (const number of part) times.set(number, (times.get(number) ?? 0) + 1);
    expect([...times.keys()].length).toBe(numbered.length);
    for (const { name, offset } of parameterTable(model).tensors)
      expect(times.get(offset + 1), name).toBe(/embed|head|norm/.test(name) ? ranks : 1);
  });

  it("is cut evenly: where heads cannot be, feed-forward columns make up for it", () => {
    const weights = (model: Parameters<typeof rankShape>[0], ranks: number): number[] =>
      sharesOf(model, ranks).map((share) => {
        const shape = rankShape(model, share);
        return parameterTable(shape).length - parameterTable({ ...shape, heads: 0, kvHeads: 0, dFfn: 0 }).length;
      });
    const { nano, micro } = presets;
    expect(sharesOf(nano.model, 4).map(({ kvHeads }) => kvHeads.count)).toEqual([1, 0, 1, 0]);
    for (const each of [nano.model, micro.model])
      for (const ranks of [2, 3, 4]) {
        const parts = weights(each, ranks);
        expect(Math.max(...parts) / Math.min(...parts), `${each.dModel} among ${ranks}`).toBeLessThan(1.2);
      }
    expect(() => sharesOf({ ...model, dFfn: 8 }, 3)).toThrow("8 columns cannot be cut among 3 members");
  });
});

describe("tensor parallelism", () => {
  test.each([1, 2, 3, 4])("%i ranks, exact exchange: loss and every gradient are the whole model's", (ranks) => {
    const { loss, gradient } = tensorParallelGradient({ model, ranks, exchange: "f32" }, flat, ids, 2);
    expect(loss).toBeCloseTo(whole.loss, 12);
    expect(relativeError(gradient, whole.gradient)).toBeLessThan(1e-13);
  });

  test("a ladder residual over two ranks: the whole model's, too", () => {
    const ladder = { ...model, residual: "ladder" as const };
    const { loss, gradient } = tensorParallelGradient({ model: ladder, ranks: 2, exchange: "f32" }, flat, ids, 2);
    expect(Math.abs(loss / whole.loss - 1)).toBeGreaterThan(1e-3); // another model
    const truth = lossAndGradient(ladder, flat, ids, 2);
    expect(loss).toBeCloseTo(truth.loss, 12);
    expect(relativeError(gradient, truth.gradient)).toBeLessThan(1e-13);
  });

  test.each([2, 4])("%i ranks, int8: loss and gradients are off by what 8 bits are", (ranks) => {
    const { loss, gradient } = tensorParallelGradient({ model, ranks, exchange: "int8" }, flat, ids, 2);
    expect(loss).not.toBe(whole.loss);
    expect(Math.abs(loss / whole.loss - 1)).toBeLessThan(1e-3);
    expect(relativeError(gradient, whole.gradient)).toBeLessThan(4e-2); // eight exchanges, each off by half a code of 127
  });
});
