import { expect, test } from "vitest";
import { bugs } from "./bugs.ts";
import { fuzz } from "./fuzz.ts";

/** Far more than the seeds that each takes (`npm run sim -- bugs` prints them), so that a change of what seeds mean breaks nothing. */
const SEEDS_MAX = 500;

test.each(bugs)("the fuzzer finds it when $what ($name)", { timeout: 300_000 }, (bug) => {
  const finds = (seed: number): boolean => {
    try {
      fuzz({ seed, plant: bug });
      return false;
    } catch (error) {
      return (error as Error).message !== "";
    }
  };
  let seed = 1;
  while (seed <= SEEDS_MAX && !finds(seed)) seed += 1;
  expect(seed).toBeLessThanOrEqual(SEEDS_MAX);
});
