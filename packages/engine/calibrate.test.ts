import { expect, test } from "vitest";
import { presets } from "#wire";
import { type CalibrateOptions, calibrate } from "./calibrate.ts";
import type { Engine } from "./engine.ts";
import { OutOfMemoryError } from "./errors.ts";
import { createWasmEngine } from "./wasm/wasm-engine.ts";

/** Engines whose step takes as long as told, by sequences at once, on a clock of their own. */
function fakes(msByMicrobatch: Readonly<Record<number, number>>, change: Partial<CalibrateOptions> = {}) {
  let now = 0;
  const opened: number[] = [];
  const destroyed: number[] = [];
  const make = (microbatch: number, allocatedBytes = 1e6): Engine => {
    opened.push(microbatch);
    const fake = {
      microbatch,
      allocatedBytes,
      model: presets.nano.model,
      step: async (microbatches: readonly Uint16Array[]) => {
        expect(microbatches.length * microbatch).toBe(12);
        now += msByMicrobatch[microbatch]!;
        return { loss: 1, gradNorm: 1, skipped: false };
      },
      destroy: () => destroyed.push(microbatch),
    };
    return fake as Partial<Engine> as Engine;
  };
  const open = async (microbatch: number) => {
    now += 10;
    return make(microbatch);
  };
  const given = { engine: make(12), sequences: 12, openedInMs: 10, open, now: () => now, ...change };
  return { given, opened, destroyed, make, elapsed: () => now };
}

test("the fastest is kept, the others end; two in a row that are no faster end the search", async () => {
  const { given, opened, destroyed } = fakes({ 12: 50, 6: 40, 4: 39.5, 3: 30, 2: 31, 1: 60 });
  const { engine, measured } = await calibrate(given);
  expect(engine.microbatch).toBe(3);
  expect(opened).toEqual([12, 6, 4, 3, 2, 1]);
  expect(destroyed.sort((a, b) => a - b)).toEqual([1, 2, 4, 6, 12]);
  expect(measured.map(({ stepMs }) => stepMs)).toEqual([50, 40, 39.5, 30, 31, 60]);
  const slower = fakes({ 12: 50, 6: 51, 4: 60, 3: 1, 2: 1, 1: 1 });
  expect((await calibrate(slower.given)).engine.microbatch).toBe(12);
  expect(slower.opened).toEqual([12, 6, 4]);
});

test("it ends in time: a slow device is not measured to the end, one that compiles for seconds not at all", async () => {
  const slow = fakes({ 12: 500, 6: 400, 4: 300, 3: 200, 2: 100, 1: 50 });
  await calibrate(slow.given);
  expect(slow.elapsed()).toBeLessThan(3_000);
  const compiling = fakes({ 12: 1 }, { openedInMs: 2_000 });
  expect((await calibrate(compiling.given)).measured).toEqual([]);
});

test("a large model is left alone, and a candidate that does not fit ends the search", async () => {
  const { make, given } = fakes({ 12: 50 });
  const large = make(12, 1e9);
  expect(await calibrate({ ...given, engine: large })).toEqual({ engine: large, measured: [] });
  const short = fakes({ 12: 50 }, { open: () => Promise.reject(new OutOfMemoryError("no")) });
  expect((await calibrate(short.given)).engine.microbatch).toBe(12);
  const broken = fakes({ 12: 50 }, { open: () => Promise.reject(new TypeError("ours")) });
  await expect(calibrate(broken.given)).rejects.toThrow(TypeError);
});

test("with a real engine: one of the divisors, and it trains", async () => {
  const { model } = presets.nano;
  const open = (microbatch: number) => createWasmEngine({ model, microbatch, threads: 1 });
  const now = () => performance.now();
  const { engine, measured } = await calibrate({ engine: await open(4), sequences: 4, openedInMs: 1, open, now });
  expect(measured.length).toBeGreaterThan(0);
  expect([1, 2, 4]).toContain(engine.microbatch);
  const ids = new Uint16Array(engine.microbatch * (model.contextLength + 1));
  engine.load(new Float32Array((await engine.read()).length).fill(0.01));
  expect(
    (await engine.step([ids], { learningRate: 1e-3, beta1: 0.9, beta2: 0.9, eps: 1e-8, weightDecay: 0, clipNorm: 1 }))
      .loss,
  ).toBeGreaterThan(0);
  engine.destroy();
});
