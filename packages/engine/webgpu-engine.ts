// The engine on WebGPU: recorded plans over buffers planned once.
//
//   step = for each microbatch { ids -> buffers; forward, loss, backward } ; norm, report, AdamW ; report -> staging -> {loss, gradNorm}
import type { ModelShape } from "#wire";
import type { ConformanceReport } from "./conformance/index.ts";
import { openDevice } from "./device/adapter.ts";
import { type CompiledKernels, compileKernels, type Kernel, type Variant } from "./device/kernel.ts";
import type { BytesByPart, Memory } from "./device/memory.ts";
import { Plan } from "./device/plan.ts";
import { checked, namedError } from "./device/scopes.ts";
import type { AdapterDescription, Engine, EngineOptions, StepOptions, StepReport } from "./engine.ts";
import { DeviceLostError, GpuError, ModelTooLargeError } from "./errors.ts";
import { packStep } from "./kernels/optimizer.ts";
import { ropeTables } from "./kernels/rope.ts";
import { type Batch, batchOf, groupsOf, NO_UPDATE } from "./model/batch.ts";
import type { Sizes } from "./model/buffers.ts";
import { type Layout, takeFromEngine, toEngine } from "./model/layout.ts";
import { type Outline, outlineOf, REPORT_BYTES, STEPS_IN_FLIGHT } from "./model/outline.ts";
import { ALL_KERNELS, MOMENT_KERNELS, type Pass, passesOf } from "./model/passes.ts";
import { planModel } from "./model/planner.ts";
import { Turns } from "./turns.ts";

/** A software adapter does 2 to 4 GFLOP/s: 0.1 s per submission keeps the page's own frames coming. A GPU is never busy that long. */
const FLOPS_PER_SUBMIT = { software: 0.3e9, hardware: 2e10 };

/** Evaluation waits for the device after so many microbatches, so that a long one does not fill the queue. */
const EVALUATIONS_IN_FLIGHT = 4;

/** A lost device rejects what it was asked first and says so a moment later. */
const LOSS_SHOWS_MS = 1000;

const lostWithin = (device: GPUDevice, ms: number): Promise<GPUDeviceLostInfo | undefined> =>
  Promise.race([device.lost, new Promise<undefined>((resolve) => setTimeout(resolve, ms))]);

/** What the device decides; tests make it small, so that small models are cut as large ones are, or ask for what another device would take. */
export interface Cuts {
  /** The widest range of a flat vector that one dispatch binds. */
  readonly bindingFloats?: number;
  readonly logitsChunkBytes?: number;
  /** Parameters cross in pieces of so many bytes. */
  readonly pieceBytes?: number;
  readonly flopsPerSubmit?: number;
  readonly tiled?: boolean;
}

