import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkRmsnorm } from "../conformance/rmsnorm.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { DEVICES, describeOn } from "./testing.ts";

const SHAPES = [
  { N: 1, C: 4 },
  { N: 5, C: 20 },
  { N: 33, C: 64 },
  { N: 67, C: 772 },
];

describeOn(DEVICES, "fused sum, residual and RMSNorm", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  // K = 0 is a plain norm: the first one of the model.
  describe.each([0, 1, 2, 3, 8])("K = %i partial sums", (K) => {
    test.each(SHAPES)("N=$N C=$C", async (shape) => {
      expect((await checkRmsnorm(runner, { ...shape, K })).filter(fails)).toEqual([]);
    });
  });
});
