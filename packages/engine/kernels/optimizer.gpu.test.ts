import { afterAll, beforeAll, expect, test } from "vitest";
import type { ParameterTable } from "#outer";
import { fails } from "../conformance/check.ts";
import { checkOptimizer } from "../conformance/optimizer.ts";
import { f32, KernelRunner } from "../conformance/runner.ts";
import { adamwStep, relativeError, roundMoments, unpackMoments } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { adamw8bit, MOMENT_BLOCK, MOMENT_BLOCK_WORDS, packStep } from "./optimizer.ts";
import { describeOn, F32_DEVICES } from "./testing.ts";

const OPTIONS = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

describeOn(F32_DEVICES, "optimizer", (given) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open(given);
  });
  afterAll(() => runner.destroy());

  test.each([
    { floats: 4, deviation: 1 },
    { floats: 252, deviation: 1e-3 }, // below the clip
    { floats: 70_000, deviation: 1 }, // several workgroups, several vec4 per invocation
  ])("norm, loss and AdamW of $floats floats, deviation $deviation", async (shape) => {
    expect((await checkOptimizer(runner, shape)).filter(fails)).toEqual([]);
  });

  test("AdamW with moments in 8 bits: two steps, and what is kept of them", async () => {
    const floats = 32 * 70;
    const random = prng(8);
    const parameters = f32(normals(random, floats));
    const table: ParameterTable = {
      length: floats,
      tensors: [{ name: "norm", shape: [floats], offset: 0, length: floats }],
    };
    const truth = { parameters: parameters.slice(), m: f32(new Array(floats)), v: f32(new Array(floats)) };
    truth.m.fill(0);
    truth.v.fill(0);
    const words = (floats / MOMENT_BLOCK) * MOMENT_BLOCK_WORDS;
    let own = { parameters, momentum: new Float32Array(words), variance: new Float32Array(words) };
    for (const update of [1, 2]) {
      // Gradients of five orders of magnitude in one block, a block of zeros, and one beyond the smallest scale.
      const gradient = f32(
        normals(random, floats).map((x, i) => (i < 32 ? 0 : i < 64 ? x * 1e-33 : x * 10 ** -(i % 6))),
      );
      const step = packStep({ ...OPTIONS, clipNorm: 1e9 }, update, 1, 1);
      const report = f32([0, 1]);
      const shape = { n: floats / MOMENT_BLOCK, decayed: 0 };
      own = await runner.run(adamw8bit, shape, { step, report, ...own, gradient });
      adamwStep({ ...truth, gradient, step: update }, table, { ...OPTIONS, clipNorm: 1e9 });
      expect(relativeError(own.parameters, truth.parameters), `update ${update}`).toBeLessThan(1e-5);
      const kept = unpackMoments(...([own.momentum, own.variance].map(bitsOf) as [Bits, Bits]));
      roundMoments(truth.m, truth.v, update);
      for (const [name, is, should] of [
        ["m", kept.m, truth.m],
        ["v", kept.v, truth.v],
      ] as const) {
        const off = is.map((x, i) => Math.abs(x - should[i]) / Math.max(Math.abs(should[i]), 1e-30));
        expect(Math.max(...off), `${name} after update ${update}`).toBeLessThan(0.2); // at most a step of the scale
        expect(off.filter((x) => x > 1e-4).length / floats).toBeLessThan(0.01); // where a logarithm or a chance was on the brink
      }
      truth.m.set(kept.m);
      truth.v.set(kept.v);
    }
  });
});

type Bits = Uint32Array<ArrayBuffer>;
const bitsOf = ({ buffer, byteOffset, length }: Float32Array<ArrayBuffer>): Bits =>
  new Uint32Array(buffer, byteOffset, length);
