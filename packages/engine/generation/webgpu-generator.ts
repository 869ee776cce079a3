// The generator on WebGPU: two recorded plans through the layers, one for some rows of a prompt and one for a single id, and one for the logits.
import type { ModelShape } from "#wire";
import { openDevice } from "../device/adapter.ts";
import { Crossing, lostSoon } from "../device/crossing.ts";
import { compileKernels, type Kernel } from "../device/kernel.ts";
import type { Memory } from "../device/memory.ts";
import { FLOPS_PER_SUBMIT, Plan } from "../device/plan.ts";
import { checked } from "../device/scopes.ts";
import type { AdapterDescription } from "../engine.ts";
import { DeviceLostError, GpuError, ModelTooLargeError } from "../errors.ts";
import { ropeTables } from "../kernels/rope.ts";
import { toEngine } from "../model/layout.ts";
import { Turns } from "../turns.ts";
import { checkIds, type Generator } from "./generator.ts";
import { type GenerationOutline, generationOutline, planGeneration } from "./outline.ts";
import { GENERATION_KERNELS, generationPasses, lastOf, type Pass } from "./passes.ts";

export interface WebGpuGeneratorOptions {
  readonly model: ModelShape;
  readonly adapter?: GPUAdapter; // default: navigator.gpu.requestAdapter()
  /** Ask for WebGPU's default limits instead of the adapter's (tests). */
  readonly defaultLimits?: boolean;
  /** Products in shared tiles, whatever the adapter (tests). */
  readonly tiled?: boolean;
}

/** Parameters are zero until load(). Rejects with ModelTooLargeError, OutOfMemoryError, GpuError, DeviceLostError. */
export async function createWebGpuGenerator(options: WebGpuGeneratorOptions): Promise<Generator> {
  const { model } = options;
  const opened = await openDevice(options);
  const { device, description, quads } = opened;
  try {
    const { problem } = planGeneration(model, device.limits);
    if (problem !== undefined) throw new ModelTooLargeError(problem);
    const outline = generationOutline(model);
    const variant = {
      quads,
      tiled: options.tiled ?? opened.tiled,
      half: false,
      headSize: outline.sizes.headSize,
    };
    const [compiled, memory] = await Promise.all([
      compileKernels(device, GENERATION_KERNELS as readonly unknown[] as readonly Kernel[], variant),
      outline.memory.allocate(device),
    ]);
    const flops = FLOPS_PER_SUBMIT[description.isFallback ? "software" : "hardware"];
    const passes = generationPasses({ model, ...outline, memory });
    const planOf = (pass: Pass): Plan => {
      const plan = new Plan(device, compiled, flops);
      passes[pass](plan);
      plan.finish();
      return plan;
    };
    const plans = await checked(device, "The generator's plan is invalid on this device", () => ({
      prefill: planOf("prefill"),
      decode: planOf("decode"),
      head: planOf("head"),
    }));
    return new WebGpuGenerator(device, description, model, outline, memory, plans);
  } catch (error) {
    const lost = error instanceof ModelTooLargeError ? undefined : await lostSoon(device);
    if (lost) throw new DeviceLostError(lost.reason, lost.message); // whatever failed, failed for that
    device.destroy();
    if (error instanceof GpuError) throw error;
    throw new GpuError(`The generator could not start: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

class WebGpuGenerator implements Generator {
  readonly adapter: AdapterDescription;
  readonly model: ModelShape;
  readonly allocatedBytes: number;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly #device: GPUDevice;
  readonly #crossing: Crossing;
  readonly #outline: GenerationOutline;
  readonly #plans: Readonly<Record<Pass, Plan>>;
  readonly #turns = new Turns(1);
  readonly #logits: GPUBuffer; // to be mapped
  readonly #angles: ReturnType<typeof ropeTables>;
  #length = 0;

  constructor(
    device: GPUDevice,
    adapter: AdapterDescription,
    model: ModelShape,
    outline: GenerationOutline,
    memory: Memory,
    plans: Readonly<Record<Pass, Plan>>,
  ) {
    this.adapter = adapter;
    this.model = model;
    this.allocatedBytes = outline.totalBytes;
    this.#device = device;
    this.#outline = outline;
    this.#crossing = new Crossing(device, memory, outline.pieceFloats);
    this.#plans = plans;
    this.#logits = this.#crossing.staging("logits", outline.sizes.V * 4);
    this.#angles = ropeTables(outline.sizes.T, outline.sizes.headSize, model.ropeTheta);
    this.lost = this.#crossing.lost;
  }

  get length(): number {
    return this.#length;
  }

  load(parameters: Float32Array): Promise<void> {
    const { layout } = this.#outline;
    if (parameters.length !== layout.parameters)
      throw new RangeError(`the model has ${layout.parameters} parameters, got ${parameters.length}`);
    return this.#turns.take(async () => {
      this.#crossing.throwIfFailed();
      this.#length = 0;
      await this.#crossing.upload("parameters", toEngine(layout, parameters));
    });
  }

  prefill(ids: ArrayLike<number>): Promise<Float32Array> {
    return this.#turns.take(async () => {
      checkIds(ids, 0, this.model);
      this.#crossing.throwIfFailed();
      const { rows } = this.#outline.sizes;
      this.#length = 0;
      for (let from = 0; from < ids.length; from += rows)
        this.#read(this.#plans.prefill, Array.prototype.slice.call(ids, from, from + rows) as number[]);
      return this.#readLogits();
    });
  }

  decode(id: number): Promise<Float32Array> {
    return this.#turns.take(async () => {
      checkIds([id], this.#length, this.model);
      this.#crossing.throwIfFailed();
      this.#read(this.#plans.decode, [id]);
      return this.#readLogits();
    });
  }

  destroy(): void {
    this.#device.destroy(); // frees its buffers too; `lost` resolves with reason "destroyed"
  }

  /** These ids at the positions that follow, and the last one's row to where the head reads it. */
  #read(plan: Plan, ids: readonly number[]): void {
    const [start, count] = [this.#length, ids.length];
    const { C, headSize } = this.#outline.sizes;
    const half = headSize / 2;
    const crossing = this.#crossing;
    const last = lastOf(this.#outline.sizes);
    crossing.write("ids", Uint32Array.from(ids));
    crossing.write("place", Uint32Array.of(start, count));
    for (const name of ["cosines", "sines"] as const)
      crossing.write(name, this.#angles[name].subarray(start * half, (start + count) * half));
    plan.replay((encoder) => {
      const from = (count - 1) * C * 4;
      encoder.copyBufferToBuffer(crossing.buffer(last.x), from, crossing.buffer("xLast"), 0, C * 4);
      encoder.copyBufferToBuffer(crossing.buffer(last.dy), from, crossing.buffer("dyLast"), 0, C * 4);
    });
    this.#length = start + count;
  }

  async #readLogits(): Promise<Float32Array> {
    const bytes = this.model.vocabSize * 4;
    this.#plans.head.replay((encoder) =>
      encoder.copyBufferToBuffer(this.#crossing.buffer("logits"), 0, this.#logits, 0, bytes),
    );
    const logits = new Float32Array(this.model.vocabSize);
    await this.#crossing.map(this.#logits, (mapped) => logits.set(new Float32Array(mapped, 0, logits.length)));
    return logits;
  }
}
