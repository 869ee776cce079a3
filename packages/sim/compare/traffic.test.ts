import { describe, expect, test } from "vitest";
import { allGather, linkFrom, ringAllReduce, swap } from "./traffic.ts";

describe("traffic", () => {
  test("a ring all-reduce of 100 million f32 among 16 peers at 20 Mbit/s and 50 ms takes 302 s, a swap 160 s", () => {
    const link = { mbit: 20, delayMs: 50 };
    expect(ringAllReduce(link, 16, 400e6)).toMatchObject({ sent: 750e6, received: 750e6 });
    expect(ringAllReduce(link, 16, 400e6).ms).toBeCloseTo(301_500, 6);
    expect(swap(link, 400e6, 400e6).ms).toBeCloseTo(160_100, 6);
  });

  test("all-gather: everybody's updates but one's own come in, and all are passed on by somebody", () => {
    const link = { mbit: 8, delayMs: 10 };
    const bytes = [1_000, 2_000, 3_000];
    const costs = bytes.map((own) => allGather(link, bytes, own));
    expect(costs.map(({ received }) => received)).toEqual([5_000, 4_000, 3_000]);
    const passedOn = costs.reduce((sum, { sent }) => sum + sent, 0) - 6_000; // one copy of each goes to the host
    expect(passedOn).toBeCloseTo(
      costs.reduce((sum, { received }) => sum + received, 0),
      6,
    );
    expect(allGather(link, [1_000], 1_000)).toEqual({ sent: 1_000, received: 0, ms: 31 });
  });

  test("a line is Mbit/s and a round trip", () => {
    expect(linkFrom("20mbit/40ms")).toEqual({ mbit: 20, delayMs: 20 });
    expect(() => linkFrom("20/40")).toThrow('"20/40" is no line; for example 20mbit/40ms');
    expect(() => linkFrom("0mbit/40ms")).toThrow(RangeError);
  });
});
