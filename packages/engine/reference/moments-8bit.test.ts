import { expect, test } from "vitest";
import { roundMoments } from "./moments-8bit.ts";
import { normals, prng } from "./testing.ts";

test("what is kept is near, keeps its sign, and is right on average: a change smaller than a code is not lost", () => {
  const random = prng(1);
  const m = normals(random, 64).map((x, i) => x * 10 ** -(i % 4));
  const v = m.map((x) => x * x);
  const times = 4000;
  const meanM = new Float64Array(64);
  const meanRoot = new Float64Array(64);
  let furthest = 0;
  for (let update = 1; update <= times; update++) {
    const kept = { m: m.slice(), v: v.slice() };
    roundMoments(kept.m, kept.v, update);
    kept.m.forEach((x, i) => {
      furthest = Math.max(furthest, Math.abs(x / m[i] - 1));
      meanM[i] += x / times;
      meanRoot[i] += Math.sqrt(kept.v[i]) / times;
    });
  }
  expect(furthest).toBeLessThan(2 ** (1 / 8) - 1 + 1e-9);
  // A step of m's scale is 9 %, half of it the most that rounding spreads; over 4000 times that leaves 0.07 %. Chances have 8 bits.
  expect(Math.max(...meanM.map((x, i) => Math.abs(x / m[i] - 1)))).toBeLessThan(0.005);
  expect(Math.max(...meanRoot.map((x, i) => Math.abs(x / Math.sqrt(v[i]) - 1)))).toBeLessThan(0.0025);
});

test("zero stays zero, and a small root beside a large one does not become zero", () => {
  const m = new Float64Array(64);
  const v = new Float64Array(64);
  v[0] = 1;
  v[1] = 1e-30; // its m may be as small, and is divided by the root
  roundMoments(m, v, 1);
  expect(m.every((x) => x === 0)).toBe(true);
  expect([v[0], v[2], v[40]]).toEqual([1, 0, 0]);
  expect(v[1]).toBeGreaterThan(0);
});
