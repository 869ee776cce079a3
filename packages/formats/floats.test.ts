import { expect, test } from "vitest";
import { bytesFrom, fitsF16, floatsFrom, floatTypes } from "./floats.ts";

test("F32 and what the other types hold cross both ways", () => {
  for (const type of floatTypes) {
    const values = Float32Array.of(0, -0, 1, -1.5, 2 ** -14, -(2 ** 10), 240);
    expect(floatsFrom(bytesFrom(values, type), type)).toEqual(values);
  }
  const bytes = bytesFrom(Float32Array.of(1, 2, 3), "BF16");
  expect(floatsFrom(bytes.subarray(2), "BF16")).toEqual(Float32Array.of(2, 3)); // whatever its place in memory
});

test("BF16 rounds to the nearest, ties to even, and finite values stay finite", () => {
  const rounded = (value: number): number => floatsFrom(bytesFrom(Float32Array.of(value), "BF16"), "BF16")[0];
  const step = 2 ** -7; // after 1
  expect(rounded(1 + 0.49 * step)).toBe(1);
  expect(rounded(1 + 0.51 * step)).toBe(1 + step);
  expect(rounded(1 + 0.5 * step)).toBe(1);
  expect(rounded(1 + 1.5 * step)).toBe(1 + 2 * step);
  expect(rounded(-1 - 1.5 * step)).toBe(-1 - 2 * step);
  const largest = (2 - 2 ** -23) * 2 ** 127;
  expect(rounded(largest)).toBe((2 - 2 ** -7) * 2 ** 127);
  expect(rounded(-largest)).toBe(-(2 - 2 ** -7) * 2 ** 127);
});

test("what F16 cannot hold is told before", () => {
  expect(fitsF16(Float32Array.of(65_519, -65_504))).toBe(true);
  expect(floatsFrom(bytesFrom(Float32Array.of(65_519), "F16"), "F16")[0]).toBe(65_504);
  expect(fitsF16(Float32Array.of(0, -65_520))).toBe(false);
});
