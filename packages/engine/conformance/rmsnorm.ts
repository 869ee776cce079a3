import { gammaBlocks, rmsnormBackward, rmsnormForward, rmsnormGammaSum } from "../kernels/rmsnorm.ts";
import { rmsnormBackward as referenceBackward, rmsnormForward as referenceForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare, plus } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

const EPS = 1e-5;

/** K partial sums and the residual stream into a norm, and all of its backward pass; K = 0 is the first norm of the model. */
export async function checkRmsnorm(
  runner: KernelRunner,
  { N, C, K }: { readonly N: number; readonly C: number; readonly K: number },
): Promise<Check[]> {
  const random = prng(K * 100 + N);
  const partials = Array.from({ length: K }, () => runner.stored(normals(random, N * C)));
  const residual = runner.stored(normals(random, N * C));
  const gamma = f32(normals(random, C).map((g) => 1 + 0.1 * g));
  const out = { residualOut: unwritten(N * C), y: unwritten(N * C), rstd: unwritten(N) };
  const sums = K === 0 ? residual : f32(partials.flatMap((p) => [...p])); // what is bound must not be empty
  const forward = await runner.run(
    rmsnormForward,
    { rows: N, C, K, eps: EPS },
    { partials: sums, residual, gamma, ...out },
  );
  const truth = referenceForward({ partials, residual, weight: gamma }, { N, C, eps: EPS });

  const dy = runner.stored(normals(random, N * C));
  const behind = runner.stored(normals(random, N * C));
  const kept = { dy, x: forward.residualOut, rstd: forward.rstd, gamma };
  const blocks = gammaBlocks(N);
  const backward = (accumulate: 0 | 1, dx: Float32Array<ArrayBuffer>) =>
    runner.run(rmsnormBackward, { rows: N, C, accumulate }, { ...kept, dx, partials: unwritten(blocks * C) });
  const accumulated = await backward(1, behind.slice());
  const alone = await backward(0, unwritten(N * C));
  const given = { dNormed: dy, residual: truth.residual, rstd: truth.rstd, weight: gamma };
  const shape = { N, C, eps: EPS };
  const back = referenceBackward({ ...given, dResidualAfter: behind }, shape);

  const before = f32(normals(random, C));
  const { dgamma } = await runner.run(
    rmsnormGammaSum,
    { norms: 1, blocks, C, stride: C, partialStride: blocks * C },
    { partials: alone.partials, dgamma: before },
  );
  return [
    compare(rmsnormForward, "residual", forward.residualOut, truth.residual, K === 0 ? 0 : runner.storedError(1e-6)),
    compare(rmsnormForward, "y", forward.y, truth.normed, runner.storedError(1e-5)),
    compare(rmsnormForward, "rstd", forward.rstd, truth.rstd, runner.storedError(1e-5)),
    compare(rmsnormBackward, "dx", alone.dx, referenceBackward(given, shape).dResidual, runner.storedError(1e-5)),
    compare(rmsnormBackward, "dx, accumulated", accumulated.dx, back.dResidual, runner.storedError(1e-5)),
    compare(rmsnormGammaSum, "dgamma", dgamma, plus(back.dWeight, before), runner.storedError(1e-5)),
  ];
}
