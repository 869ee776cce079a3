// The engine on WebGPU: recorded plans over buffers planned once.
//
//   step = for each microbatch { ids -> buffers; forward, loss, backward } ; norm, report, AdamW ; report -> staging -> {loss, gradNorm}
import type { RankShape } from "#outer";
import { ColdMoments, type ColdParts } from "./cold-moments.ts";
import type { ConformanceReport } from "./conformance/index.ts";
import type { OpenDevice } from "./device/adapter.ts";
import { Crossing } from "./device/crossing.ts";
import type { CompiledKernels, Variant } from "./device/kernel.ts";
import type { BytesByPart, Memory } from "./device/memory.ts";
import type { KernelProfile, Plan } from "./device/plan.ts";
import type { AdapterDescription, Engine, Gradient, StepOptions, StepReport } from "./engine.ts";
import { DivergedError, GpuError, TuningOverError } from "./errors.ts";
import type { Rank } from "./island/rank.ts";
import type { Stage } from "./island/stage.ts";
import {
  LOSS_SCALE,
  packScaling,
  packStep,
  REPORT_FLOATS,
  SCALING_LAG_BYTE,
  SKIPPED_MAX,
} from "./kernels/optimizer.ts";
import { ropeTables } from "./kernels/rope.ts";
import { type AdapterLayout, baseParts } from "./model/adapters.ts";
import { type Batch, batchOf, groupsOf, NO_UPDATE } from "./model/batch.ts";
import { type Sizes, trainedOf } from "./model/buffers.ts";
import { type Layout, takeFromEngine, toEngine } from "./model/layout.ts";
import { type Outline, REPORT_BYTES, STEPS_IN_FLIGHT } from "./model/outline.ts";
import type { MicrobatchPass } from "./model/passes.ts";
import type { StepPass } from "./model/step-passes.ts";
import { Steps, tuneInBackground } from "./tuning/background.ts";
import type { TuningStore } from "./tuning/record.ts";
import type { TuningReport } from "./tuning/tuner.ts";
import { workloadsOf } from "./tuning/workload.ts";
import { Turns } from "./turns.ts";
import { WebGpuMark } from "./webgpu-mark.ts";

/** Evaluation waits for the device after so many microbatches, so that a long one does not fill the queue. */
const EVALUATIONS_IN_FLIGHT = 4;

/** By pass; the mark's too, where it is kept. */
export type Plans = Readonly<Record<StepPass, Plan> & Record<string, Plan>>;
/** Of an engine that is not one of several. */
type MicrobatchPlans = Readonly<Record<MicrobatchPass, Plan>>;

/** One set of pipelines, and what they were compiled for. */
export interface Pipelines {
  readonly compiled: CompiledKernels;
  readonly variant: Variant;
  /** Another device like the one that they are for. */
  readonly open: () => Promise<OpenDevice>;
}

export class WebGpuEngine implements Engine {
  readonly adapter: AdapterDescription;
  readonly model: RankShape;
  readonly microbatch: number;
  readonly allocatedBytes: number;
  readonly bytesByPart: BytesByPart;
  readonly coldBytes: number;
  readonly recomputedLayers: number;
  readonly parameters: number;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly mark: WebGpuMark | undefined;
  /** Of an engine that is one of several. */
  readonly rank: Rank | Stage | undefined;
  readonly #device: GPUDevice;
  readonly #crossing: Crossing;
  readonly #layout: Layout;
  readonly #adapters: AdapterLayout | undefined;
  readonly #trained: ReturnType<typeof trainedOf>;
  readonly #sizes: Sizes;
  readonly #pieceFloats: number;
  readonly #readFloats: number;
  readonly #plans: Plans;
  readonly #cold: ColdMoments | undefined;
  readonly #whole: MicrobatchPlans | undefined;
  readonly #pipelines: Pipelines;
  readonly #turns = new Turns(STEPS_IN_FLIGHT);
  readonly #steps = new Steps();
  readonly #freeStaging: GPUBuffer[];
  #updates = 0; // since the moments were zeroed
  #tuning: Promise<TuningReport> | undefined;

