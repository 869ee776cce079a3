import { expect, test } from "vitest";
import { aligned } from "./chart.tsx";

test("lines of different x share one axis, with gaps where one has no value", () => {
  const line = (xs: number[]) =>
    ({ label: "", look: "solid", tone: "plain", points: xs.map((x) => ({ x, y: x * 10 })) }) as const;
  expect(aligned([line([1, 2, 4]), line([2, 3])])).toEqual([
    [1, 2, 3, 4],
    [10, 20, null, 40],
    [null, 20, 30, null],
  ]);
});
