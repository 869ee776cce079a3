// What the engine on WebGPU promises besides arithmetic: what every engine does, cuts by a device's limits, refusals with their numbers.
import { describe, expect, test } from "vitest";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { sharedAdapter } from "./device/testing.ts";
import { lifecycleContract } from "./engine-contract.ts";
import { createEngine, ModelTooLargeError } from "./index.ts";
import { relativeError } from "./reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";

const model = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 1, dFfn: 8, contextLength: 6 });
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const random = prng(5);

const adapter = await sharedAdapter();

lifecycleContract((given) => createWebGpuEngine({ ...given, adapter }));

test("it says what runs it", async () => {
  const engine = await createEngine({ model, microbatch: 2 });
  expect(engine.adapter.backend).toBe("webgpu");
  engine.destroy();
});

test("a model cut into chunks and ranges, or multiplied in shared tiles, computes the same", async () => {
  const long = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 1, dFfn: 8, contextLength: 50, vocabSize: 70 });
  const parameters = Float32Array.from(randomParameters(random, long, 0.1));
  const ids = randomIds(random, 3 * 51, long.vocabSize); // 150 rows: three chunks of logits
  const cuts = { bindingFloats: 640, logitsChunkBytes: 1, flopsPerSubmit: 1 };
  const results: { loss: number; parameters: Float32Array }[] = [];
  for (const given of [{}, cuts, { ...cuts, tiled: true }]) {
    const engine = await createWebGpuEngine({ model: long, microbatch: 3, adapter }, given);
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
});