  constructor(
    device: GPUDevice,
    adapter: AdapterDescription,
    model: RankShape,
    { layout, adapters, sizes, pieceFloats, readFloats, bytesByPart, totalBytes, coldBytes }: Outline,
    memory: Memory,
    plans: Plans,
    runs: MicrobatchPlans | ((crossing: Crossing) => Rank | Stage),
    pipelines: Pipelines,
    cold: ColdParts | undefined,
  ) {
    this.adapter = adapter;
    this.model = model;
    this.microbatch = sizes.B;
    this.allocatedBytes = totalBytes;
    this.bytesByPart = bytesByPart;
    this.coldBytes = coldBytes;
    this.recomputedLayers = sizes.recomputedLayers;
    this.parameters = layout.parameters;
    this.#device = device;
    this.#layout = layout;
    this.#adapters = adapters;
    this.#trained = trainedOf({ layout, adapters });
    this.#readFloats = readFloats;
    this.#sizes = sizes;
    this.#pieceFloats = pieceFloats;
    const crossing = new Crossing(device, memory, pieceFloats);
    this.#crossing = crossing;
    this.rank = runs instanceof Function ? runs(crossing) : undefined;
    this.#whole = runs instanceof Function ? undefined : runs;
    this.#plans = plans;
    this.#cold = cold && new ColdMoments(crossing, cold);
    this.#freeStaging = Array.from({ length: STEPS_IN_FLIGHT }, () => crossing.staging("report", REPORT_BYTES));
    this.#pipelines = pipelines;
    this.lost = crossing.lost;
    const [turns, uploadSlots] = [this.#turns, this.#crossingSlots];
    this.mark = sizes.keepsMark ? new WebGpuMark({ crossing, layout, sizes, plans, turns, uploadSlots }) : undefined;
    const { cosines, sines } = ropeTables(sizes.T, sizes.headSize, model.ropeTheta);
    crossing.write("cosines", cosines);
    crossing.write("sines", sines);
    crossing.write("scaling", packScaling(sizes.scaled ? LOSS_SCALE.start : 1));
  }

  load(parameters: Float32Array): void {
    const { parameters: length, buffer } = this.#trained;
    if (parameters.length !== length)
      throw new RangeError(
        `the ${this.#adapters ? "run" : "model"} has ${length} parameters, got ${parameters.length}`,
      );
    const own = toEngine(this.#trained, parameters);
    this.#inOrder(async () => {
      const uploading = this.#crossing.upload(buffer, own);
      if (uploading) await uploading;
      this.#plans.merge.replay();
    }, this.#crossingSlots);
  }

  loadBase(parameters: Float32Array): void {
    const adapters = this.#adapters;
    if (!adapters) throw new Error("this engine trains all of its parameters: it has no base");
    const { parameters: length } = this.#layout;
    if (parameters.length !== length)
      throw new RangeError(`the base has ${parameters.length} parameters, the model ${length}`);
    const parts = Array.from(baseParts(this.#layout, adapters), ({ from, length, ...place }) => ({
      ...place,
      values: parameters.subarray(from, from + length),
    }));
    this.#inOrder(async () => {
      await this.#crossing.uploadAll(parts);
      this.#plans.merge.replay();
    }, STEPS_IN_FLIGHT);
  }

  resetMoments(): void {
    this.#inOrder(() => {
      if (this.#cold) this.#cold.zero();
      else this.#crossing.clear("momentum", "variance");
      this.#device.queue.writeBuffer(this.#crossing.buffer("scaling"), SCALING_LAG_BYTE, new Uint32Array(1));
      this.#updates = 0;
    });
  }

  async step(microbatches: readonly Uint16Array[], options: StepOptions): Promise<StepReport> {
    const batches = this.#batches(microbatches);
    return this.#turns.take(async () => {
      this.#crossing.throwIfFailed();
      this.#updates++;
      const exchanging = this.#queueGradient(batches, options);
      if (exchanging) await exchanging;
      if (this.rank) await this.rank.norm();
      const [{ loss, gradNorm, skipped }] = await Promise.all([this.#report(this.#plans.update), this.#updateCold()]);
      this.#steps.count();
      if (skipped >= SKIPPED_MAX) throw new DivergedError(skipped);
      return { loss: await this.#lossOf(loss), gradNorm, skipped: skipped > 0 };
    }, this.#stepSlots);
  }

  async evaluate(windows: readonly Uint16Array[]): Promise<number> {
    const { B, T } = this.#sizes;
    const batches = groupsOf(windows, B, T).map(({ ids, rows }) => ({
      rows,
      batch: batchOf(ids, B, T, this.model.vocabSize),
    }));
    return this.#turns.takeAll(async () => {
      this.#crossing.throwIfFailed();
      this.#plans.weights.replay();
      for (const [i, { rows, batch }] of batches.entries()) {
        this.#crossing.write("step", packStep(NO_UPDATE, 1, rows, windows.length * T));
        await this.#run("evaluate", [batch]);
        if (i % EVALUATIONS_IN_FLIGHT === EVALUATIONS_IN_FLIGHT - 1) await this.#device.queue.onSubmittedWorkDone();
      }
      const { loss } = await this.#report(this.#plans.report);
      return this.#lossOf(loss);
    });
  }

  async read(): Promise<Float32Array> {
    return this.#turns.take(() => this.#readVector(this.#trained.buffer), this.#crossingSlots);
  }

  async conformance(): Promise<ConformanceReport> {
    const { checkConformance } = await import("./conformance/index.ts"); // the reference is large, and only asked once
    return this.#turns.takeAll(async () => {
      this.#crossing.throwIfFailed();
      const { compiled, variant } = this.#pipelines;
      try {
        return await checkConformance(this.#device, compiled, variant, this.adapter);
      } catch (cause) {
        await this.#crossing.throwLoss();
        throw new GpuError("The device could not run the conformance check.", { cause });
      }
    });
  }

  tune(store: TuningStore): Promise<TuningReport> {
    this.#tuning ??= tuneInBackground({
      ...{ store, adapter: this.adapter, device: this.#device, lost: this.lost, steps: this.#steps },
      ...this.#pipelines,
      plans: [...Object.values(this.#plans), ...Object.values(this.#alone)],
      workloads: workloadsOf(this.#alone.train.entries),
      alone: (work) =>
        this.#turns.takeAll(async () => {
          if (this.#crossing.hasFailed) throw new TuningOverError("the engine has ended");
          return work();
        }),
    });
    return this.#tuning;
  }

  async gradient(microbatches: readonly Uint16Array[]): Promise<Gradient> {
    const batches = this.#batches(microbatches);
    return this.#turns.takeAll(async () => {
      this.#crossing.throwIfFailed();
      await this.#queueGradient(batches, NO_UPDATE);
      const { loss, unscale } = await this.#report(this.#plans.report);
      const gradient = await this.#readVector("gradient");
      this.#crossing.clear("gradient");
      return { loss: await this.#lossOf(loss), gradient: gradient.map((g) => g * unscale) };
    });
  }

  /** Dispatches of one microbatch and of one update, for the bench. */
  get dispatches(): { readonly microbatch: number; readonly update: number } {
    const { weights, update } = this.#plans;
    return { microbatch: this.#alone.train.dispatches, update: weights.dispatches + update.dispatches };
  }

  /** One microbatch and one update, by kernel. Ruins gradient and parameters: for the bench's last act. */
  profile(repeats: number): Promise<Record<string, KernelProfile>> {
    return this.#turns.takeAll(async () => ({
      ...(await this.#plans.weights.profile(repeats)),
      ...(await this.#alone.train.profile(repeats)),
      ...(await this.#plans.update.profile(repeats)),
    }));
  }

  destroy(): void {
    this.#device.destroy(); // frees its buffers too; `lost` resolves with reason "destroyed"
    this.#cold?.close();
  }

  get #alone(): MicrobatchPlans {
    if (!this.#whole) throw new Error("this engine has a part of the model: what it runs, others run with it");
    return this.#whole;
  }

  #batches(microbatches: readonly Uint16Array[]): Batch[] {
    if (microbatches.length === 0) throw new RangeError("a step needs at least one microbatch");
    const { B, T } = this.#sizes;
    return microbatches.map((ids) => batchOf(ids, B, T, this.model.vocabSize));
  }

  #queueGradient(batches: readonly Batch[], options: StepOptions): Promise<void> | undefined {
    const { N } = this.#sizes;
    this.#plans.weights.replay();
    this.#crossing.write("step", packStep(options, Math.max(1, this.#updates), N, N * batches.length));
    return this.#run("train", batches);
  }

  /** Where moments are cold: behind the report, AdamW of one block after the other. */
  async #updateCold(): Promise<void> {
    if (!this.#cold) return;
    await this.#cold.update();
    this.#plans.merge.replay();
  }

  /** Of an island's part: the whole's. */
  #lossOf(own: number): number | Promise<number> {
    return this.rank ? this.rank.loss(own) : own;
  }

  /** All queued when it returns; an island's rank queues its last when the promise resolves. */
  #run(pass: "train" | "evaluate", batches: readonly Batch[]): Promise<void> | undefined {
    if (this.rank) return this.rank.run(pass, batches, (batch, suffix) => this.#writeBatch(batch, suffix));
    for (const batch of batches) {
      this.#writeBatch(batch, "");
      this.#alone[pass].replay();
    }
    return undefined;
  }

  #writeBatch({ ids, targets, occurrences }: Batch, suffix: string): void {
    this.#crossing.write(`ids${suffix}`, ids);
    this.#crossing.write(`targets${suffix}`, targets);
    this.#crossing.write(`occurrences${suffix}`, occurrences);
  }

  /** One at a time where they wait in between: for the others of an island, or for moments. */
  get #stepSlots(): number {
    return this.rank || this.#cold ? STEPS_IN_FLIGHT : 1;
  }

  /** Replays a plan that ends with a report, and reads that. `skipped` counts steps in a row, this one the last. */
  async #report(plan: Plan): Promise<{ loss: number; gradNorm: number; unscale: number; skipped: number }> {
    const staging = this.#freeStaging.pop();
    if (!staging) throw new Error("more steps in flight than staging buffers: Turns should not allow it");
    plan.replay((encoder) => encoder.copyBufferToBuffer(this.#crossing.buffer("report"), 0, staging, 0, REPORT_BYTES));
    const report = new Float32Array(REPORT_FLOATS);
    await this.#crossing.map(staging, (mapped) => report.set(new Float32Array(mapped)));
    this.#freeStaging.push(staging);
    const [loss, gradNorm, unscale, skipped] = report;
    return { loss, gradNorm, unscale, skipped };
  }

  /** A flat vector in the swarm's order. */
  async #readVector(name: string): Promise<Float32Array> {
    const { length, parameters } = this.#trained;
    const flat = new Float32Array(parameters);
    await this.#crossing.read(name, { offset: 0, length }, this.#readFloats, (piece, from) =>
      takeFromEngine(this.#trained, piece, from, flat),
    );
    return flat;
  }

  /** A vector of one piece crosses at once, and steps may follow; of several, all must have crossed before the next step. */
  get #crossingSlots(): number {
    return this.#pieceFloats >= this.#trained.length ? 1 : STEPS_IN_FLIGHT;
  }

  #inOrder(change: () => void | Promise<void>, slots = 1): void {
    void this.#turns.take(async () => {
      if (!this.#crossing.hasFailed) await change();
    }, slots);
  }
}
