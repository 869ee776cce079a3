import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crossEntropyBackward, crossEntropyForward, relativeError } from "../reference/index.ts";
import { normals, prng, randomIds } from "../reference/testing.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { packStep } from "./optimizer.ts";
import { DEVICES, f32, KernelRunner } from "./testing.ts";

const ANY = { learningRate: 0, beta1: 0.9, beta2: 0.9, eps: 1, weightDecay: 0, clipNorm: 1 };

describe.each(DEVICES)("cross-entropy on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { N: 1, V: 1 },
    { N: 5, V: 7 },
    { N: 33, V: 256 },
    { N: 17, V: 1001 },
  ])("N=$N V=$V", async ({ N, V }) => {
    const random = prng(V);
    const width = Math.ceil(V / 4) * 4;
    const logits = f32(normals(random, N * V, 5));
    const targets = Uint32Array.from(randomIds(random, N, V));
    const padded = new Float32Array(N * width).fill(3); // the padding's own numbers must not matter
    for (let n = 0; n < N; n++) padded.set(logits.subarray(n * V, (n + 1) * V), n * width);
    const given = { step: packStep(ANY, 1, N, N), targets, logits: padded, losses: f32(new Array(N).fill(1)) };
    const out = await runner.run(crossEntropy, { rows: N, V, firstRow: 0 }, given);

    const truth = crossEntropyForward({ logits, targets }, { N, V });
    const mean = out.losses.reduce((sum, loss) => sum + loss - 1, 0) / N; // each adds to what was there
    expect(Math.abs(mean - truth.loss)).toBeLessThan(1e-5 * (1 + truth.loss));
    const dlogits = crossEntropyBackward({ logits, targets, lse: truth.lse }, { N, V });
    const own = Array.from({ length: N * V }, (_, i) => out.logits[Math.floor(i / V) * width + (i % V)]);
    expect(relativeError(own, dlogits)).toBeLessThan(V === 1 ? Number.POSITIVE_INFINITY : 1e-4);
    const padding = out.logits.filter((_, i) => i % width >= V);
    expect(padding.every((x) => x === 0)).toBe(true);
  });

  test("rows beyond the valid ones count nothing", async () => {
    const logits = f32(normals(prng(1), 3 * 4));
    const given = {
      step: packStep(ANY, 1, 101, 101),
      targets: Uint32Array.of(0, 1, 2),
      logits,
      losses: new Float32Array(3),
    };
    const out = await runner.run(crossEntropy, { rows: 3, V: 4, firstRow: 100 }, given); // row 100 is the last valid one
    expect([...out.losses].map((loss) => loss > 0)).toEqual([true, false, false]);
    expect(out.logits.subarray(4).every((x) => x === 0)).toBe(true);
  });
});
