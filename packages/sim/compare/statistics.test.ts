import { expect, test } from "vitest";
import { estimate } from "./statistics.ts";

test("mean and 95 % interval of the mean, by Student's t", () => {
  // Student's own sleep data (Biometrika, 1908): differences of ten pairs; the interval is 0.70 to 2.46
  const { mean, margin } = estimate([1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4]);
  expect(mean).toBeCloseTo(1.58, 10);
  expect(margin).toBeCloseTo(0.88, 2);
});

test("one value has no interval", () => {
  expect(estimate([3])).toEqual({ mean: 3, margin: undefined });
});
