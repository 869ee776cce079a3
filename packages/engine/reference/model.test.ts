// The whole model against central differences over every parameter, and the trainer against hand-written AdamW.
import { describe, expect, test } from "vitest";
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { StepOptions } from "../engine.ts";
import { embeddingForward } from "./embedding.ts";
import { linearForward } from "./matmul.ts";
import { attentionBlock, logitsOf, lossAndGradient, lossOnly, mlpBlock, shapesOf, tensorViews } from "./model.ts";
import { rmsnormForward } from "./rmsnorm.ts";
import { numericGradient, prng, randomIds, randomParameters, tinyModel } from "./testing.ts";
import { ReferenceTrainer } from "./trainer.ts";
import { relativeError } from "./vector.ts";

const options: StepOptions = { learningRate: 3e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

const models: [string, ModelShape][] = [
  ["grouped heads, tied", tinyModel()],
  ["grouped heads, untied", tinyModel({ tiedEmbedding: false })],
  ["a ladder residual", tinyModel({ layers: 3, residual: "ladder" })],
  ["a ladder residual, one layer", tinyModel({ layers: 1, residual: "ladder", tiedEmbedding: false })],
  ["full heads, one layer", tinyModel({ layers: 1, heads: 2, kvHeads: 2, dModel: 8, dFfn: 12, vocabSize: 7 })],
];

describe.each(models)("%s", (_name, model) => {
  const random = prng(11);
  const flat = randomParameters(random, model, 0.3);
  const ids = randomIds(random, 2 * (model.contextLength + 1), model.vocabSize);
  const { loss, gradient } = lossAndGradient(model, flat, ids, 2);

  test("every tensor's gradient equals central differences", () => {
    const numeric = numericGradient(() => lossOnly(model, flat, ids, 2), flat);
    expect(relativeError(gradient, numeric)).toBeLessThanOrEqual(1e-6);
    for (const { name, offset, length } of parameterTable(model).tensors) {
      const part = relativeError(gradient.subarray(offset, offset + length), numeric.subarray(offset, offset + length));
      expect(part, name).toBeLessThanOrEqual(1e-6);
    }
  });

  test("lossOnly is the same loss", () => {
    expect(lossOnly(model, flat, ids, 2)).toBeCloseTo(loss, 12);
    expect(lossOnly(model, Float32Array.from(flat), ids, 2)).toBeCloseTo(loss, 5);
  });

  test("f32 storage stays within f32 rounding of f64", () => {
    const single = lossAndGradient(model, Float32Array.from(flat), ids, 2);
    expect(single.gradient).toBeInstanceOf(Float32Array);
    expect(relativeError(single.gradient, gradient)).toBeLessThan(1e-5);
  });
});

test("with a ladder residual a block reads the stream as it was before the last block, and the head reads all of it", () => {
  const model = tinyModel({ residual: "ladder" });
  const random = prng(12);
  const flat = randomParameters(random, model, 0.3);
  const ids = randomIds(random, model.contextLength, model.vocabSize);
  const s = shapesOf(model, { B: 1, T: ids.length });
  const weights = tensorViews(parameterTable(model), flat);
  const normed = (x: Float64Array, name: string): Float64Array =>
    rmsnormForward({ partials: [], residual: x, weight: weights(name) }, s.norm).normed;
  const x = [embeddingForward({ ids, weight: weights("model.embed_tokens.weight") }, s.embedding)]; // x[i]: behind i blocks
  const add = (block: (before: Float64Array) => Float64Array): void => {
    const given = block(x[Math.max(0, x.length - 2)]);
    x.push(x[x.length - 1].map((value, i) => value + given[i]));
  };
  for (let l = 0; l < model.layers; l++) {
    const layer = `model.layers.${l}`;
    const weight = (name: string): Float64Array => weights(`${layer}.${name}`);
    add((before) => attentionBlock(weight, normed(before, `${layer}.input_layernorm.weight`), s).projected);
    add((before) => mlpBlock(weight, normed(before, `${layer}.post_attention_layernorm.weight`), s).out);
  }
  const given = { x: normed(x[x.length - 1], "model.norm.weight"), weight: weights("model.embed_tokens.weight") };
  expect(relativeError(logitsOf(model, flat, ids), linearForward(given, s.head))).toBeLessThan(1e-14);
});

test("a fresh model guesses evenly: the loss is near ln V", () => {
  const model = tinyModel({ vocabSize: 64, tiedEmbedding: false });
  const random = prng(12);
  const ids = randomIds(random, 6, 64);
  expect(lossOnly(model, randomParameters(random, model, 0.02), ids, 1)).toBeCloseTo(Math.log(64), 1);
});

test("ids or parameters of the wrong length are refused", () => {
  const model = tinyModel();
  const flat = randomParameters(prng(13), model);
  expect(() => lossAndGradient(model, flat, new Uint16Array(7), 2)).toThrow("B x (T+1)");
  expect(() => lossAndGradient(model, flat.subarray(1), new Uint16Array(12), 2)).toThrow("check the model's shape");
});

describe("ReferenceTrainer", () => {
  const model = tinyModel();
  const random = prng(14);
  const flat = randomParameters(random, model, 0.1);
  const ids = randomIds(random, 4 * 6, model.vocabSize);

  test("the first step moves against the gradient's sign by the learning rate, and decays matrices only", () => {
    const trainer = new ReferenceTrainer(model, flat);
    const { loss, gradient } = lossAndGradient(model, flat, ids, 4);
    const report = trainer.step([ids], { ...options, clipNorm: 1e9 });
    expect(report.loss).toBe(loss);
    expect(report.gradNorm).toBeCloseTo(Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0)), 12);
    for (const { shape, offset } of parameterTable(model).tensors) {
      const decay = shape.length === 2 ? 0.1 * flat[offset] : 0;
      const step = gradient[offset] / (Math.abs(gradient[offset]) + options.eps);
      expect(trainer.parameters[offset]).toBeCloseTo(flat[offset] - options.learningRate * (step + decay), 10);
    }
  });

  test("microbatches of a step average to the whole batch", () => {
    const [whole, parts] = [new ReferenceTrainer(model, flat), new ReferenceTrainer(model, flat)];
    whole.step([ids], options);
    parts.step([ids.subarray(0, 6), ids.subarray(6, 24)], options);
    expect(relativeError(parts.parameters, whole.parameters)).toBeLessThan(1e-12);
  });

  test("clipping scales the gradient, not the report", () => {
    const [clipped, plain] = [new ReferenceTrainer(model, flat), new ReferenceTrainer(model, flat)];
    // eps far above the gradient makes the step linear in it
    const linear = { ...options, eps: 1e6, weightDecay: 0 };
    const { gradNorm } = plain.step([ids], { ...linear, clipNorm: 1e9 });
    expect(clipped.step([ids], { ...linear, clipNorm: gradNorm / 4 }).gradNorm).toBe(gradNorm);
    const moved = (trainer: ReferenceTrainer<Float64Array>) => trainer.parameters.map((p, i) => p - flat[i]);
    expect(
      relativeError(
        moved(clipped).map((d) => 4 * d),
        moved(plain),
      ),
    ).toBeLessThan(1e-4);
  });

  test("resetMoments restarts the bias correction", () => {
    const trainer = new ReferenceTrainer(model, flat);
    trainer.step([ids], options);
    trainer.resetMoments();
    trainer.load(flat);
    trainer.step([ids], options);
    const fresh = new ReferenceTrainer(model, flat);
    fresh.step([ids], options);
    expect(trainer.parameters).toEqual(fresh.parameters);
  });

  test("forty steps overfit one batch, in f32 as in f64", () => {
    const double = new ReferenceTrainer(model, flat);
    const single = new ReferenceTrainer(model, Float32Array.from(flat));
    const losses: number[] = [];
    for (let step = 0; step < 40; step++) {
      const { loss } = double.step([ids], { ...options, learningRate: 1e-2 });
      losses.push(loss);
      expect(single.step([ids], { ...options, learningRate: 1e-2 }).loss).toBeCloseTo(loss, 3);
    }
    expect(losses[39]).toBeLessThan(losses[0] / 2);
  });
});
