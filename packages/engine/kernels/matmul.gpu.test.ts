import { afterAll, beforeAll, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkMatmul } from "../conformance/matmul.ts";
import { KernelRunner } from "../conformance/runner.ts";
import type { Variant } from "../device/kernel.ts";
import { matmulNt } from "./matmul.ts";
import { describeOn, TILED_DEVICES } from "./testing.ts";

// Tiles are 32 and 8 rows by 8 columns, workgroups 32 by 32 and 64 by 64; shared tiles are 64 by 64, 16 deep.
const SHAPES = [
  { N: 1, I: 4, O: 4 },
  { N: 5, I: 12, O: 8 },
  { N: 17, I: 36, O: 20 },
  { N: 64, I: 64, O: 64 },
  { N: 131, I: 68, O: 132 },
];

describeOn(TILED_DEVICES, "matmul", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  test.each(SHAPES)("rows $N, in $I, out $O", async (shape) => {
    expect((await checkMatmul(runner, shape)).filter(fails)).toEqual([]);
  });
});

describeOn(TILED_DEVICES, "candidates for a measurement", (given) => {
  test.each([0, 1, 2, 3])("number %i", async (index) => {
    let missing = false;
    const vary = (variant: Variant): Variant => {
      const candidate = matmulNt.tuning!.candidates(variant)[index];
      missing = candidate === undefined;
      return candidate ?? variant;
    };
    const runner = await KernelRunner.open({ ...given, vary });
    const checks = missing ? [] : await checkMatmul(runner, { N: 131, I: 68, O: 132 });
    runner.destroy();
    expect(checks.filter(fails)).toEqual([]);
  });
});
