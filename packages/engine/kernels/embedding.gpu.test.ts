import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkEmbedding } from "../conformance/embedding.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { DEVICES } from "./testing.ts";

describe.each(DEVICES)("embedding on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { N: 1, V: 1, C: 4 },
    { N: 7, V: 3, C: 20 },
    { N: 130, V: 5, C: 68 }, // each id many times
    { N: 66, V: 1000, C: 260 }, // most ids never
  ])("N=$N V=$V C=$C", async (shape) => {
    expect((await checkEmbedding(runner, shape)).filter(fails)).toEqual([]);
  });
});
