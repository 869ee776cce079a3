import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkAttention } from "../conformance/attention.ts";
import { fails } from "../conformance/check.ts";
import { KernelRunner } from "../conformance/runner.ts";
import type { Variant } from "../device/kernel.ts";
import type { AttentionShape } from "../reference/index.ts";
import { attentionBackwardKv } from "./attention.ts";
import { DEVICES, describeOn, F32_DEVICES } from "./testing.ts";

const SHAPES: AttentionShape[] = [
  { B: 1, T: 1, NH: 1, KVH: 1, D: 4 },
  { B: 2, T: 5, NH: 2, KVH: 2, D: 12 },
  { B: 1, T: 33, NH: 4, KVH: 2, D: 32 },
  { B: 2, T: 67, NH: 3, KVH: 1, D: 8 },
  { B: 1, T: 141, NH: 1, KVH: 1, D: 36 }, // several workgroups of queries
];

/** Lavapipe compiles wide heads for up to a minute each, and what lies in memory as f16 is loaded alike in all of them. */
const HALF_WIDTH_MAX = 12;

describeOn(DEVICES, "attention", (given) => {
  describe.each(SHAPES.filter(({ D }) => !given.half || D <= HALF_WIDTH_MAX))(
    "B=$B T=$T NH=$NH KVH=$KVH D=$D",
    (shape) => {
      let runner: KernelRunner;
      beforeAll(async () => {
        runner = await KernelRunner.open({ ...given, headSize: shape.D });
      });
      afterAll(() => runner.destroy());

      test("forward and backward equal the reference", async () => {
        expect((await checkAttention(runner, shape)).filter(fails)).toEqual([]);
      });
    },
  );
});

describeOn(F32_DEVICES, "attention with two queries or keys an invocation", (given) => {
  test("forward and backward equal the reference", async () => {
    const vary = (variant: Variant): Variant => attentionBackwardKv.tuning!.candidates(variant).at(-1) ?? variant;
    const runner = await KernelRunner.open({ ...given, headSize: 8, vary });
    const checks = await checkAttention(runner, { B: 1, T: 67, NH: 4, KVH: 2, D: 8 });
    runner.destroy();
    expect(checks.filter(fails)).toEqual([]);
  });
});
