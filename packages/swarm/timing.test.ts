import { expect, test } from "vitest";
import { backoffMs, finishMarginMs, gatherMs, Pace, Wake } from "./timing.ts";

const deadline = (pace: Pace, roster: string[], announced = new Map<string, number>()) =>
  pace.deadlineMs(roster, announced, 1_000, 60_000);

test("[R8] the deadline is the maximum until four rounds were measured, then follows median and spread", () => {
  const pace = new Pace();
  for (const ms of [4_000, 4_000, 4_000]) pace.record("a", ms);
  expect(deadline(pace, ["a"])).toBe(60_000);
  pace.record("a", 4_000);
  expect(deadline(pace, ["a"])).toBe(8_000); // steady: twice the median
  for (let i = 0; i < 5; i++) pace.record("b", 12_000);
  expect(deadline(pace, ["a", "b"])).toBe(8_000 + 4 * 4_000); // the slow one is in time
});

test("[R8] a newcomer counts with its announced steps, an unknown device with the maximum", () => {
  const pace = new Pace();
  for (let i = 0; i < 4; i++) pace.record("a", 4_000);
  expect(deadline(pace, ["a", "new"])).toBe(60_000);
  expect(deadline(pace, ["a", "new"], new Map([["new", 4_000]]))).toBe(8_000);
});

test("[R8] whatever a stranger announces, the deadline is a number", () => {
  const pace = new Pace();
  for (let i = 0; i < 4; i++) pace.record("a", 4_000);
  const never = new Map([["new", 1e308 * 20]]);
  expect(deadline(pace, ["new"], never)).toBe(60_000);
  expect(deadline(pace, ["a", "new"], never)).toBe(60_000);
});

test("[R8] the spec's bounds hold", () => {
  const pace = new Pace();
  for (let i = 0; i < 4; i++) pace.record("a", 10);
  expect(deadline(pace, ["a"])).toBe(1_000);
  for (let i = 0; i < 5; i++) pace.record("a", 1e9);
  expect(deadline(pace, ["a"])).toBe(60_000);
});

test("waits stay between their bounds", () => {
  expect([0, 1, 5, 50].map((attempt) => backoffMs(attempt, 500, 10_000))).toEqual([500, 1_000, 10_000, 10_000]);
  expect([1_000, 8_000, 1e9].map(gatherMs)).toEqual([500, 2_000, 10_000]);
  expect([1_000, 20_000, 3_600_000].map(finishMarginMs)).toEqual([500, 2_000, 30_000]);
});

test("a wake is announced once, and again when an earlier one is needed or it has passed", () => {
  const wake = new Wake();
  wake.want(100);
  expect(wake.take(0)).toBe(100);
  wake.want(100);
  expect(wake.take(1)).toBeUndefined();
  wake.want(50);
  expect(wake.take(2)).toBe(50);
  wake.want(100);
  expect(wake.take(50)).toBe(100);
  wake.rung(); // a millisecond early
  wake.want(100);
  expect(wake.take(99)).toBe(100);
});
