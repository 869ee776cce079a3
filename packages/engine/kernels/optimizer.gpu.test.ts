import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkOptimizer } from "../conformance/optimizer.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { DEVICES } from "./testing.ts";

describe.each(DEVICES)("optimizer on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { floats: 4, deviation: 1 },
    { floats: 252, deviation: 1e-3 }, // below the clip
    { floats: 70_000, deviation: 1 }, // several workgroups, several vec4 per invocation
  ])("norm, loss and AdamW of $floats floats, deviation $deviation", async (shape) => {
    expect((await checkOptimizer(runner, shape)).filter(fails)).toEqual([]);
  });
});
