import { rope, ropeTables } from "../kernels/rope.ts";
import { type RopeShape, ropeForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare } from "./check.ts";
import type { KernelRunner } from "./runner.ts";

/** Turns q and k, leaves v, and back. The runner's head size is the shape's D. */
export async function checkRope(
  runner: KernelRunner,
  { D, B, T, heads, kvHeads, theta }: RopeShape & { readonly kvHeads: number },
): Promise<Check[]> {
  const stride = (heads + 2 * kvHeads) * D;
  const rows = B * T;
  const qkv = runner.stored(normals(prng(T), rows * stride));
  const shape = { rows, T, stride, turned: heads + kvHeads, half: D / 2 };
  const tables = ropeTables(T, D, theta);
  const turned = await runner.run(rope, { ...shape, direction: 1 }, { ...tables, qkv });
  const back = await runner.run(rope, { ...shape, direction: -1 }, { ...tables, qkv: turned.qkv });
  // The reference sees all heads of a row as one kind; v's are put back.
  const truth = ropeForward(qkv, { B, T, heads: heads + 2 * kvHeads, D, theta });
  const v = (heads + kvHeads) * D;
  for (let row = 0; row < rows; row++) truth.set(qkv.subarray(row * stride + v, (row + 1) * stride), row * stride + v);
  return [
    compare(rope, "turned", turned.qkv, truth, runner.storedError(1e-6)),
    compare(rope, "turned back", back.qkv, qkv, runner.storedError(1e-6)),
  ];
}
