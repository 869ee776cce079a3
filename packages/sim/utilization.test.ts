// Condition: with overlap a peer on a home line trains at least 95 % of its time. `npm run sim -- utilization` prints both ways.
import { expect, test } from "vitest";
import { utilization, utilizationLines } from "./utilization.ts";

test("[R30] with overlap four peers on 20 Mbit/s and 40 ms train at least 95 % of the time; without, far less", () => {
  const [blocking, overlap] = [false, true].map((overlap) => utilization(overlap, { rounds: 8, smaller: 16 }));
  expect(utilizationLines([blocking, overlap])[2]).toMatch(/^overlap {3}trains (9\d|100)\.\d %/);
  expect(overlap.contributors).toBeGreaterThan(3.9);
  expect(overlap.share).toBeGreaterThanOrEqual(0.95);
  expect(blocking.share).toBeLessThan(0.8); // else this line would hide nothing
});
