import { swigluBackward, swigluForward } from "../kernels/swiglu.ts";
import { swigluBackward as referenceBackward, swigluForward as referenceForward } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

export async function checkSwiglu(
  runner: KernelRunner,
  { rows, F, deviation }: { readonly rows: number; readonly F: number; readonly deviation: number },
): Promise<Check[]> {
  const random = prng(rows);
  const gateUp = runner.stored(normals(random, rows * 2 * F, deviation));
  const dh = runner.stored(normals(random, rows * F));
  const part = (from: number, x: Float32Array) =>
    f32(Array.from({ length: rows * F }, (_, i) => x[Math.floor(i / F) * 2 * F + from + (i % F)]));
  const given = { gate: part(0, gateUp), up: part(F, gateUp) };
  const { h } = await runner.run(swigluForward, { rows, F }, { gateUp, h: unwritten(rows * F) });
  const { gateUp: dgateUp } = await runner.run(swigluBackward, { rows, F }, { dh, gateUp });
  const truth = referenceBackward({ ...given, dHidden: dh });
  return [
    compare(swigluForward, "h", h, referenceForward(given), runner.storedError(1e-5)),
    compare(swigluBackward, "dgate", part(0, dgateUp), truth.dGate, runner.storedError(1e-5)),
    compare(swigluBackward, "dup", part(F, dgateUp), truth.dUp, runner.storedError(1e-5)),
  ];
}
