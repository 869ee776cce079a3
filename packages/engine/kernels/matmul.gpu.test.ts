import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { linearBackward, linearForward, relativeError } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { matmulNn, matmulNt, matmulTn } from "./matmul.ts";
import { f32, KernelRunner, TILED_DEVICES, unwritten } from "./testing.ts";

// Tiles are 32 and 8 rows by 8 columns, workgroups 32 by 32 and 64 by 64; shared tiles are 64 by 64, 16 deep.
const SHAPES = [
  { N: 1, I: 4, O: 4 },
  { N: 5, I: 12, O: 8 },
  { N: 17, I: 36, O: 20 },
  { N: 64, I: 64, O: 64 },
  { N: 131, I: 68, O: 132 },
];

describe.each(TILED_DEVICES)("matmul on $device", ({ defaultLimits, tiled }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits, tiled });
  });
  afterAll(() => runner.destroy());

  test.each(SHAPES)("rows $N, in $I, out $O", async (shape) => {
    const { N, I, O } = shape;
    const random = prng(N);
    const x = f32(normals(random, N * I));
    const weight = f32(normals(random, O * I));
    const dy = f32(normals(random, N * O));
    const forward = await runner.run(matmulNt, { M: N, N: O, K: I }, { a: x, b: weight, c: unwritten(N * O) });
    expect(relativeError(forward.c, linearForward({ x, weight }, shape))).toBeLessThan(1e-5);

    const truth = linearBackward({ dy, x, weight }, shape);
    const dx = await runner.run(matmulNn, { M: N, N: I, K: O }, { a: dy, b: weight, c: unwritten(N * I) });
    expect(relativeError(dx.c, truth.dx)).toBeLessThan(1e-5);

    const before = f32(normals(random, O * I));
    const dw = await runner.run(matmulTn, { M: O, N: I, K: N }, { a: dy, b: x, c: before });
    expect(
      relativeError(
        dw.c,
        truth.dWeight.map((g, i) => g + before[i]),
      ),
    ).toBeLessThan(1e-5); // it accumulates
  });
});
