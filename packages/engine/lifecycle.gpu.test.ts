// What the engine promises besides arithmetic: order, refusals, ends.
import { describe, expect, test } from "vitest";
import type { EngineOptions } from "./engine.ts";
import { createEngine, DeviceLostError, ModelTooLargeError } from "./index.ts";
import { lossAndGradient, relativeError } from "./reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";
import { type Cuts, createWebGpuEngine } from "./webgpu-engine.ts";

const model = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 1, dFfn: 8, contextLength: 6 });
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const random = prng(5);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const batch = randomIds(random, 2 * 7, model.vocabSize);

async function loadedEngine(change: Partial<EngineOptions> = {}, cuts: Cuts = {}) {
  const engine = await createWebGpuEngine({ model, microbatch: 2, ...change }, cuts);
  engine.load(flat);
  return engine;
}

test("parameters come back as they went in, and say what they are", async () => {
  const engine = await createEngine({ model, microbatch: 2 });
  engine.load(flat);
  expect(await engine.read()).toEqual(flat);
  expect(engine.allocatedBytes).toBeGreaterThan(4 * 4 * flat.length);
  expect(engine.adapter.backend).toBe("webgpu");
  expect(engine.microbatch).toBe(2);
  engine.destroy();
});

test("steps queued without waiting give what steps one by one give, bit for bit", async () => {
  const [queued, awaited] = [await loadedEngine(), await loadedEngine()];
  const reports = await Promise.all([1, 2, 3, 4, 5].map(() => queued.step([batch], options)));
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) losses.push((await awaited.step([batch], options)).loss);
  expect(reports.map(({ loss }) => loss)).toEqual(losses);
  expect(await queued.read()).toEqual(await awaited.read());
  queued.destroy();
  awaited.destroy();
});

test("read and load take their turn behind queued steps", async () => {
  const engine = await loadedEngine();
  const steps = [1, 2, 3].map(() => engine.step([batch], options));
  const after = engine.read();
  engine.load(flat);
  const reloaded = await engine.read();
  await Promise.all(steps);
  expect(relativeError(await after, flat)).toBeGreaterThan(1e-3);
  expect(reloaded).toEqual(flat);
  engine.destroy();
});

test("after load and resetMoments a run repeats", async () => {
  const engine = await loadedEngine();
  const run = async (): Promise<number[]> => {
    engine.load(flat);
    engine.resetMoments();
    const reports = [1, 2, 3].map(() => engine.step([batch, batch], options));
    return (await Promise.all(reports)).map(({ loss }) => loss);
  };
  expect(await run()).toEqual(await run());
  engine.destroy();
});

test("evaluation covers a number of windows that no microbatch divides, and changes nothing", async () => {
  const engine = await loadedEngine();
  const windows = Array.from({ length: 11 }, () => randomIds(random, 7, model.vocabSize));
  const truth = windows.map((ids) => lossAndGradient(model, Float64Array.from(flat), ids, 1).loss);
  const mean = truth.reduce((a, b) => a + b) / truth.length;
  const loss = await engine.evaluate(windows);
  expect(Math.abs(loss - mean)).toBeLessThan(1e-4);
  expect(await engine.read()).toEqual(flat);
  const other = await loadedEngine();
  expect(await engine.step([batch], options)).toEqual(await other.step([batch], options)); // no trace in gradient or moments
  engine.destroy();
  other.destroy();
});

test("a model cut into chunks and ranges, or multiplied in shared tiles, computes the same", async () => {
  const long = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 1, dFfn: 8, contextLength: 50, vocabSize: 70 });
  const parameters = Float32Array.from(randomParameters(random, long, 0.1));
  const ids = randomIds(random, 3 * 51, long.vocabSize); // 150 rows: three chunks of logits
  const cuts = { bindingFloats: 640, logitsChunkBytes: 1, flopsPerSubmit: 1 };
  const results: { loss: number; parameters: Float32Array }[] = [];
  for (const given of [{}, cuts, { ...cuts, tiled: true }]) {
    const engine = await createWebGpuEngine({ model: long, microbatch: 3 }, given);
    engine.load(parameters);
    const { loss } = await engine.step([ids], options);
    results.push({ loss, parameters: await engine.read() });
    engine.destroy();
  }
  for (const cut of results.slice(1)) {
    expect(cut.loss).toBeCloseTo(results[0].loss, 6);
    expect(relativeError(cut.parameters, results[0].parameters)).toBeLessThan(1e-5);
  }
});

describe("refusals", () => {
  test("a model too large says how large it may be", async () => {
    const huge = { ...model, dModel: 4096, heads: 2, kvHeads: 2, dFfn: 8192, layers: 8, vocabSize: 60_000 };
    const error = await createEngine({ model: huge, microbatch: 1, defaultLimits: true }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ModelTooLargeError);
    expect((error as Error).message).toMatch(/at most about [\d,]+ parameters here/);
  });

  test("a microbatch too large says how many sequences fit", async () => {
    const wide = { ...model, dFfn: 1024, contextLength: 1024 };
    const error = await createEngine({ model: wide, microbatch: 64, defaultLimits: true }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ModelTooLargeError);
    expect((error as Error).message).toMatch(/at most \d+ sequences per microbatch \(asked: 64\)/);
  });

  test("more tokens than one dispatch covers say how many sequences fit", async () => {
    const small = tinyModel({ dModel: 4, heads: 1, kvHeads: 1, layers: 1, dFfn: 4, vocabSize: 4, contextLength: 1024 });
    const error = await createEngine({ model: small, microbatch: 512, defaultLimits: true }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ModelTooLargeError);
    expect((error as Error).message).toMatch(/524,288 tokens .* at most 255 sequences per microbatch \(asked: 512\)/);
  });

  test("wrong lengths and ids are refused before anything is queued", async () => {
    const engine = await loadedEngine();
    await expect(engine.step([batch.slice(1)], options)).rejects.toThrow(/2 sequences of 6 \+ 1 ids \(14\), got 13/);
    await expect(engine.step([new Uint16Array(14).fill(model.vocabSize)], options)).rejects.toThrow(
      /outside the vocabulary/,
    );
    await expect(engine.step([], options)).rejects.toThrow(/at least one microbatch/);
    await expect(engine.evaluate([])).rejects.toThrow(/at least one window/);
    await expect(engine.evaluate([batch])).rejects.toThrow(/6 \+ 1 ids, got 14/);
    expect(() => engine.load(flat.subarray(1))).toThrow(/parameters, got/);
    expect(await engine.read()).toEqual(flat);
    engine.destroy();
  });
});

test("destroy ends in a clear state: lost resolves, work is rejected", async () => {
  const engine = await loadedEngine();
  const running = engine.step([batch], options);
  running.catch(() => undefined); // it may have finished in time
  engine.destroy();
  expect(await engine.lost).toMatchObject({ reason: "destroyed" });
  await expect(engine.step([batch], options)).rejects.toBeInstanceOf(DeviceLostError);
  await expect(engine.read()).rejects.toBeInstanceOf(DeviceLostError);
  await expect(engine.evaluate([batch.slice(0, 7)])).rejects.toBeInstanceOf(DeviceLostError);
  await running.catch((error: unknown) => expect(error).toBeInstanceOf(DeviceLostError));
});
