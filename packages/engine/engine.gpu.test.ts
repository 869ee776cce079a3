// The whole model against the reference: gradients of every tensor, and forty steps of overfitting.
import { describe, expect, test } from "vitest";
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import { lossAndGradient, ReferenceTrainer, relativeError } from "./reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";
import { createWebGpuEngine } from "./webgpu-engine.ts";

const models: Record<string, { model: ModelShape; microbatch: number }> = {
  tiny: { model: tinyModel(), microbatch: 2 },
  "one head, untied, odd vocabulary": {
    model: tinyModel({
      heads: 1,
      kvHeads: 1,
      dModel: 20,
      vocabSize: 37,
      dFfn: 28,
      tiedEmbedding: false,
      contextLength: 7,
    }),
    microbatch: 3,
  },
  "larger than a tile": {
    model: tinyModel({ dModel: 72, heads: 6, kvHeads: 2, dFfn: 100, vocabSize: 258, contextLength: 33 }),
    microbatch: 3,
  },
};

describe.each([false, true])("default limits: %s", (defaultLimits) => {
  test.each(Object.keys(models))("gradients of every tensor: %s", async (name) => {
    const { model, microbatch } = models[name];
    const random = prng(1);
    const flat = Float32Array.from(randomParameters(random, model, 0.1));
    const ids = [1, 2].map(() => randomIds(random, microbatch * (model.contextLength + 1), model.vocabSize));
    const engine = await createWebGpuEngine({ model, microbatch, defaultLimits });
    engine.load(flat);
    const { loss, gradient } = await engine.gradient(ids);
    const evaluated = await engine.evaluate([ids[0].slice(0, model.contextLength + 1)]);
    engine.destroy();

    const truth = ids.map((part) => lossAndGradient(model, Float64Array.from(flat), part, microbatch));
    expect(loss).toBeCloseTo((truth[0].loss + truth[1].loss) / 2, 4);
    for (const { name, offset, length } of parameterTable(model).tensors) {
      const mean = truth[0].gradient
        .subarray(offset, offset + length)
        .map((g, i) => (g + truth[1].gradient[offset + i]) / 2);
      expect(relativeError(gradient.subarray(offset, offset + length), mean), name).toBeLessThan(1e-4);
    }
    const window = ids[0].slice(0, model.contextLength + 1);
    expect(evaluated).toBeCloseTo(new ReferenceTrainer(model, Float64Array.from(flat)).evaluate([window]), 4);
  });
});

test("forty steps on one batch follow the reference", async () => {
  const model = tinyModel({ dModel: 32, heads: 4, kvHeads: 2, dFfn: 48, vocabSize: 31, contextLength: 12 });
  const random = prng(2);
  const flat = Float32Array.from(randomParameters(random, model, 0.05));
  const batch = [randomIds(random, 2 * 13, 31), randomIds(random, 2 * 13, 31)];
  const options = { learningRate: 3e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
  const engine = await createWebGpuEngine({ model, microbatch: 2 });
  engine.load(flat);
  const truth = new ReferenceTrainer(model, Float64Array.from(flat));
  const losses: number[] = [];
  for (let i = 0; i < 40; i++) {
    const [own, expected] = [await engine.step(batch, options), truth.step(batch, options)];
    expect(Math.abs(own.loss - expected.loss), `step ${i}`).toBeLessThan(1e-3);
    expect(Math.abs(own.gradNorm / expected.gradNorm - 1), `norm of step ${i}`).toBeLessThan(1e-2);
    losses.push(own.loss);
  }
  expect(losses[39]).toBeLessThan(losses[0] / 2); // it did learn
  expect(relativeError(await engine.read(), truth.parameters)).toBeLessThan(1e-2);
  engine.destroy();
});