/** Rejects with ModelTooLargeError, OutOfMemoryError, GpuError, or DeviceLostError when the device went while the engine was made. */
export async function createWebGpuEngine(options: EngineOptions, cuts: Cuts = {}): Promise<WebGpuEngine> {
  const { model, microbatch } = options;
  const { device, description, quads, ...opened } = await openDevice(options.adapter, options.defaultLimits);
  try {
    const { recomputedLayers, problem } = planModel({ ...options, limits: device.limits });
    if (problem !== undefined) throw new ModelTooLargeError(problem);
    const bindingFloats = cuts.bindingFloats ?? Math.floor(device.limits.maxStorageBufferBindingSize / 4);
    const { moments = "f32" } = options;
    const outline = outlineOf(model, { ...cuts, microbatch, recomputedLayers, bindingFloats, moments });
    const kernels = [...ALL_KERNELS, ...MOMENT_KERNELS[moments]];
    const variant: Variant = { quads, tiled: cuts.tiled ?? opened.tiled, headSize: outline.sizes.headSize };
    const [compiled, memory] = await Promise.all([
      compileKernels(device, kernels as readonly unknown[] as readonly Kernel[], variant),
      outline.memory.allocate(device),
    ]);
    const flops = cuts.flopsPerSubmit ?? FLOPS_PER_SUBMIT[description.isFallback ? "software" : "hardware"];
    const passes = passesOf({ model, ...outline, memory });
    const record = (pass: Pass): Plan => {
      const plan = new Plan(device, compiled, variant, flops);
      passes[pass](plan);
      plan.finish();
      return plan;
    };
    const plans = await checked(device, "The engine's plan is invalid on this device", () => ({
      train: record("train"),
      update: record("update"),
      evaluate: record("evaluate"),
      report: record("report"),
    }));
    return new WebGpuEngine(device, description, model, outline, memory, plans, { compiled, variant });
  } catch (error) {
    const lost = error instanceof ModelTooLargeError ? undefined : await lostWithin(device, LOSS_SHOWS_MS);
    if (lost) throw new DeviceLostError(lost.reason, lost.message); // whatever failed, failed for that
    device.destroy();
    if (error instanceof GpuError) throw error;
    throw new GpuError(`The engine could not start: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

type Plans = Readonly<Record<Pass, Plan>>;

/** One set of pipelines, and what they were compiled for. */
interface Pipelines {
  readonly compiled: CompiledKernels;
  readonly variant: Variant;
}

export class WebGpuEngine implements Engine {
  readonly adapter: AdapterDescription;
  readonly model: ModelShape;
  readonly microbatch: number;
  readonly allocatedBytes: number;
  readonly bytesByPart: BytesByPart;
  readonly recomputedLayers: number;
  readonly parameters: number;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly #device: GPUDevice;
  readonly #layout: Layout;
  readonly #sizes: Sizes;
  readonly #pieceFloats: number;
  readonly #memory: Memory;
  readonly #plans: Plans;
  readonly #pipelines: Pipelines;
  readonly #turns = new Turns(STEPS_IN_FLIGHT);
  readonly #freeStaging: GPUBuffer[];
  #updates = 0; // since the moments were zeroed
  #failure: GpuError | DeviceLostError | undefined;

  constructor(
    device: GPUDevice,
    adapter: AdapterDescription,
    model: ModelShape,
    { layout, sizes, pieceFloats, bytesByPart, totalBytes }: Outline,
    memory: Memory,
    plans: Plans,
    pipelines: Pipelines,
  ) {
    this.adapter = adapter;
    this.model = model;
    this.microbatch = sizes.B;
    this.allocatedBytes = totalBytes;
    this.bytesByPart = bytesByPart;
    this.recomputedLayers = sizes.recomputedLayers;
    this.parameters = layout.parameters;
    this.#device = device;
    this.#layout = layout;
    this.#sizes = sizes;
    this.#pieceFloats = pieceFloats;
    this.#memory = memory;
    this.#plans = plans;
    this.#freeStaging = Array.from({ length: STEPS_IN_FLIGHT }, () => this.#staging("report", REPORT_BYTES));
    this.#pipelines = pipelines;
    this.lost = device.lost.then(({ reason, message }) => {
      this.#failure = new DeviceLostError(reason, message);
      return { reason, message };
    });
    device.addEventListener("uncapturederror", ({ error }) => {
      this.#failure ??= namedError("The device refused work", error);
    });
    const { cosines, sines } = ropeTables(sizes.T, sizes.headSize, model.ropeTheta);
    this.#write("cosines", cosines);
    this.#write("sines", sines);
  }

  load(parameters: Float32Array): void {
    const { parameters: length } = this.#layout;
    if (parameters.length !== length)
      throw new RangeError(`the model has ${length} parameters, got ${parameters.length}`);
    const own = toEngine(this.#layout, parameters);
    if (this.#isOnePiece) return this.#inOrder(() => this.#write("parameters", own));
    this.#inOrder(async () => {
      for (let from = 0; from < own.length; from += this.#pieceFloats) {
        const piece = own.subarray(from, from + this.#pieceFloats);
        this.#device.queue.writeBuffer(this.#buffer("parameters"), from * 4, piece);
        this.#device.queue.submit([]);
        await this.#device.queue.onSubmittedWorkDone().catch(() => {}); // a lost device says so elsewhere
      }
    }, STEPS_IN_FLIGHT);
  }

  resetMoments(): void {
    this.#inOrder(() => {
      const encoder = this.#device.createCommandEncoder();
      for (const name of ["momentum", "variance"]) encoder.clearBuffer(this.#buffer(name));
      this.#device.queue.submit([encoder.finish()]);
      this.#updates = 0;
    });
  }

  async step(microbatches: readonly Uint16Array[], options: StepOptions): Promise<StepReport> {
    const batches = this.#batches(microbatches);
    return this.#turns.take(async () => {
      this.#throwIfFailed();
      this.#updates++;
      this.#queueGradient(batches, options);
      const [loss, gradNorm] = await this.#report(this.#plans.update);
      return { loss, gradNorm };
    });
  }

  async evaluate(windows: readonly Uint16Array[]): Promise<number> {
    const { B, T } = this.#sizes;
    const batches = groupsOf(windows, B, T).map(({ ids, rows }) => ({
      rows,
      batch: batchOf(ids, B, T, this.model.vocabSize),
    }));
    return this.#turns.takeAll(async () => {
      this.#throwIfFailed();
      for (const [i, { rows, batch }] of batches.entries()) {
        this.#writeBatch(batch);
        this.#write("step", packStep(NO_UPDATE, 1, rows, windows.length * T));
        this.#plans.evaluate.replay();
        if (i % EVALUATIONS_IN_FLIGHT === EVALUATIONS_IN_FLIGHT - 1) await this.#device.queue.onSubmittedWorkDone();
      }
      const [loss] = await this.#report(this.#plans.report);
      return loss;
    });
  }

  async read(): Promise<Float32Array> {
    // One piece is queued at once, and steps may follow; several must all be read before the next step changes them.
    return this.#turns.take(() => this.#readVector("parameters"), this.#isOnePiece ? 1 : STEPS_IN_FLIGHT);
  }

  async conformance(): Promise<ConformanceReport> {
    const { checkConformance } = await import("./conformance/index.ts"); // the reference is large, and only asked once
    return this.#turns.takeAll(async () => {
      this.#throwIfFailed();
      const { compiled, variant } = this.#pipelines;
      try {
        return await checkConformance(this.#device, compiled, variant, this.adapter);
      } catch (cause) {
        await Promise.race([this.lost, lostWithin(this.#device, LOSS_SHOWS_MS)]);
        this.#throwIfFailed();
        throw new GpuError("The device could not run the conformance check.", { cause });
      }
    });
  }

  /** The gradient that step() would clip and apply, flat: mean over all tokens. Changes nothing. For tests and for methods that look at it. */
  async gradient(microbatches: readonly Uint16Array[]): Promise<{ loss: number; gradient: Float32Array }> {
    const batches = this.#batches(microbatches);
    return this.#turns.takeAll(async () => {
      this.#throwIfFailed();
      this.#queueGradient(batches, NO_UPDATE);
      const [loss] = await this.#report(this.#plans.report);
      const gradient = await this.#readVector("gradient");
      const encoder = this.#device.createCommandEncoder();
      encoder.clearBuffer(this.#buffer("gradient"));
      this.#device.queue.submit([encoder.finish()]);
      return { loss, gradient };
    });
  }

  /** Dispatches of one microbatch and of one update, for the bench. */
  get dispatches(): { readonly microbatch: number; readonly update: number } {
    return { microbatch: this.#plans.train.dispatches, update: this.#plans.update.dispatches };
  }

  /** Milliseconds by kernel of one microbatch and one update. Ruins gradient and parameters: for the bench's last act. */
  profile(repeats: number): Promise<Record<string, number>> {
    return this.#turns.takeAll(async () => ({
      ...(await this.#plans.train.profile(repeats)),
      ...(await this.#plans.update.profile(repeats)),
    }));
  }

  destroy(): void {
    this.#device.destroy(); // frees its buffers too; `lost` resolves with reason "destroyed"
  }

  #batches(microbatches: readonly Uint16Array[]): Batch[] {
    if (microbatches.length === 0) throw new RangeError("a step needs at least one microbatch");
    const { B, T } = this.#sizes;
    return microbatches.map((ids) => batchOf(ids, B, T, this.model.vocabSize));
  }

  #queueGradient(batches: readonly Batch[], options: StepOptions): void {
    const { N } = this.#sizes;
    this.#write("step", packStep(options, Math.max(1, this.#updates), N, N * batches.length));
    for (const batch of batches) {
      this.#writeBatch(batch);
      this.#plans.train.replay();
    }
  }

  #writeBatch({ ids, targets, occurrences }: Batch): void {
    this.#write("ids", ids);
    this.#write("targets", targets);
    this.#write("occurrences", occurrences);
  }

  /** Replays a plan that ends with a report, and reads that: [mean loss, gradient norm]. */
  async #report(plan: Plan): Promise<readonly [number, number]> {
    const staging = this.#freeStaging.pop();
    if (!staging) throw new Error("more steps in flight than staging buffers: Turns should not allow it");
    plan.replay((encoder) => encoder.copyBufferToBuffer(this.#buffer("report"), 0, staging, 0, REPORT_BYTES));
    let report: readonly [number, number] = [Number.NaN, Number.NaN];
    await this.#map(staging, ([loss, gradNorm]) => {
      report = [loss, gradNorm];
    });
    this.#freeStaging.push(staging);
    return report;
  }

  /** A flat vector in the swarm's order, through a buffer of one piece. */
  async #readVector(name: string): Promise<Float32Array> {
    this.#throwIfFailed();
    const { length, parameters } = this.#layout;
    const flat = new Float32Array(parameters);
    const pieceFloats = this.#pieceFloats;
    const staging = this.#staging(name, pieceFloats * 4);
    try {
      for (let from = 0; from < length; from += pieceFloats) {
        const floats = Math.min(pieceFloats, length - from);
        const encoder = this.#device.createCommandEncoder();
        encoder.copyBufferToBuffer(this.#buffer(name), from * 4, staging, 0, floats * 4);
        this.#device.queue.submit([encoder.finish()]);
        await this.#map(staging, (mapped) => takeFromEngine(this.#layout, mapped.subarray(0, floats), from, flat));
      }
      return flat;
    } finally {
      staging.destroy();
    }
  }

  async #map(staging: GPUBuffer, use: (mapped: Float32Array) => void): Promise<void> {
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch (cause) {
      await Promise.race([this.lost, lostWithin(this.#device, LOSS_SHOWS_MS)]);
      this.#throwIfFailed();
      this.#failure = new GpuError("The device could not return a result.", { cause });
      throw this.#failure;
    }
    this.#throwIfFailed();
    use(new Float32Array(staging.getMappedRange()));
    staging.unmap();
  }

  get #isOnePiece(): boolean {
    return this.#pieceFloats === this.#layout.length;
  }

  #inOrder(change: () => void | Promise<void>, slots = 1): void {
    void this.#turns.take(async () => {
      if (!this.#failure) await change();
    }, slots);
  }

  #throwIfFailed(): void {
    if (this.#failure) throw this.#failure;
  }

  #write(name: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    this.#device.queue.writeBuffer(this.#buffer(name), 0, data);
  }

  #buffer(name: string): GPUBuffer {
    return this.#memory.view(name).buffer;
  }

  #staging(label: string, size: number): GPUBuffer {
    return this.#device.createBuffer({ label, size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }
}
