import { expect, test } from "vitest";
import { goalOf, goalReason, reasonByCode, reasonCodeOf } from "./reasons.ts";

test("each reason of ours has its code; others have none", () => {
  for (const [code, text] of Object.entries(reasonByCode)) expect(reasonCodeOf(text)).toBe(code);
  for (const text of ["", "Closed", "constructor", "moving house"]) expect(reasonCodeOf(text)).toBeUndefined();
});

test("a goal that was reached is read back, and nothing else is one", () => {
  for (const goal of [
    { of: "rounds", count: 1 },
    { of: "tokens", count: 200_000_000 },
  ] as const)
    expect(goalOf(goalReason(goal))).toEqual(goal);
  for (const text of ["", "the operator's order", "200,000,000 tokens are committed", "all 7 rounds are done, nearly"])
    expect(goalOf(text)).toBeUndefined();
});
