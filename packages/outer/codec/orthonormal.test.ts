import fc from "fast-check";
import { expect, test } from "vitest";
import { noise } from "../test-given.ts";
import { orthonormalize } from "./orthonormal.ts";

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const columnsOf = (matrix: Float32Array, rows: number) =>
  Array.from({ length: matrix.length / rows }, (_, k) => matrix.subarray(k * rows, (k + 1) * rows));
const drawn = noise(99, 1000);
const instead = (index: number) => drawn[index];

/** How far the products of all columns are from those of an orthonormal matrix. */
const worst = (matrix: Float32Array, rows: number) =>
  Math.max(
    ...columnsOf(matrix, rows).flatMap((a, i, all) => all.map((b, j) => Math.abs(dot(a, b) - (i === j ? 1 : 0)))),
  );

test("columns are orthonormal to 1e-6 and span what they spanned", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 8 }), fc.integer({ min: -30, max: 30 }), (seed, r, power) => {
      const rows = 40;
      const given = noise(seed, rows * r, 2 ** power);
      const matrix = given.slice();
      orthonormalize(matrix, rows, instead);
      expect(worst(matrix, rows)).toBeLessThan(1e-6);
      for (const column of columnsOf(given, rows)) {
        const within = columnsOf(matrix, rows).reduce((sum, u) => sum + dot(u, column) ** 2, 0);
        expect(within / dot(column, column)).toBeCloseTo(1, 4);
      }
    }),
    { numRuns: 50 },
  );
});

test.each<[string, Float32Array]>([
  ["zeros", new Float32Array(30)],
  ["the same column three times", Float32Array.from({ length: 30 }, (_, i) => (i % 10) - 4)],
  ["NaN in the middle one", noise(1, 30).fill(Number.NaN, 12, 13)],
  ["an infinity", noise(1, 30).fill(Number.POSITIVE_INFINITY, 12, 13)],
  ["numbers whose squares overflow", noise(1, 30, 3e38)],
  ["subnormal ones", noise(1, 30, 1e-40)],
  [
    "columns that differ by rounding alone",
    Float32Array.from({ length: 30 }, (_, i) => 1 + (i % 10) + (i === 25 ? 1e-6 : 0)),
  ],
])("%s: orthonormal all the same, with seeded columns where nothing was left", (_, matrix) => {
  orthonormalize(matrix, 10, instead);
  expect(worst(matrix, 10)).toBeLessThan(1e-6);
});

test("more columns than rows: what cannot be is zero", () => {
  const matrix = noise(3, 8);
  orthonormalize(matrix, 2, instead);
  expect([...matrix.subarray(4)].every((value) => value === 0)).toBe(true);
});
