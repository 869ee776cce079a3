import { expect, test } from "vitest";
import { aligned, hasDots } from "./chart.tsx";

test("lines of different x share one axis, with gaps where one has no value", () => {
  const line = (xs: number[]) =>
    ({ label: "", look: "solid", tone: "plain", points: xs.map((x) => ({ x, y: x * 10 })) }) as const;
  expect(aligned([line([1, 2, 4]), line([2, 3])])).toEqual([
    [1, 2, 3, 4],
    [10, 20, null, 40],
    [null, 20, 30, null],
  ]);
});

test("dots stand apart, or there are none; a single point is always one", () => {
  const values = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? i : null));
  expect(hasDots("dots", values, 400)).toBe(true);
  expect(hasDots("dots", values, 100)).toBe(false);
  expect(hasDots("solid", values, 400)).toBe(false);
  expect(hasDots("solid", [null, 3, undefined], 400)).toBe(true);
});
