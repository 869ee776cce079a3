import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkAllReduceNorm } from "../conformance/all-reduce.ts";
import { fails } from "../conformance/check.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { DEVICES, describeOn } from "./testing.ts";

/** The last blocks of the first two shards are shorter than 64 numbers. */
const SHAPES = [
  { N: 5, C: 20 },
  { N: 33, C: 68 },
  { N: 70, C: 64 },
];

describeOn(DEVICES, "fused all-reduce, residual and RMSNorm", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  describe.each([
    { K: 1, shards: 1 },
    { K: 0, shards: 2 },
    { K: 1, shards: 3 },
  ] as const)("own parts: $K, shards of others: $shards", (parts) => {
    test.each(SHAPES)("N=$N C=$C", async (shape) => {
      expect((await checkAllReduceNorm(runner, { ...shape, ...parts })).filter(fails)).toEqual([]);
    });
  });
});
