import { afterAll, beforeAll, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkOptimizer, checkOptimizer8bit } from "../conformance/optimizer.ts";
import { f32, KernelRunner, unwritten } from "../conformance/runner.ts";
import { packStep, REPORT_FLOATS, report } from "./optimizer.ts";
import { describeOn, F32_DEVICES } from "./testing.ts";

const OPTIONS = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const { POSITIVE_INFINITY } = Number;

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

  test.each([
    { name: "the thousandth good step doubles it", before: [1024, 999, 0, 0], sum: 1, after: [2048, 0, 0, 0] },
    { name: "the one before does not", before: [1024, 998, 4, 0], sum: 1, after: [1024, 999, 0, 0] },
    { name: "it ends at 32,768", before: [32_768, 999, 0, 0], sum: 1, after: [32_768, 0, 0, 0] },
    {
      name: "too large a gradient halves it",
      before: [1024, 500, 3, 7],
      sum: POSITIVE_INFINITY,
      after: [512, 0, 4, 8],
    },
    { name: "no number either", before: [1024, 500, 0, 0], sum: Number.NaN, after: [512, 0, 1, 1] },
    { name: "it ends at 1", before: [1, 0, 20, 20], sum: POSITIVE_INFINITY, after: [1, 0, 21, 21] },
  ])("loss scaling: $name", async ({ before, sum, after }) => {
    const [scale, ...counts] = before;
    const given = { step: packStep(OPTIONS, 10, 1, 1), partials: f32([sum]), losses: f32([1]) };
    const out = await runner.run(
      report,
      { rows: 1, partials: 1, scaled: 1, gain: 1 },
      { ...given, report: unwritten(REPORT_FLOATS), scaling: Uint32Array.of(...bits([scale]), ...counts) },
    );
    expect([out.scaling[0], ...bits(out.scaling.subarray(1))]).toEqual(after);
    const [, , unscale, skipped, correction1, correction2] = out.report;
    expect([unscale, skipped]).toEqual([1 / scale, Number.isFinite(sum) ? 0 : after[2]]);
    const t = 10 - before[3]; // steps that were skipped were none
    if (t > 0) expect(correction1 * (1 - OPTIONS.beta1 ** t)).toBeCloseTo(1, 4);
    if (t > 0) expect(correction2 * (1 - OPTIONS.beta2 ** t)).toBeCloseTo(1, 4);
  });
});

const bits = (floats: ArrayLike<number>): Uint32Array => new Uint32Array(f32(floats).buffer);
