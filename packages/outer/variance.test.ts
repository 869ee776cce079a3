import { describe, expect, test } from "vitest";
import { type ParameterTable, parameterTable } from "./index.ts";
import { noise, tinySpec } from "./test-given.ts";
import { correctVariance } from "./variance.ts";

const table = parameterTable({ ...tinySpec().model, dModel: 32, dFfn: 64 });
const models = Array.from({ length: 10 }, (_, n) => noise(n + 1, table.length, 0.1));
const meanOf = (given: readonly Float32Array[]): Float32Array =>
  given[0].map((_, i) => given.reduce((sum, model) => sum + model[i], 0) / given.length);
const varianceOf = (values: Float32Array, name: string, { tensors }: ParameterTable = table): number => {
  const { offset, length } = tensors.find((tensor) => tensor.name === name)!;
  const part = values.subarray(offset, offset + length);
  const mean = part.reduce((sum, value) => sum + value, 0) / length;
  return part.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length;
};
const MATRIX = "model.layers.0.mlp.up_proj.weight";

describe("variance-corrected averaging", () => {
  test("ten models from different starts: their mean has a tenth of their variance, and the corrected one all of it", () => {
    const mean = meanOf(models);
    const one = varianceOf(models[0], MATRIX);
    expect(varianceOf(mean, MATRIX) / one).toBeCloseTo(0.1, 1);
    correctVariance(mean, models, table);
    expect(varianceOf(mean, MATRIX) / one).toBeCloseTo(1, 1);
  });

  test("models from one start are averaged as they are, bit for bit", () => {
    const alike = models.map((model) => models[0].map((start, i) => start + 0.1 * model[i]));
    const mean = meanOf(alike);
    const before = mean.slice();
    correctVariance(mean, alike, table);
    expect(mean).toEqual(before);
  });

  test("a matrix's own mean, vectors and tables of tokens stay", () => {
    const mean = meanOf(models);
    const before = mean.slice();
    correctVariance(mean, models, table);
    for (const { name, shape, offset, length } of table.tensors) {
      const stays = shape.length === 1 || /embed|lm_head/.test(name);
      const [was, is] = [before, mean].map((values) => values.subarray(offset, offset + length));
      expect(is.every((value, i) => value === was[i])).toBe(stays);
      const sum = (values: Float32Array): number => values.reduce((all, value) => all + value, 0);
      expect(sum(is)).toBeCloseTo(sum(was), 3);
    }
  });

  test("zeros, and values that are not finite, are left alone", () => {
    const zeros = new Float32Array(table.length);
    correctVariance(zeros, [zeros, zeros], table);
    expect(zeros.every((value) => value === 0)).toBe(true);
    const broken = zeros.fill(Number.NaN);
    correctVariance(broken, [broken], table);
    expect(broken.every(Number.isNaN)).toBe(true);
  });
});
