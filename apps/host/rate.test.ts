import { expect, test } from "vitest";
import { TokenBuckets } from "./rate.ts";

const limit = { perSecond: 1, burst: 3 };

test("each key has its burst and its rate, whatever others do", () => {
  const buckets = new TokenBuckets(limit, 10);
  const takes = (key: string, nowMs: number) => buckets.take(key, 1, nowMs);
  expect([1, 2, 3, 4].map(() => takes("a", 0))).toEqual([true, true, true, false]);
  expect(takes("b", 0)).toBe(true);
  expect([takes("a", 999), takes("a", 1_000), takes("a", 1_000)]).toEqual([false, true, false]);
});

test("only so many are kept: who was quiet longest begins anew", () => {
  const buckets = new TokenBuckets(limit, 2);
  buckets.take("a", 3, 0);
  buckets.take("b", 3, 0);
  expect(buckets.take("a", 1, 0)).toBe(false); // and is the newest now
  buckets.take("c", 3, 0);
  expect(buckets.take("a", 1, 0)).toBe(false);
  expect(buckets.take("b", 1, 0)).toBe(true);
});
