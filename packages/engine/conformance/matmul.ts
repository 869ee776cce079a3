import { matmulNn, matmulNt, matmulTn } from "../kernels/matmul.ts";
import { type LinearShape, linearBackward, linearForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare, plus } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

/** A linear layer forward and both products of its backward pass; the weights' gradient accumulates. */
export async function checkMatmul(runner: KernelRunner, shape: LinearShape): Promise<Check[]> {
  const { N, I, O } = shape;
  const random = prng(N);
  const x = runner.stored(normals(random, N * I));
  const weight = runner.stored(normals(random, O * I));
  const dy = runner.stored(normals(random, N * O));
  const before = f32(normals(random, O * I));
  const y = await runner.run(matmulNt, { M: N, N: O, K: I }, { a: x, b: weight, c: unwritten(N * O) });
  const dx = await runner.run(matmulNn, { M: N, N: I, K: O }, { a: dy, b: weight, c: unwritten(N * I) });
  const dw = await runner.run(matmulTn, { M: O, N: I, K: N }, { a: dy, b: x, c: before });
  const truth = linearBackward({ dy, x, weight }, shape);
  return [
    compare(matmulNt, "y", y.c, linearForward({ x, weight }, shape), runner.storedError(1e-5)),
    compare(matmulNn, "dx", dx.c, truth.dx, runner.storedError(1e-5)),
    compare(matmulTn, "dweight", dw.c, plus(truth.dWeight, before), 1e-5),
  ];
}
