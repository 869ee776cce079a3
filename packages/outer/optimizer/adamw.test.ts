import { describe, expect, test } from "vitest";
import { parameterTable } from "../parameters.ts";
import { noise, tinySpec } from "../test-given.ts";
import { type AdamwOptions, adamwStep } from "./adamw.ts";

const table = parameterTable(tinySpec().model);
const n = table.length;
const options: AdamwOptions = {
  ...{ learningRate: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1, step: 1 },
};
const stateOf = (parameters: Float32Array) => ({
  parameters,
  velocity: new Float32Array(parameters.length),
  variance: new Float32Array(parameters.length),
});

test("five steps agree with the formulas in f64: clipped, corrected, decayed", () => {
  const state = stateOf(noise(1, n));
  const phi = Float64Array.from(state.parameters);
  const [m, v] = [new Float64Array(n), new Float64Array(n)];
  for (let round = 0; round < 5; round++) {
    const mean = noise(10 + round, n, round === 2 ? 1e-3 : 0.1); // one of them is not clipped
    const norm = Math.hypot(...mean);
    expect(norm > 1).toBe(round !== 2);
    adamwStep(state, mean, table, { ...options, step: round + 1 });
    for (const { shape, offset, length } of table.tensors)
      for (let i = offset; i < offset + length; i++) {
        const g = mean[i] * Math.min(1, 1 / norm);
        m[i] = 0.9 * m[i] + (1 - 0.9) * g;
        v[i] = 0.95 * v[i] + (1 - 0.95) * g * g;
        const direction = m[i] / (1 - 0.9 ** (round + 1)) / (Math.sqrt(v[i] / (1 - 0.95 ** (round + 1))) + 1e-8);
        phi[i] -= 0.01 * (direction + (shape.length === 2 ? 0.1 : 0) * phi[i]);
      }
  }
  for (let i = 0; i < n; i++) expect(Math.abs(state.parameters[i] - phi[i])).toBeLessThan(2e-5);
});

test("golden trajectory: a first step is the rate in the gradient's direction, whatever its size; only matrices decay", () => {
  const state = stateOf(new Float32Array(n).fill(1));
  const mean = Float32Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 0.5 : -(2 ** -12)));
  adamwStep(state, mean, table, { ...options, learningRate: 0.125, weightDecay: 0.5, eps: 1e-30, clipNorm: 1e9 });
  for (const { shape, offset, length } of table.tensors) {
    const decayed = shape.length === 2 ? 0.0625 : 0;
    for (let i = offset; i < offset + length; i++)
      expect(state.parameters[i]).toBeCloseTo((i % 2 === 0 ? 1 - 0.125 : 1 + 0.125) - decayed, 6);
  }
});

describe("total by rule", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY])("a mean that holds %d changes nothing", (bad) => {
    const state = stateOf(noise(1, n));
    const before = structuredClone(state);
    adamwStep(state, noise(2, n).fill(bad, 3, 4), table, options);
    expect(state).toEqual(before);
  });
  test("an element whose result is not finite keeps all it had; the others step; -0 becomes +0", () => {
    const state = stateOf(new Float32Array(n).fill(1));
    const mean = new Float32Array(n).fill(0.5);
    mean[0] = 3e38; // its square is not finite
    mean[1] = -0;
    state.parameters[1] = -0;
    adamwStep(state, mean, table, { ...options, clipNorm: Number.MAX_VALUE });
    expect([state.parameters[0], state.velocity[0], state.variance[0]]).toEqual([1, 0, 0]);
    expect([state.parameters[1], state.velocity[1], state.variance[1]].every((x) => Object.is(x, 0))).toBe(true);
    expect(state.parameters[2]).toBeLessThan(1);
  });
  test("in a late round nothing is left of the bias", () => {
    const late = (step: number) => {
      const state = stateOf(noise(1, n));
      adamwStep(state, noise(2, n), table, { ...options, step });
      return state.parameters;
    };
    expect(late(10_000_000)).toEqual(late(20_000));
    expect(late(20_000)).not.toEqual(late(2));
  });
});
