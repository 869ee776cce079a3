// Sequences shared among ranks, on devices of one adapter, against the reference: gradients of every tensor, steps, and contexts that no rank could hold alone.
import { expect, test } from "vitest";
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import { createWebGpuEngine } from "../create-webgpu.ts";
import { sharedAdapter } from "../device/testing.ts";
import type { Engine, EngineOptions } from "../engine.ts";
import { DeviceLostError, ModelTooLargeError } from "../errors.ts";
import { planModel } from "../model/planner.ts";
import { lossAndGradient, ReferenceTrainer, relativeError } from "../reference/index.ts";
import { prng, randomIds, randomParameters, storeInMemory, tinyModel } from "../reference/testing.ts";
import { Lanes } from "./lanes.ts";
import { leadIsland } from "./leader.ts";
import { serveIsland } from "./member.ts";
import { IslandLostError, islandPorts } from "./port.ts";
import { createSequenceEngine } from "./sequence-engine.ts";

const adapter = await sharedAdapter();
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 0.5 };

async function openRanks(ranks: number, given: EngineOptions) {
  const ports = islandPorts(ranks);
  return {
    ports,
    engines: await Promise.all(ports.map((port) => createSequenceEngine({ ...given, adapter }, new Lanes(port)))),
  };
}

/** What each of them answers. */
const all = <T>(engines: readonly Engine[], call: (engine: Engine) => Promise<T>): Promise<T[]> =>
  Promise.all(engines.map(call));

/** Grouped heads, an odd vocabulary, a head of its own. */
const model = tinyModel({ contextLength: 24, vocabSize: 37, dFfn: 28, tiedEmbedding: false });
const random = prng(21);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const microbatches = [1, 2].map(() => randomIds(random, 2 * 25, model.vocabSize));

/** Loss and gradient of every tensor are the reference's, at every rank that is asked. */
async function expectGradients(
  engines: readonly Engine[],
  model: ModelShape,
  flat: Float32Array,
  microbatches: Uint16Array[],
) {
  const B = microbatches[0].length / (model.contextLength + 1);
  const truth = microbatches.map((ids) => lossAndGradient(model, Float64Array.from(flat), ids, B));
  const mean = (of: (part: (typeof truth)[number]) => number): number =>
    truth.reduce((sum, part) => sum + of(part), 0) / truth.length;
  for (const { loss, gradient } of await all(engines, (engine) => engine.gradient(microbatches))) {
    expect(Math.abs(loss - mean(({ loss }) => loss))).toBeLessThan(5e-5);
    for (const { name, offset, length } of parameterTable(model).tensors) {
      const expected = Float64Array.from({ length }, (_, i) => mean(({ gradient }) => gradient[offset + i]));
      expect(relativeError(gradient.subarray(offset, offset + length), expected), name).toBeLessThan(1e-4);
    }
  }
}

/** So are loss and norm of some steps, and what comes of them, which has the same bits at every rank that is asked. */
async function expectSteps(
  engines: readonly Engine[],
  model: ModelShape,
  flat: Float32Array,
  microbatches: Uint16Array[],
) {
  const trainer = new ReferenceTrainer(model, Float64Array.from(flat));
  for (let i = 0; i < 2; i++) {
    const expected = trainer.step(microbatches, options);
    for (const { loss, gradNorm } of await all(engines, (engine) => engine.step(microbatches, options))) {
      expect(Math.abs(loss - expected.loss), `step ${i}`).toBeLessThan(1e-4);
      expect(Math.abs(gradNorm / expected.gradNorm - 1), `norm of step ${i}`).toBeLessThan(1e-3);
    }
  }
  const after = await all(engines, (engine) => engine.read());
  for (const own of after) expect(own).toEqual(after[0]);
  expect(relativeError(after[0], trainer.parameters)).toBeLessThan(1e-3);
  return trainer;
}

test("two ranks: gradients, steps and evaluations are the whole's; when the island ends, what was asked rejects", async () => {
  const { ports, engines } = await openRanks(2, { model, microbatch: 2, cold: storeInMemory });
  for (const engine of engines) engine.load(flat);
  await expectGradients(engines, model, flat, microbatches);
  // Of keys and values, f32, in each of two layers of two microbatches: forward the lower rank sends half of them, the other all, and backward each 3/2.
  const [keys, passes] = [4 * 2 * 12 * 2 * 8, 2 * 2];
  expect(engines.map(({ rank }) => rank.totals.bytes / (keys * passes))).toEqual([1 / 2 + 3 / 2, 1 + 3 / 2]);
  const trainer = await expectSteps(engines, model, flat, microbatches);
  const windows = [microbatches[0].slice(0, 25), microbatches[1].slice(25), microbatches[1].slice(0, 25)];
  for (const loss of await all(engines, (engine) => engine.evaluate(windows)))
    expect(Math.abs(loss - trainer.evaluate(windows))).toBeLessThan(1e-3);

  const stepping = all(engines, (engine) => engine.step(microbatches, options));
  ports[1].end("its tab was closed");
  await expect(stepping).rejects.toBeInstanceOf(IslandLostError);
  await expect(all(engines, (engine) => engine.step(microbatches, options))).rejects.toThrow(/its tab was closed/);
  for (const engine of engines) engine.destroy();
});

