import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { checkSwiglu } from "../conformance/swiglu.ts";
import { DEVICES } from "./testing.ts";

describe.each(DEVICES)("swiglu on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { rows: 1, F: 4, deviation: 1 },
    { rows: 7, F: 68, deviation: 1 },
    { rows: 65, F: 172, deviation: 30 }, // deep in both tails
    { rows: 3, F: 64, deviation: 1000 }, // where exp overflows
  ])("rows=$rows F=$F deviation $deviation", async (shape) => {
    expect((await checkSwiglu(runner, shape)).filter(fails)).toEqual([]);
  });
});
