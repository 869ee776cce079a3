import { matmulNn, matmulNt, matmulTn } from "../kernels/matmul.ts";
import { type LinearShape, linearBackward, linearForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare, plus } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

export const MATMULS: readonly unknown[] = [matmulNt, matmulNn, matmulTn];

/** A linear layer forward and both products of its backward pass; the weights' gradient accumulates. @param only what is to be checked of them */
export async function checkMatmul(runner: KernelRunner, shape: LinearShape, only = MATMULS): Promise<Check[]> {
  const { N, I, O } = shape;
  const random = prng(N);
  const x = runner.stored(normals(random, N * I));
  const weight = runner.stored(normals(random, O * I));
  const dy = runner.stored(normals(random, N * O));
  const before = f32(normals(random, O * I));
  const truth = linearBackward({ dy, x, weight }, shape);
  const checks: Check[] = [];
  if (only.includes(matmulNt)) {
    const { c } = await runner.run(matmulNt, { M: N, N: O, K: I }, { a: x, b: weight, c: unwritten(N * O) });
    checks.push(compare(matmulNt, "y", c, linearForward({ x, weight }, shape), runner.storedError(1e-5)));
  }
  if (only.includes(matmulNn)) {
    const { c } = await runner.run(matmulNn, { M: N, N: I, K: O }, { a: dy, b: weight, c: unwritten(N * I) });
    checks.push(compare(matmulNn, "dx", c, truth.dx, runner.storedError(1e-5)));
  }
  if (only.includes(matmulTn)) {
    const { c } = await runner.run(matmulTn, { M: O, N: I, K: N }, { a: dy, b: x, c: before });
    checks.push(compare(matmulTn, "dweight", c, plus(truth.dWeight, before), 1e-5));
  }
  return checks;
}
