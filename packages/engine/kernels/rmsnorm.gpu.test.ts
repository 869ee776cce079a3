import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  rmsnormBackward as referenceBackward,
  rmsnormForward as referenceForward,
  relativeError,
} from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { gammaBlocks, rmsnormBackward, rmsnormForward, rmsnormGamma, rmsnormGammaSum } from "./rmsnorm.ts";
import { DEVICES, f32, KernelRunner, unwritten } from "./testing.ts";

const SHAPES = [
  { N: 1, C: 4 },
  { N: 5, C: 20 },
  { N: 33, C: 64 },
  { N: 67, C: 772 },
];

describe.each(DEVICES)("fused sum, residual and RMSNorm on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  describe.each([1, 2, 3, 8])("K = %i partial sums", (K) => {
    test.each(SHAPES)("N=$N C=$C", async ({ N, C }) => {
      const eps = 1e-5;
      const random = prng(K * 100 + N);
      const partials = Array.from({ length: K }, () => f32(normals(random, N * C)));
      const residual = f32(normals(random, N * C));
      const gamma = f32(normals(random, C).map((g) => 1 + 0.1 * g));
      const forward = await runner.run(
        rmsnormForward,
        { rows: N, C, K, eps },
        {
          partials: f32(partials.flatMap((p) => [...p])),
          residual,
          gamma,
          residualOut: unwritten(N * C),
          y: unwritten(N * C),
          rstd: unwritten(N),
        },
      );
      const truth = referenceForward({ partials, residual, weight: gamma }, { N, C, eps });
      expect(relativeError(forward.residualOut, truth.residual)).toBeLessThan(1e-6);
      expect(relativeError(forward.y, truth.normed)).toBeLessThan(1e-5);
      expect(relativeError(forward.rstd, truth.rstd)).toBeLessThan(1e-5);

      const dy = f32(normals(random, N * C));
      const behind = f32(normals(random, N * C));
      const kept = { x: forward.residualOut, rstd: forward.rstd };
      const accumulated = await runner.run(
        rmsnormBackward,
        { rows: N, C, accumulate: 1 },
        { dy, ...kept, gamma, dx: behind.slice() },
      );
      const alone = await runner.run(
        rmsnormBackward,
        { rows: N, C, accumulate: 0 },
        { dy, ...kept, gamma, dx: unwritten(N * C) },
      );
      const given = { dNormed: dy, residual: truth.residual, rstd: truth.rstd, weight: gamma };
      const back = referenceBackward({ ...given, dResidualAfter: behind }, { N, C, eps });
      expect(relativeError(accumulated.dx, back.dResidual)).toBeLessThan(1e-5);
      expect(relativeError(alone.dx, referenceBackward(given, { N, C, eps }).dResidual)).toBeLessThan(1e-5);

      const blocks = gammaBlocks(N);
      const { partials: sums } = await runner.run(
        rmsnormGamma,
        { rows: N, C },
        { dy, ...kept, partials: unwritten(blocks * C) },
      );
      const before = f32(normals(random, C));
      const shape = { norms: 1, blocks, C, stride: C, partialStride: blocks * C };
      const { dgamma } = await runner.run(rmsnormGammaSum, shape, { partials: sums, dgamma: before });
      expect(
        relativeError(
          dgamma,
          back.dWeight.map((g, i) => g + before[i]),
        ),
      ).toBeLessThan(1e-5);
    });
  });

  test("K = 0 is a plain norm: the first one of the model", async () => {
    const residual = f32(normals(prng(3), 3 * 8));
    const gamma = f32(new Array(8).fill(1));
    const out = { residualOut: unwritten(24), y: unwritten(24), rstd: unwritten(3) };
    const forward = await runner.run(
      rmsnormForward,
      { rows: 3, C: 8, K: 0, eps: 1e-5 },
      { partials: residual, residual, gamma, ...out },
    );
    const truth = referenceForward({ partials: [], residual, weight: gamma }, { N: 3, C: 8, eps: 1e-5 });
    expect(relativeError(forward.y, truth.normed)).toBeLessThan(1e-5);
    expect(forward.residualOut).toEqual(residual);
  });
});
