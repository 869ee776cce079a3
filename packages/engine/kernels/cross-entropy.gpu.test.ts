import { afterAll, beforeAll, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkCrossEntropy } from "../conformance/cross-entropy.ts";
import { f32, KernelRunner } from "../conformance/runner.ts";
import { NO_UPDATE } from "../model/batch.ts";
import { normals, prng } from "../reference/testing.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { packScaling, packStep } from "./optimizer.ts";
import { DEVICES, describeOn } from "./testing.ts";

describeOn(DEVICES, "cross-entropy", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  test.each([
    { N: 1, V: 1 },
    { N: 5, V: 7 },
    { N: 33, V: 256 },
    { N: 17, V: 1001 },
  ])("N=$N V=$V", async (shape) => {
    expect((await checkCrossEntropy(runner, shape)).filter(fails)).toEqual([]);
  });

  test("rows beyond the valid ones count nothing", async () => {
    const logits = f32(normals(prng(1), 3 * 4));
    const given = {
      step: packStep(NO_UPDATE, 1, 101, 101),
      targets: Uint32Array.of(0, 1, 2),
      logits,
      losses: new Float32Array(3),
      scaling: packScaling(1),
    };
    const out = await runner.run(crossEntropy, { rows: 3, V: 4, firstRow: 100 }, given); // row 100 is the last valid one
    expect([...out.losses].map((loss) => loss > 0)).toEqual([true, false, false]);
    expect(out.logits.subarray(4).every((x) => x === 0)).toBe(true);
  });
});
