import { afterAll, beforeAll, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkOptimizer, checkOptimizer8bit } from "../conformance/optimizer.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { describeOn, F32_DEVICES } from "./testing.ts";

describeOn(F32_DEVICES, "optimizer", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  test.each([
    { floats: 4, deviation: 1 },
    { floats: 252, deviation: 1e-3 }, // below the clip
    { floats: 70_000, deviation: 1 }, // several workgroups, several vec4 per invocation
  ])("norm, loss and AdamW of $floats floats, deviation $deviation", async (shape) => {
    expect((await checkOptimizer(runner, shape)).filter(fails)).toEqual([]);
  });

  test("AdamW with moments in 8 bits: two steps, and what is kept of them", async () => {
    expect((await checkOptimizer8bit(runner, { floats: 32 * 70 })).filter(fails)).toEqual([]);
  });
});
