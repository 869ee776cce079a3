import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fails } from "../conformance/check.ts";
import { checkRope } from "../conformance/rope.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { DEVICES, describeOn } from "./testing.ts";

const SHAPES = [
  { D: 4, B: 1, T: 1, heads: 1, kvHeads: 1 },
  { D: 12, B: 2, T: 5, heads: 3, kvHeads: 1 }, // D/2 is no multiple of 4
  { D: 32, B: 3, T: 33, heads: 4, kvHeads: 2 },
];

describeOn(DEVICES, "rope", (given) => {
  describe.each(SHAPES)("D=$D B=$B T=$T heads=$heads/$kvHeads", (shape) => {
    let runner: KernelRunner;
    beforeAll(async () => {
      runner = await KernelRunner.open({ ...given, headSize: shape.D });
    });
    afterAll(() => runner.destroy());

    test("turns q and k, leaves v, and back", async () => {
      expect((await checkRope(runner, { ...shape, theta: 10_000 })).filter(fails)).toEqual([]);
    });
  });
});
