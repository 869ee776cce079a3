import { expect, test } from "vitest";
import { noise } from "../test-given.ts";
import { nesterovStep } from "./nesterov.ts";

const options = { learningRate: 0.7, momentum: 0.9 };

test("three steps agree with torch's Nesterov in f64", () => {
  const n = 500;
  const state = { parameters: noise(1, n), velocity: new Float32Array(n) };
  const phi = Float64Array.from(state.parameters);
  const m = new Float64Array(n);
  for (let round = 0; round < 3; round++) {
    const mean = noise(10 + round, n, 0.1);
    nesterovStep(state, mean, options);
    for (let i = 0; i < n; i++) {
      m[i] = 0.9 * m[i] + mean[i];
      phi[i] -= 0.7 * (mean[i] + 0.9 * m[i]);
    }
  }
  for (let i = 0; i < n; i++) expect(state.parameters[i]).toBeCloseTo(phi[i], 5);
});

test("golden bits: three values, worked by hand in f32", () => {
  const state = { parameters: Float32Array.of(1, 2, 3), velocity: Float32Array.of(0, 0.5, -0.25) };
  nesterovStep(state, Float32Array.of(0.1, -0.1, 0.5), options);
  const f = Math.fround;
  const expected = ([phi, m, d]: number[]) => {
    const next = f(f(f(0.9) * m) + f(d));
    return f(phi - f(f(0.7) * f(f(d) + f(f(0.9) * next))));
  };
  expect([...state.parameters]).toEqual(
    [
      [1, 0, 0.1],
      [2, 0.5, -0.1],
      [3, -0.25, 0.5],
    ].map(expected),
  );
});

test("an element whose result is not finite keeps what it had; the others step", () => {
  const state = { parameters: Float32Array.of(1, 1, 3e38, 1), velocity: Float32Array.of(0, 0, 0, 3e38) };
  nesterovStep(state, Float32Array.of(Number.NaN, 1, -3e38, 3e38), options);
  expect([...state.parameters].map((v) => v === 1 || v === Math.fround(3e38))).toEqual([true, false, true, true]);
  expect([...state.velocity]).toEqual([0, 1, 0, 3e38].map(Math.fround));
});

test("-0 becomes +0", () => {
  const state = { parameters: Float32Array.of(-0, -0), velocity: Float32Array.of(-0, -0) };
  nesterovStep(state, Float32Array.of(-0, 0), options);
  expect([...state.parameters, ...state.velocity].every((v) => Object.is(v, 0))).toBe(true);
});
