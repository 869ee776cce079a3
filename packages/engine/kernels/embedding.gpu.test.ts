import { afterAll, beforeAll, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkEmbedding } from "../conformance/embedding.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { DEVICES, describeOn } from "./testing.ts";

describeOn(DEVICES, "embedding", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
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
