import { describe, expect, test } from "vitest";
import { noise } from "../test-given.ts";
import { type AdaptiveMethod, adaptiveStep } from "./adaptive.ts";

const options = { learningRate: 0.01, momentum: 0.9, beta2: 0.99, tau: 1e-3 };
const methods: AdaptiveMethod[] = ["fedadagrad", "fedadam", "fedyogi"];
const stateOf = (parameters: Float32Array) => ({
  parameters,
  velocity: new Float32Array(parameters.length),
  variance: new Float32Array(parameters.length),
});

describe.each(methods)("%s", (method) => {
  test("five steps agree with the paper's formulas in f64", () => {
    const n = 500;
    const state = stateOf(noise(1, n));
    const phi = Float64Array.from(state.parameters);
    const [m, v] = [new Float64Array(n), new Float64Array(n)];
    for (let round = 0; round < 5; round++) {
      const mean = noise(10 + round, n, 0.1);
      adaptiveStep(state, mean, { ...options, method });
      for (let i = 0; i < n; i++) {
        const delta = -mean[i];
        m[i] = 0.9 * m[i] + (1 - 0.9) * delta;
        if (method === "fedadagrad") v[i] += delta ** 2;
        else if (method === "fedadam") v[i] = 0.99 * v[i] + (1 - 0.99) * delta ** 2;
        else v[i] -= (1 - 0.99) * delta ** 2 * Math.sign(v[i] - delta ** 2);
        phi[i] += (0.01 * m[i]) / (Math.sqrt(v[i]) + 1e-3);
      }
    }
    for (let i = 0; i < n; i++) expect(state.parameters[i]).toBeCloseTo(phi[i], 5);
  });

  test("an element whose result is not finite keeps all it had; the others step; -0 becomes +0", () => {
    const state = stateOf(Float32Array.of(1, 1, 1, -0));
    adaptiveStep(state, Float32Array.of(Number.NaN, 3e38, 0.5, -0), { ...options, method });
    expect([
      ...state.parameters.subarray(0, 2),
      ...state.velocity.subarray(0, 2),
      ...state.variance.subarray(0, 2),
    ]).toEqual(
      [1, 1, 0, 0, 0, 0], // the square of 3e38 is not finite
    );
    expect(state.parameters[2]).toBeLessThan(1);
    expect([state.parameters[3], state.velocity[3], state.variance[3]].every((x) => Object.is(x, 0))).toBe(true);
  });
});

test("what sets them apart: on curvatures that differ a thousandfold one rate serves all directions", () => {
  // A quadratic whose minimum is 0, from 1 in each direction; the mean is its gradient times a fixed inner progress.
  const curvatures = [1, 0.1, 0.01, 0.001];
  const distance = (step: (parameters: Float32Array, mean: Float32Array) => void): number => {
    const parameters = new Float32Array(4).fill(1);
    for (let round = 0; round < 300; round++)
      step(
        parameters,
        parameters.map((x, i) => 0.5 * curvatures[i] * x),
      );
    return Math.max(...parameters.map(Math.abs));
  };
  for (const method of methods) {
    const state = stateOf(new Float32Array(4).fill(1));
    const adaptive = distance((parameters, mean) => {
      state.parameters = parameters;
      adaptiveStep(state, mean, { ...options, method, momentum: 0, learningRate: 0.05, tau: 1e-6 });
    });
    expect(adaptive, method).toBeLessThan(0.3);
  }
  expect(
    distance((parameters, mean) =>
      mean.forEach((d, i) => {
        parameters[i] -= d;
      }),
    ),
  ).toBeGreaterThan(0.8); // an average of peers
});
