import { afterEach, describe, expect, test, vi } from "vitest";
import { createWebGpuEngine } from "../create-webgpu.ts";
import { openDevice } from "../device/adapter.ts";
import { type Kernel, type Tile, tileName, type Variant } from "../device/kernel.ts";
import { TuningOverError } from "../errors.ts";
import { matmulNt } from "../kernels/matmul.ts";
import { lossAndGradient, relativeError } from "../reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import type { WebGpuEngine } from "../webgpu-engine.ts";
import { memoryTuning, type TuningStore } from "./record.ts";
import { type TunerOptions, type TuningReport, tune } from "./tuner.ts";
import { workloadsOf } from "./workload.ts";

const variant: Variant = { quads: false, tiled: false, half: false, headSize: 4 };
const [smaller, smallest] = matmulNt.tuning!.candidates(variant);
const isCut = (tile: Tile | undefined, of: Variant): boolean => tile?.rows === of.tile?.rows;
const nt = matmulNt as unknown as Kernel;
const workloads = workloadsOf([{ kernel: nt, shape: { M: 96, N: 64, K: 64 }, flops: 1 }]);
const open = async (): Promise<GPUDevice> => (await openDevice({ defaultLimits: true })).device;
const given = (change: Partial<TunerOptions> = {}): TunerOptions => ({
  adapter: { backend: "webgpu", vendor: "test", architecture: "", description: "", isFallback: true },
  ...{ variant, workloads, store: memoryTuning(), open, quietly: (work) => work(), ...change },
});

