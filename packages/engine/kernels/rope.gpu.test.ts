import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { relativeError, ropeForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { rope, ropeTables } from "./rope.ts";
import { DEVICES, f32, KernelRunner } from "./testing.ts";

const SHAPES = [
  { D: 4, B: 1, T: 1, heads: 1, kvHeads: 1 },
  { D: 12, B: 2, T: 5, heads: 3, kvHeads: 1 }, // D/2 is no multiple of 4
  { D: 32, B: 3, T: 33, heads: 4, kvHeads: 2 },
];

describe.each(DEVICES)("rope on $device", ({ defaultLimits }) => {
  describe.each(SHAPES)("D=$D B=$B T=$T heads=$heads/$kvHeads", ({ D, B, T, heads, kvHeads }) => {
    let runner: KernelRunner;
    beforeAll(async () => {
      runner = await KernelRunner.open({ defaultLimits, headSize: D });
    });
    afterAll(() => runner.destroy());

    test("turns q and k, leaves v, and back", async () => {
      const theta = 10_000;
      const stride = (heads + 2 * kvHeads) * D;
      const rows = B * T;
      const qkv = f32(normals(prng(T), rows * stride));
      const shape = { rows, T, stride, turned: heads + kvHeads, half: D / 2 };
      const tables = ropeTables(T, D, theta);
      const turned = await runner.run(rope, { ...shape, direction: 1 }, { ...tables, qkv });
      // The reference sees all heads of a row as one kind; v's are put back.
      const truth = ropeForward(qkv, { B, T, heads: heads + 2 * kvHeads, D, theta });
      const v = (heads + kvHeads) * D;
      for (let row = 0; row < rows; row++)
        truth.set(qkv.subarray(row * stride + v, (row + 1) * stride), row * stride + v);
      expect(relativeError(turned.qkv, truth)).toBeLessThan(1e-6);
      const back = await runner.run(rope, { ...shape, direction: -1 }, { ...tables, qkv: turned.qkv });
      expect(relativeError(back.qkv, qkv)).toBeLessThan(1e-6);
    });
  });
});
