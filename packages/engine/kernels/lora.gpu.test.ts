import { afterAll, beforeAll, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkLora } from "../conformance/lora.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { describeOn, F32_DEVICES } from "./testing.ts";

describeOn(F32_DEVICES, "adapters", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  test.each([
    { rows: 1, I: 4, columns: 4 },
    { rows: 37, I: 68, columns: 8 },
    { rows: 8, I: 260, columns: 32 },
  ])("rows=$rows I=$I columns=$columns", async (shape) => {
    expect((await checkLora(runner, shape)).filter(fails)).toEqual([]);
  });
});