describe("the tuner", () => {
  const { source } = matmulNt;
  afterEach(() => {
    vi.restoreAllMocks();
  });
  const spoil = (spoilt: (text: string, variant: Variant) => string) =>
    vi.spyOn(nt, "source").mockImplementation((one) => spoilt(source(one), one));

  test("measures each workload once: the next start knows it, and opens no device", async () => {
    const store = memoryTuning();
    const first = await tune(given({ store }));
    expect(first.faults).toEqual([]);
    expect(first.tuned).toMatchObject([{ workload: workloads[0], known: false }]);
    expect(first.deviceMs).toBeGreaterThan(0);
    const [{ tile, gain }] = first.tuned;
    expect(await tune(given({ store, open: () => Promise.reject(new Error("no device")) }))).toMatchObject({
      ...{ tuned: [{ workload: workloads[0], known: true, tile, gain }], faults: [], deviceMs: 0 },
    });
  });

  test("another text of the kernel, or another adapter, is measured anew", async () => {
    const store = memoryTuning();
    await tune(given({ store }));
    spoil((text) => `${text}\n// changed`);
    expect((await tune(given({ store }))).tuned).toMatchObject([{ known: false }]);
    const adapter = { ...given().adapter, vendor: "another" };
    expect((await tune(given({ store, adapter }))).tuned).toMatchObject([{ known: false }]);
  });

  test("a variant that computes wrongly or does not compile cannot win, and is not tried again", async () => {
    spoil((text, { tile }) => {
      if (isCut(tile, smallest)) return text.replace(" += ", " -= ");
      return isCut(tile, smaller) ? "no shader" : text;
    });
    const store = memoryTuning();
    const [first, second] = [await tune(given({ store })), await tune(given({ store }))];
    expect(first.tuned).toMatchObject([{ tile: "default", variant }]);
    expect(first.faults).toHaveLength(2);
    expect(first.faults[0]).toMatch(`matmul-nt ${tileName(smaller)}: kernel "matmul-nt" does not compile`);
    expect(first.faults[1]).toMatch(`matmul-nt ${tileName(smallest)}: y is 1.0 from the reference`);
    expect(second.faults).toEqual([]);
  });

  test("a variant that takes its device with it is known at the next start, and the others are measured", async () => {
    const store = memoryTuning();
    let device: GPUDevice | undefined;
    const opening = async (): Promise<GPUDevice> => {
      device = await open();
      return device;
    };
    spoil((text, { tile }) => {
      if (isCut(tile, smaller)) device?.destroy();
      return text;
    });
    const first = await tune(given({ store, open: opening }));
    expect(first.tuned).toEqual([]);
    expect(first.faults).toEqual([expect.stringMatching("the device that is measured on was lost")]);
    device = undefined;
    const second = await tune(given({ store }));
    expect(second).toMatchObject({ tuned: [{ known: false }], faults: [] });
  });

  test("a page that closes during a measurement does not measure that workload again; an engine that ends is no such thing", async () => {
    const store = memoryTuning();
    const quietly = () => Promise.reject(new TuningOverError("the engine ended"));
    expect((await tune(given({ store, quietly }))).tuned).toEqual([]);
    expect((await tune(given({ store }))).tuned).toHaveLength(1);

    const closed = memoryTuning();
    void tune(given({ store: closed, quietly: () => new Promise(() => {}) }));
    await vi.waitUntil(async () => /8x8/.test(JSON.stringify(await closed.get("tuning"))));
    const after = await tune(given({ store: closed }));
    expect(after.faults).toEqual([]);
    expect(JSON.stringify(await closed.get("tuning"))).toMatch(/"refused":\["test[^"]*8x8 by 4x4"\]/);
  });

  test("a damaged record is measured again", async () => {
    for (const damaged of [7, null, { version: 9 }, { version: 1, gains: { a: 1 }, trying: null, refused: [] }]) {
      const store = memoryTuning();
      await store.set("tuning", damaged);
      expect((await tune(given({ store, workloads: [] }))).faults).toEqual([]);
    }
  });
});

describe("an engine that tunes", () => {
  const model = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, dFfn: 8, contextLength: 6, layers: 1 });
  const random = prng(5);
  const flat = Float32Array.from(randomParameters(random, model, 0.1));
  const batch = randomIds(random, 2 * 7, model.vocabSize);
  const options = { learningRate: 0, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 };
  const engineOn = async (): Promise<WebGpuEngine> => {
    const engine = await createWebGpuEngine({ model, microbatch: 2, defaultLimits: true });
    engine.load(flat);
    return engine;
  };
  /** Steps until it is through, as a peer's would. */
  const trained = async (engine: WebGpuEngine, store: TuningStore): Promise<TuningReport> => {
    let report: TuningReport | undefined;
    void engine.tune(store).then((its) => {
      report = its;
    });
    while (!report) await engine.step([batch], options);
    return report;
  };

  test("goes on with other tiles between two steps, and computes the same", async () => {
    const store = memoryTuning();
    const engine = await engineOn();
    const report = await trained(engine, store);
    engine.destroy();
    expect(report.faults).toEqual([]);
    const kernels = new Set(report.tuned.map(({ workload }) => workload.kernel.label));
    expect(kernels.size).toBe(6); // three products, three kernels of attention

    // As if every workload had its last candidate as the fastest.
    const record = (await store.get("tuning")) as { gains: Record<string, { tile: string }> };
    for (const [name, gain] of Object.entries(record.gains)) {
      const { workload } = report.tuned.find(({ workload }) => name.endsWith(`|${workload.key}`))!;
      const last = workload.tuning.candidates({ ...variant, headSize: 4 }).at(-1);
      if (last) gain.tile = tileName(last);
    }
    await store.set("tuning", record);
    const other = await engineOn();
    const before = await other.gradient([batch]);
    const again = await trained(other, store);
    const pipelines = vi.spyOn(GPUComputePassEncoder.prototype, "setPipeline");
    const after = await other.gradient([batch]);
    other.destroy();
    const used = pipelines.mock.calls.map(([{ label }]) => label);
    expect(used.filter((label) => label.startsWith("matmul")).every((label) => label.endsWith("4x4 by 8x8"))).toBe(
      true,
    );
    expect(again.faults).toEqual([]);
    expect(again.tuned.every(({ known }) => known)).toBe(true);
    expect(again.tuned.filter(({ tile }) => tile !== "default").length).toBeGreaterThan(10);
    const truth = lossAndGradient(model, Float64Array.from(flat), batch, 2);
    for (const { loss, gradient } of [before, after]) {
      expect(loss).toBeCloseTo(truth.loss, 5);
      expect(relativeError(gradient, truth.gradient)).toBeLessThan(1e-5);
    }
  });

  test("ends with the engine, and without one step it does nothing", async () => {
    const engine = await engineOn();
    const tuning = engine.tune(memoryTuning());
    engine.destroy();
    expect(await tuning).toMatchObject({ tuned: [], deviceMs: 0 });
  });
});
