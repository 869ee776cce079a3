import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  swigluBackward as referenceBackward,
  swigluForward as referenceForward,
  relativeError,
} from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { swigluBackward, swigluForward } from "./swiglu.ts";
import { DEVICES, f32, KernelRunner, unwritten } from "./testing.ts";

describe.each(DEVICES)("swiglu on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { rows: 1, F: 4, deviation: 1 },
    { rows: 7, F: 68, deviation: 1 },
    { rows: 65, F: 172, deviation: 30 }, // deep in both tails
    { rows: 3, F: 64, deviation: 1000 }, // where exp overflows
  ])("rows=$rows F=$F deviation $deviation", async ({ rows, F, deviation }) => {
    const random = prng(rows);
    const gateUp = f32(normals(random, rows * 2 * F, deviation));
    const part = (from: number, x: Float32Array) =>
      f32(Array.from({ length: rows * F }, (_, i) => x[Math.floor(i / F) * 2 * F + from + (i % F)]));
    const given = { gate: part(0, gateUp), up: part(F, gateUp) };
    const { h } = await runner.run(swigluForward, { rows, F }, { gateUp, h: unwritten(rows * F) });
    expect(relativeError(h, referenceForward(given))).toBeLessThan(1e-5);

    const dh = f32(normals(random, rows * F));
    const { gateUp: dgateUp } = await runner.run(swigluBackward, { rows, F }, { dh, gateUp });
    const truth = referenceBackward({ ...given, dHidden: dh });
    expect(relativeError(part(0, dgateUp), truth.dGate)).toBeLessThan(1e-5);
    expect(relativeError(part(F, dgateUp), truth.dUp)).toBeLessThan(1e-5);
  });
});
