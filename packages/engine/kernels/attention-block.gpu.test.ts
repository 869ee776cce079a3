import { expect, test } from "vitest";
import { checkAttentionBlocks } from "../conformance/attention-block.ts";
import { fails } from "../conformance/check.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { checkSharedParts } from "../conformance/shared-part.ts";
import { DEVICES, describeOn } from "./testing.ts";

const SHAPES = [
  { ranks: 2, B: 2, T: 20, NH: 2, KVH: 2, D: 12 }, // chunks of five rows
  { ranks: 3, B: 1, T: 402, NH: 4, KVH: 2, D: 8 }, // several workgroups, chunks that fill none
];

describeOn(DEVICES, "attention between ranks", (given) => {
  test.each(SHAPES)("ranks=$ranks B=$B T=$T NH=$NH KVH=$KVH D=$D equals the whole's", async ({ ranks, ...shape }) => {
    const runner = await KernelRunner.open({ ...given, headSize: shape.D });
    const checks = await checkAttentionBlocks(runner, shape, ranks);
    runner.destroy();
    expect(checks.filter(fails)).toEqual([]);
  });

  test.each([4, 12])("parts of rows and of heads, %i channels each, are where they belong", async (headSize) => {
    const runner = await KernelRunner.open({ ...given, headSize });
    const checks = await checkSharedParts(runner, headSize);
    runner.destroy();
    expect(checks.filter(fails)).toEqual([]);
    expect(checks).toHaveLength(4);
  });
});
