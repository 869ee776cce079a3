import { expect, test } from "vitest";
import type { ParameterTable } from "../parameters.ts";
import { noise } from "../test-given.ts";
import { co2Step } from "./co2.ts";

const tableOf = (...lengths: number[]): ParameterTable => {
  let length = 0;
  const tensors = lengths.map((own, i) => {
    const place = { name: `tensor-${i}`, shape: [own], offset: length, length: own };
    length += own;
    return place;
  });
  return { tensors, length };
};
const options = { learningRate: 1, momentum: 0.5 };
const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

test("five steps agree with the formulas in f64, a penalty for each tensor", () => {
  const table = tableOf(300, 1, 199);
  const state = { parameters: noise(1, table.length), velocity: new Float32Array(table.length) };
  const phi = Array.from(state.parameters);
  const m = phi.map(() => 0);
  for (let round = 0; round < 5; round++) {
    const mean = noise(10 + round, table.length, 0.1);
    co2Step(state, mean, table, { ...options, momentumClip: 0.08 });
    for (const { offset, length } of table.tensors) {
      const places = Array.from({ length }, (_, i) => offset + i);
      const penalty = 1 + norm(places.map((i) => m[i] - mean[i])) / norm(places.map((i) => mean[i]));
      for (const i of places) {
        m[i] = Math.min(0.08, Math.max(-0.08, 0.5 * m[i] + mean[i] / penalty));
        phi[i] -= m[i];
      }
    }
  }
  for (let i = 0; i < table.length; i++) expect(state.parameters[i]).toBeCloseTo(phi[i], 5);
});

test.each([
  { moved: 1, penalty: 1, what: "the anchor went there already" },
  { moved: 0, penalty: 2, what: "it stood still" },
  { moved: -1, penalty: 3, what: "it went as far the other way" },
])("the penalty is $penalty where $what", ({ moved, penalty }) => {
  const mean = Float32Array.of(0.5, -0.25);
  const state = { parameters: new Float32Array(2), velocity: mean.map((d) => moved * d) };
  co2Step(state, mean, tableOf(2), { learningRate: 1, momentum: 0 });
  expect([...state.velocity]).toEqual([...mean].map((d) => Math.fround(d / penalty)));
});

test("the penalty is what keeps steps stable whose means come late; with the clip off, as its authors ran it", () => {
  /** A quadratic of that curvature from 1, one exact gradient a round, one round late. */
  const ends = (step: (state: { parameters: Float32Array; velocity: Float32Array }, mean: Float32Array) => void) => {
    const state = { parameters: Float32Array.of(1), velocity: new Float32Array(1) };
    let late = 1;
    for (let round = 0; round < 100; round++) {
      const mean = Float32Array.of(0.6 * late);
      late = state.parameters[0];
      step(state, mean);
    }
    return Math.abs(state.parameters[0]);
  };
  expect(ends((state, mean) => co2Step(state, mean, tableOf(1), options))).toBeLessThan(0.1);
  const heavyBall = ends(({ parameters, velocity }, mean) => {
    velocity[0] = 0.5 * velocity[0] + mean[0];
    parameters[0] -= velocity[0];
  });
  expect(heavyBall).toBeGreaterThan(10);
});

test("an element whose result is not finite keeps what it had, and is no part of the penalty; -0 becomes +0", () => {
  const state = { parameters: Float32Array.of(1, 1, 1, -0), velocity: Float32Array.of(0, 0, 0, -0) };
  co2Step(state, Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 0.5, -0), tableOf(4), options);
  expect([...state.parameters]).toEqual([1, 1, 0.75, 0]);
  expect([...state.velocity]).toEqual([0, 0, 0.25, 0]);
  co2Step(state, new Float32Array(4), tableOf(4), options); // nothing came: momentum alone
  expect([...state.parameters]).toEqual([1, 1, 0.625, 0]);
});
