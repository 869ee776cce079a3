// Mixed precision: the whole engine with f16 where the adapter has it, and on every adapter what loss scaling does with numbers that are too large.
import { describe, expect, test } from "vitest";
import { type Cuts, createWebGpuEngine } from "./create-webgpu.ts";
import { sharedAdapter } from "./device/testing.ts";
import { F16, learningContract, lifecycleContract } from "./engine-contract.ts";
import { DivergedError, GpuError } from "./errors.ts";
import { ADAPTER_HAS_HALF } from "./kernels/testing.ts";
import { planModel } from "./model/planner.ts";
import { relativeError } from "./reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";

const model = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 3, dFfn: 8, contextLength: 6 });
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const random = prng(5);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const batch = randomIds(random, 2 * 7, model.vocabSize);
const adapter = await sharedAdapter();
const F16_OPTIONS = { precision: "f16", adapter } as const;

const loadedEngine = async (given: Partial<Parameters<typeof createWebGpuEngine>[0]>, cuts: Cuts = {}) => {
  const engine = await createWebGpuEngine({ model, microbatch: 2, adapter, ...given }, cuts);
  engine.load(flat);
  return engine;
};

/** Parameters that no step may use: what the first product makes of them is too large for any float. */
const tooLarge = flat.map((x) => x * 1e30);

describe("loss scaling in f32, where only what is infinite is too large", () => {
  const scaling = () => loadedEngine({}, { scalesLoss: true });

  test("the same steps as without, to rounding", async () => {
    const [scaled, plain] = [await scaling(), await loadedEngine({})];
    for (let i = 0; i < 3; i++) {
      const [own, expected] = [await scaled.step([batch, batch], options), await plain.step([batch, batch], options)];
      expect(own.loss).toBeCloseTo(expected.loss, 5);
      expect(own.gradNorm / expected.gradNorm).toBeCloseTo(1, 5);
      expect([own.skipped, expected.skipped]).toEqual([false, false]);
    }
    const { gradient } = await scaled.gradient([batch]);
    const truth = await plain.gradient([batch]);
    expect(relativeError(gradient, truth.gradient)).toBeLessThan(1e-3);
    for (const engine of [scaled, plain]) engine.destroy();
  });

  test("a gradient that is not finite is skipped and said; what comes after is as if it had not been", async () => {
    const [hit, spared] = [await scaling(), await scaling()];
    const first = await hit.step([batch], options);
    expect(await spared.step([batch], options)).toEqual(first);
    const kept = await hit.read();
    hit.load(tooLarge);
    const skipped = await hit.step([batch], options);
    expect(skipped.skipped).toBe(true);
    expect(await hit.read()).toEqual(tooLarge); // changed by nothing
    hit.load(kept);
    for (let i = 0; i < 3; i++) {
      const [own, expected] = [await hit.step([batch], options), await spared.step([batch], options)];
      expect(own.skipped).toBe(false);
      expect(own.loss).toBeCloseTo(expected.loss, 4); // the correction of a bias is computed on the device then
    }
    for (const engine of [hit, spared]) engine.destroy();
  });

  test("too many in a row are an error with a remedy, and the engine goes on with other parameters", async () => {
    const engine = await scaling();
    engine.load(tooLarge);
    const reports = [];
    for (let i = 0; i < 29; i++) reports.push(await engine.step([batch], options));
    expect(reports.every(({ skipped }) => skipped)).toBe(true);
    const error = await engine.step([batch], options).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DivergedError);
    expect((error as Error).message).toMatch(/30 steps in a row .*train in f32/);
    engine.load(flat);
    expect((await engine.step([batch], options)).skipped).toBe(false);
    engine.destroy();
  });
});

test.skipIf(ADAPTER_HAS_HALF)("an adapter without f16 in shaders says so", async () => {
  const error = await createWebGpuEngine({ model, microbatch: 2, ...F16_OPTIONS }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(GpuError);
  expect((error as Error).message).toMatch(/shader-f16.*train in f32/);
});

describe.skipIf(!ADAPTER_HAS_HALF)("f16", () => {
  describe("like every engine", () => {
    learningContract((given) => createWebGpuEngine({ ...given, ...F16_OPTIONS, defaultLimits: true }), F16);
    lifecycleContract((given) => createWebGpuEngine({ ...given, ...F16_OPTIONS }), F16);
  });

  test("every kernel computes rightly, in whatever precision", async () => {
    const engine = await loadedEngine(F16_OPTIONS);
    const { failed, checks } = await engine.conformance();
    expect(failed).toEqual([]);
    expect(checks).toBeGreaterThan(25);
    engine.destroy();
  });

  test.each([
    { recomputedLayers: 0 },
    { recomputedLayers: 2 },
    { recomputedLayers: 2, moments: "8bit" as const, keepsMark: true },
  ])("what the planner says is what it allocates: $recomputedLayers, $moments", async (given) => {
    const engine = await loadedEngine({ ...F16_OPTIONS, ...given });
    const planned = planModel({ model, microbatch: 2, ...F16_OPTIONS, ...given });
    expect(engine.allocatedBytes).toBe(planned.totalBytes);
    expect(engine.bytesByPart).toEqual(planned.bytesByPart);
    engine.destroy();
  });

  test("layers computed again are the same to rounding; cut into chunks and ranges, or with shared tiles, it computes the same", async () => {
    const long = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, layers: 3, dFfn: 8, contextLength: 50, vocabSize: 70 });
    const parameters = Float32Array.from(randomParameters(prng(2), long, 0.1));
    const ids = randomIds(prng(3), 3 * 51, long.vocabSize); // 150 rows: three chunks of logits
    const cuts = { bindingFloats: 640, logitsChunkBytes: 1, flopsPerSubmit: 1 };
    const run = async (given: { recomputedLayers?: number }, its: Cuts) => {
      const engine = await createWebGpuEngine({ model: long, microbatch: 3, ...F16_OPTIONS, ...given }, its);
      engine.load(parameters);
      const result = await engine.gradient([ids]);
      engine.destroy();
      return result;
    };
    const whole = await run({}, {});
    const again = await run({ recomputedLayers: 2 }, {});
    expect(again.loss).toBe(whole.loss);
    expect(relativeError(again.gradient, whole.gradient)).toBeLessThan(1e-3);
    for (const its of [cuts, { ...cuts, tiled: true }]) {
      const cut = await run({}, its);
      expect(cut.loss).toBeCloseTo(whole.loss, 3);
      expect(relativeError(cut.gradient, whole.gradient)).toBeLessThan(F16.gradient);
    }
  });

  test("with layers recomputed and moments in 8 bits it learns what f32 learns", async () => {
    const mixed = await loadedEngine({ ...F16_OPTIONS, recomputedLayers: 2, moments: "8bit" });
    const exact = await loadedEngine({});
    const losses = [];
    for (let i = 0; i < 30; i++)
      losses.push([(await mixed.step([batch], options)).loss, (await exact.step([batch], options)).loss]);
    const [own, truth] = losses[29];
    expect(truth).toBeLessThan(losses[0][1] * 0.8);
    expect(Math.abs(own - truth)).toBeLessThan(0.1);
    for (const engine of [mixed, exact]) engine.destroy();
  });

  test("what f16 cannot hold is skipped, forward and backward", async () => {
    const engine = await loadedEngine(F16_OPTIONS);
    const large = flat.map((x) => x * 1e6);
    engine.load(large);
    expect((await engine.step([batch], options)).skipped).toBe(true);
    expect(await engine.read()).toEqual(large);
    engine.load(flat);
    expect((await engine.step([batch], options)).skipped).toBe(false);
    engine.destroy();
  });
});