test("three ranks, a ladder residual, a layer computed again: the whole's gradients; with moments in 8 bits all ranks learn alike", async () => {
  const ladder = { ...model, residual: "ladder" } as const;
  const { engines } = await openRanks(3, { model: ladder, microbatch: 2, recomputedLayers: 1, moments: "8bit" });
  for (const engine of engines) engine.load(flat);
  await expectGradients(engines, ladder, flat, microbatches);
  const losses: number[] = [];
  for (let i = 0; i < 3; i++)
    losses.push((await all(engines, (engine) => engine.step([microbatches[0]], options)))[0].loss);
  expect(losses[1]).toBeLessThan(losses[0]);
  expect(losses[2]).toBeLessThan(losses[1]);
  const after = await all(engines, (engine) => engine.read());
  for (const own of after) expect(own).toEqual(after[0]);
  for (const engine of engines) engine.destroy();
});

test("three ranks with heads enough each attend for some of them: gradients and steps are the whole's, in fewer bytes", async () => {
  const mha = { ...model, dModel: 12, heads: 3, kvHeads: 3 };
  const one = microbatches.map((ids) => ids.slice(0, 25)); // eight rows of twelve numbers fill no binding's boundary
  const flat = Float32Array.from(randomParameters(random, mha, 0.1));
  const { engines } = await openRanks(3, { model: mha, microbatch: 1, recomputedLayers: 1 });
  for (const engine of engines) engine.load(flat);
  await expectGradients(engines, mha, flat, one);
  // Two thirds of queries, keys, values and y of its 8 rows, f32; forward, once more where a layer is computed again, and backward their gradients.
  const each = 4 * 8 * 4 * 12 * (2 / 3);
  const microbatchBytes = (2 * 2 + 1) * each;
  expect(engines.map(({ rank }) => rank.totals.bytes)).toEqual(Array(3).fill(2 * microbatchBytes));
  await expectSteps(engines, mha, flat, one);
  for (const engine of engines) engine.destroy();
});

test("four members hold a context four times as long as one may hold alone, and are one engine", async () => {
  const model = tinyModel({ dModel: 32, dFfn: 64, contextLength: 256 });
  const flat = Float32Array.from(randomParameters(random, model, 0.1));
  const alone = (contextLength: number) => ({ model: { ...model, contextLength }, microbatch: 1, recomputedLayers: 1 });
  const memoryBytes = planModel(alone(64)).totalBytes;
  for (const contextLength of [72, 256])
    expect(planModel({ ...alone(contextLength), memoryBytes }).problem).toMatch(/and may use/);
  await expect(createWebGpuEngine({ model, microbatch: 1, memoryBytes })).rejects.toBeInstanceOf(ModelTooLargeError);

  const [first, ...others] = islandPorts(4);
  const island = { model, plan: { kind: "sequence" }, memoryBytes, adapter } as const;
  const serving = others.map((port) => serveIsland(island, port));
  const leader = await leadIsland({ ...island, microbatch: 4 }, first);
  const members = await Promise.all(serving);
  expect(leader.microbatch).toBe(1);
  for (const { allocatedBytes } of [leader, ...members]) expect(allocatedBytes).toBeLessThanOrEqual(memoryBytes);
  leader.load(flat);
  const microbatches = [randomIds(random, 257, model.vocabSize)];
  await expectGradients([leader], model, flat, microbatches);
  await expectSteps([leader], model, flat, microbatches);
  others[2].send(0, Uint8Array.of(1, 0, 0, 0, 7)); // no keys
  await expect(leader.step(microbatches, options)).rejects.toBeInstanceOf(DeviceLostError);
  expect(await leader.lost).toMatchObject({ message: expect.stringMatching(/member 3 sent 1 bytes where \d+ belong/) });
  expect(await members[0].finished).toContain("member 3 sent 1 bytes");
});

test("a context that members cannot share alike is refused", async () => {
  const [port] = islandPorts(3);
  const opening = leadIsland(
    { model: { ...model, contextLength: 20 }, plan: { kind: "sequence" }, microbatch: 2 },
    port,
  );
  await expect(opening).rejects.toThrow(/20 positions cannot be cut among 3 members/);
});
