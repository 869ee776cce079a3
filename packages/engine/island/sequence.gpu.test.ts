// Sequences shared among ranks, on devices of one adapter, against the reference: gradients of every tensor, steps, and contexts that no rank could hold alone.
import { expect, test } from "vitest";
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { EngineOptions } from "../engine.ts";
import { ModelTooLargeError } from "../errors.ts";
import { planModel } from "../model/planner.ts";
import { lossAndGradient, ReferenceTrainer, relativeError } from "../reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { createWebGpuEngine } from "../webgpu-engine.ts";
import { Lanes } from "./lanes.ts";
import { IslandLostError, islandPorts } from "./port.ts";
import { createSequenceEngine } from "./sequence-engine.ts";

const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 0.5 };

async function openRanks(ranks: number, given: EngineOptions, memoryBytes: Record<number, number> = {}) {
  const ports = islandPorts(ranks);
  const opening = ports.map((port, rank) => {
    const own = memoryBytes[rank] === undefined ? given : { ...given, memoryBytes: memoryBytes[rank] };
    return createSequenceEngine(own, new Lanes(port));
  });
  const engines = await Promise.all(opening);
  const all = <T>(call: (engine: (typeof engines)[number]) => Promise<T>): Promise<T[]> =>
    Promise.all(engines.map(call));
  const destroy = (): void => {
    for (const engine of engines) engine.destroy();
  };
  return { ports, engines, all, destroy };
}

type Ranks = Awaited<ReturnType<typeof openRanks>>;

/** Grouped heads, an odd vocabulary, a head of its own. */
const model = tinyModel({ contextLength: 24, vocabSize: 37, dFfn: 28, tiedEmbedding: false });
const random = prng(21);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const microbatches = [1, 2].map(() => randomIds(random, 2 * 25, model.vocabSize));

/** Loss and gradient of every tensor are the reference's, at every rank. */
async function expectGradients({ all }: Ranks, model: ModelShape, flat: Float32Array, microbatches: Uint16Array[]) {
  const B = microbatches[0].length / (model.contextLength + 1);
  const truth = microbatches.map((ids) => lossAndGradient(model, Float64Array.from(flat), ids, B));
  const mean = (of: (part: (typeof truth)[number]) => number): number =>
    truth.reduce((sum, part) => sum + of(part), 0) / truth.length;
  for (const { loss, gradient } of await all((engine) => engine.gradient(microbatches))) {
    expect(Math.abs(loss - mean(({ loss }) => loss))).toBeLessThan(5e-5);
    for (const { name, offset, length } of parameterTable(model).tensors) {
      const expected = Float64Array.from({ length }, (_, i) => mean(({ gradient }) => gradient[offset + i]));
      expect(relativeError(gradient.subarray(offset, offset + length), expected), name).toBeLessThan(1e-4);
    }
  }
}

/** So are loss and norm of some steps, and what comes of them, which has the same bits at every rank. */
async function expectSteps({ all }: Ranks, model: ModelShape, flat: Float32Array, microbatches: Uint16Array[]) {
  const trainer = new ReferenceTrainer(model, Float64Array.from(flat));
  for (let i = 0; i < 2; i++) {
    const expected = trainer.step(microbatches, options);
    for (const { loss, gradNorm } of await all((engine) => engine.step(microbatches, options))) {
      expect(Math.abs(loss - expected.loss), `step ${i}`).toBeLessThan(1e-4);
      expect(Math.abs(gradNorm / expected.gradNorm - 1), `norm of step ${i}`).toBeLessThan(1e-3);
    }
  }
  const after = await all((engine) => engine.read());
  for (const own of after) expect(own).toEqual(after[0]);
  expect(relativeError(after[0], trainer.parameters)).toBeLessThan(1e-3);
  return trainer;
}

test("two ranks: gradients, steps and evaluations are the whole's; when the island ends, what was asked rejects", async () => {
  const ranks = await openRanks(2, { model, microbatch: 2 });
  const { ports, engines, all, destroy } = ranks;
  for (const engine of engines) engine.load(flat);
  await expectGradients(ranks, model, flat, microbatches);
  const trainer = await expectSteps(ranks, model, flat, microbatches);
  const windows = [microbatches[0].slice(0, 25), microbatches[1].slice(25), microbatches[1].slice(0, 25)];
  for (const loss of await all((engine) => engine.evaluate(windows)))
    expect(Math.abs(loss - trainer.evaluate(windows))).toBeLessThan(1e-3);

  const stepping = all((engine) => engine.step(microbatches, options));
  ports[1].end("its tab was closed");
  await expect(stepping).rejects.toBeInstanceOf(IslandLostError);
  await expect(all((engine) => engine.step(microbatches, options))).rejects.toThrow(/its tab was closed/);
  destroy();
});

test("three ranks, one of them short of memory: all compute its layer again, and get the whole's gradients", async () => {
  const own = { ...model, contextLength: 8 };
  const sequence = { ranks: 3, rank: 1 };
  const { totalBytes } = planModel({ model: own, microbatch: 2, recomputedLayers: 1, sequence });
  const ranks = await openRanks(3, { model, microbatch: 2 }, { 1: totalBytes });
  expect(ranks.engines.map(({ recomputedLayers }) => recomputedLayers)).toEqual([1, 1, 1]);
  for (const engine of ranks.engines) engine.load(flat);
  await expectGradients(ranks, model, flat, microbatches);
  ranks.destroy();
});

test("four ranks hold a context four times as long as one may hold alone", async () => {
  const model = tinyModel({ dModel: 32, dFfn: 64, contextLength: 256 });
  const flat = Float32Array.from(randomParameters(random, model, 0.1));
  const alone = (contextLength: number) => ({ model: { ...model, contextLength }, microbatch: 1, recomputedLayers: 1 });
  const memoryBytes = planModel(alone(64)).totalBytes;
  for (const contextLength of [72, 256])
    expect(planModel({ ...alone(contextLength), memoryBytes }).problem).toMatch(/and may use/);
  await expect(createWebGpuEngine({ model, microbatch: 1, memoryBytes })).rejects.toBeInstanceOf(ModelTooLargeError);

  const ranks = await openRanks(4, { model, microbatch: 1, memoryBytes });
  for (const engine of ranks.engines) {
    expect(engine.allocatedBytes).toBeLessThanOrEqual(memoryBytes);
    engine.load(flat);
  }
  const microbatches = [randomIds(random, 257, model.vocabSize)];
  await expectGradients(ranks, model, flat, microbatches);
  await expectSteps(ranks, model, flat, microbatches);
  ranks.destroy();
});

test("a context that ranks cannot share alike is refused", async () => {
  const [port] = islandPorts(3);
  const opening = createSequenceEngine({ model: { ...model, contextLength: 20 }, microbatch: 2 }, new Lanes(port));
  await expect(opening).rejects.toThrow(/20 positions cannot be cut among 3 members/);
});
