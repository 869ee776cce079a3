import { afterAll, beforeAll, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { checkSwiglu } from "../conformance/swiglu.ts";
import { DEVICES, describeOn } from "./testing.ts";

describeOn(DEVICES, "swiglu", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  test.each([
    { rows: 1, F: 4, deviation: 1 },
    { rows: 7, F: 68, deviation: 1 },
    { rows: 65, F: 172, deviation: 30 }, // deep in both tails
    ...(given.half ? [] : [{ rows: 3, F: 64, deviation: 1000 }]), // where exp overflows; f16 cannot hold what comes of it
  ])("rows=$rows F=$F deviation $deviation", async (shape) => {
    expect((await checkSwiglu(runner, shape)).filter(fails)).toEqual([]);
  });
});
