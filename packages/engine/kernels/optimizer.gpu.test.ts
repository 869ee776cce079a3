import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ParameterTable } from "#outer";
import { adamwStep, relativeError } from "../reference/index.ts";
import { normals, prng } from "../reference/testing.ts";
import { adamw, flatGroups, packStep, report, squares } from "./optimizer.ts";
import { DEVICES, f32, KernelRunner, unwritten } from "./testing.ts";

const OPTIONS = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

describe.each(DEVICES)("optimizer on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { floats: 4, deviation: 1 },
    { floats: 252, deviation: 1e-3 }, // below the clip
    { floats: 70_000, deviation: 1 }, // several workgroups, several vec4 per invocation
  ])("norm, loss and AdamW of $floats floats, deviation $deviation", async ({ floats, deviation }) => {
    const random = prng(floats);
    const gradient = f32(normals(random, floats, deviation));
    const groups = flatGroups(floats / 4);
    const { partials } = await runner.run(squares, { n: floats / 4 }, { x: gradient, partials: unwritten(groups) });
    const losses = f32(normals(random, 77).map(Math.abs));
    const step = packStep(OPTIONS, 3, 77, 77);
    const ended = await runner.run(
      report,
      { rows: 77, partials: groups },
      { step, partials, losses, report: unwritten(2) },
    );
    const norm = Math.hypot(...gradient);
    expect(ended.report[0]).toBeCloseTo(losses.reduce((a, b) => a + b) / 77, 5);
    expect(Math.abs(ended.report[1] / norm - 1)).toBeLessThan(1e-5);
    expect(ended.losses.every((loss) => loss === 0)).toBe(true);

    const decayed = Math.floor(floats / 8) * 4;
    const parameters = f32(normals(random, floats));
    const momentum = f32(normals(random, floats, 0.1));
    const variance = f32(normals(random, floats, 0.1).map(Math.abs));
    const own = await runner.run(
      adamw,
      { n: floats / 4, decayed: decayed / 4 },
      { step, report: ended.report, parameters, gradient, momentum, variance },
    );
    const table: ParameterTable = {
      length: floats,
      tensors: [
        { name: "matrix", shape: [decayed, 1], offset: 0, length: decayed },
        { name: "norm", shape: [floats - decayed], offset: decayed, length: floats - decayed },
      ],
    };
    const truth = { parameters: parameters.slice(), gradient, m: momentum.slice(), v: variance.slice(), step: 3 };
    adamwStep(truth, table, OPTIONS);
    expect(relativeError(own.parameters, truth.parameters)).toBeLessThan(1e-6);
    expect(relativeError(own.momentum, truth.m)).toBeLessThan(1e-5);
    expect(relativeError(own.variance, truth.v)).toBeLessThan(1e-5);
    expect(own.gradient.every((g) => g === 0)).toBe(true);
  });
});
