// The engine on WASM in Node: all that every engine promises, alone and in threads; its own refusals; threads that fail.
import { availableParallelism } from "node:os";
import { describe, expect, test } from "vitest";
import { adaptersContract } from "../adapters-contract.ts";
import { F32, learningContract, lifecycleContract } from "../engine-contract.ts";
import { DeviceLostError, ModelTooLargeError } from "../errors.ts";
import { relativeError } from "../reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { findCpu } from "./cpu.ts";
import { createWasmEngine, type WasmOptions } from "./wasm-engine.ts";

describe.each([1, 2])("threads: %i", (threads) => {
  learningContract((given) => createWasmEngine({ ...given, threads }));
  lifecycleContract((given) => createWasmEngine({ ...given, threads }));
  adaptersContract((given) => createWasmEngine({ ...given, threads }), F32);
});

const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

/** Many blocks of every kind: two chunks of logits, four blocks of queries, edges everywhere. */
const wide = tinyModel({ dModel: 72, heads: 6, kvHeads: 3, dFfn: 140, vocabSize: 2051, contextLength: 91 });

async function twoSteps(given: Partial<WasmOptions>) {
  const random = prng(3);
  const engine = await createWasmEngine({ model: wide, microbatch: 3, ...given });
  engine.load(Float32Array.from(randomParameters(random, wide, 0.1)));
  const ids = [1, 2].map(() => randomIds(random, 3 * 92, wide.vocabSize));
  await engine.step(ids, options);
  const report = await engine.step(ids, options);
  const parameters = await engine.read();
  engine.destroy();
  return { report, parameters };
}

test("one thread and four compute the same, bit for bit", async () => {
  expect(await twoSteps({ threads: 4 })).toEqual(await twoSteps({ threads: 1 }));
});

test("by default it takes the machine's cores", () => {
  const cores = availableParallelism();
  expect(findCpu()?.threads).toBe(Math.min(16, cores > 2 ? cores - 1 : cores));
});

test("it says what runs it, and how", async () => {
  const engine = await createWasmEngine({ model: tinyModel(), microbatch: 1, threads: 2 });
  expect(engine.adapter).toMatchObject({ backend: "wasm", vendor: "cpu", isFallback: true });
  expect(engine.adapter.description).toMatch(/^2 threads, (relaxed )?SIMD$/);
  engine.destroy();
});

test("the conformance check passes, and changes nothing", async () => {
  const engine = await createWasmEngine({ model: tinyModel(), microbatch: 1, threads: 2 });
  const { checks, failed, adapter } = await engine.conformance();
  expect(failed).toEqual([]);
  expect(checks).toBeGreaterThan(10);
  expect(adapter).toBe(engine.adapter);
  expect((await engine.read()).every((p) => p === 0)).toBe(true);
  engine.destroy();
  await expect(engine.conformance()).rejects.toBeInstanceOf(DeviceLostError);
});

describe("refusals", () => {
  const gib = tinyModel({
    dModel: 1024,
    heads: 8,
    kvHeads: 8,
    dFfn: 4096,
    layers: 12,
    vocabSize: 30_000,
    contextLength: 512,
  });

  test("a microbatch that no address reaches says how many sequences fit", async () => {
    const error = await createWasmEngine({ model: gib, microbatch: 16, threads: 1 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ModelTooLargeError);
    expect((error as Error).message).toMatch(
      /needs [\d,]+ MiB and may take 4,095 MiB: use at most \d+ sequences per microbatch \(asked: 16\)/,
    );
  });

  test("a model that no address reaches says how large it may be", async () => {
    const error = await createWasmEngine({ model: { ...gib, layers: 40 }, microbatch: 1, threads: 1 }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(ModelTooLargeError);
    expect((error as Error).message).toMatch(/at most about [\d,]+ parameters here \(it has [\d,]+\)/);
  });

  test("what a refusal says fits, does", async () => {
    const memoryBytes = 8 * 2 ** 20;
    const given = { model: tinyModel({ dModel: 64, contextLength: 64 }), threads: 1, memoryBytes };
    const error = await createWasmEngine({ ...given, microbatch: 512 }).catch((e: unknown) => e);
    const fits = Number(/at most (\d+) sequences/.exec((error as Error).message)?.[1]);
    const engine = await createWasmEngine({ ...given, microbatch: fits });
    expect(engine.allocatedBytes).toBeLessThanOrEqual(memoryBytes);
    expect(engine.allocatedBytes).toBeGreaterThan(0.9 * memoryBytes);
    engine.destroy();
  });
});

test("a step leaves the calling thread free", async () => {
  const engine = await createWasmEngine({ model: wide, microbatch: 3, threads: 1 });
  engine.load(Float32Array.from(randomParameters(prng(4), wide, 0.1)));
  const ids = Array.from({ length: 4 }, () => randomIds(prng(5), 3 * 92, wide.vocabSize));
  let turns = 0;
  let busy = true;
  const turn = (): void => {
    turns++;
    if (busy) setImmediate(turn);
  };
  turn();
  const before = await engine.read();
  await engine.step(ids, options);
  busy = false;
  expect(turns).toBeGreaterThan(10);
  expect(relativeError(await engine.read(), before)).toBeGreaterThan(0);
  engine.destroy();
});
