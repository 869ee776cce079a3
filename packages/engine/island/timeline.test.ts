import { expect, test } from "vitest";
import { overlapOf } from "./timeline.ts";

const span = (queuedAt: number, leftAt: number, backAt: number) => ({ queuedAt, leftAt, backAt });

test("one microbatch hides nothing: the device waits for each sum", () => {
  expect(overlapOf([span(0, 10, 14), span(14, 24, 28)])).toEqual({ exchangeMs: 8, hiddenMs: 0 });
});

test("of two, one is computed while the other one's sums cross, as far as that takes", () => {
  // A computes 0-10 and crosses 10-14; B was queued behind it, computes 10-20 and crosses 20-32; A's next runs 20-30.
  expect(overlapOf([span(0, 10, 14), span(1, 20, 32), span(14, 30, 31)])).toEqual({ exchangeMs: 17, hiddenMs: 4 + 10 });
  expect(overlapOf([])).toEqual({ exchangeMs: 0, hiddenMs: 0 });
});
