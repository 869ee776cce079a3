import { expect, test } from "vitest";
import { PairBudgets, pairLimit } from "./pair-budgets.ts";

test("[R38] a peer has a budget for each one that it calls, and it comes back with time", () => {
  const budgets = new PairBudgets();
  const half = pairLimit.burst / 2;
  expect(budgets.take("bob", half, 0)).toBe(true);
  expect(budgets.take("bob", half, 0)).toBe(true);
  expect(budgets.take("bob", 20_000, 0)).toBe(false);
  expect(budgets.take("carol", 20_000, 0)).toBe(true); // another pair
  expect(budgets.take("bob", 20_000, 2_000)).toBe(true);
});
