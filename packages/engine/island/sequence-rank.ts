// One rank that shares sequences with others (zig-zag.ts): all weights, its part of the positions, and its part of the update.
//
//   gradient   each rank's of its own rows  ->  rank r adds up part r of everybody's, in the order of ranks
//   update     rank r: AdamW of part r, whose moments it alone keeps (ZeRO-1)  ->  part r of the parameters to everybody
//
// So both cross once, as in an all-reduce of the gradient, moments take 1 / P of the memory, and all ranks have the same bits, whatever their devices are.

import { ColdMoments, type ColdStore, coldPartsOf, openCold } from "../cold-moments.ts";
import type { ConformanceReport } from "../conformance/index.ts";
import { openDevice } from "../device/adapter.ts";
import { Crossing, lostSoon } from "../device/crossing.ts";
import { type CompiledKernels, compileKernels, type Kernel, type Variant } from "../device/kernel.ts";
import { FLOPS_PER_SUBMIT, Plan } from "../device/plan.ts";
import { checked } from "../device/scopes.ts";
import { recorded, Segments } from "../device/segments.ts";
import type { AdapterDescription, EngineOptions, StepOptions, StepReport } from "../engine.ts";
import { DeviceLostError, ModelTooLargeError } from "../errors.ts";
import { packScaling, packStep, REPORT_FLOATS } from "../kernels/optimizer.ts";
import { ropeTables } from "../kernels/rope.ts";
import { type Batch, NO_UPDATE } from "../model/batch.ts";
import { updatedOf } from "../model/buffers.ts";
import { type Range, takeFromEngine, toEngine } from "../model/layout.ts";
import { MESSAGES_IN_FLIGHT, type Outline, outlineOf, REPORT_BYTES } from "../model/outline.ts";
import { ALL_KERNELS, type MicrobatchPass, microbatchPassesOf } from "../model/passes.ts";
import { messageElements, SEQUENCE_KERNELS } from "../model/sequence-passes.ts";
import { coldPassesOf, MOMENT_KERNELS, type StepPass, stepPassesOf } from "../model/step-passes.ts";
import { exchangeNumbers } from "./all-reduce.ts";
import type { ExchangeTotals, Lanes } from "./lanes.ts";
import { MessagesBetween } from "./messages-between.ts";
import { planSequence } from "./planner.ts";
import { type Lane, receiveBytes } from "./port.ts";
import { positionsOf, rowsOfRank } from "./zig-zag.ts";

/** Conversations over the island's port; 0 is the leader's word. */
const [KEYS, FLAT, NUMBERS] = [1, 2, 3];

interface Made {
  readonly device: GPUDevice;
  readonly description: AdapterDescription;
  readonly outline: Outline;
  readonly crossing: Crossing;
  readonly passes: Readonly<Record<StepPass | MicrobatchPass, Segments>>;
  readonly compiled: CompiledKernels;
  readonly variant: Variant;
  readonly cold: ColdMoments | undefined;
}

/** What this rank alone has found: sums over ranks are the caller's. */
export interface RankReport extends StepReport {
  readonly loss: number; // its rows' part of the mean over all tokens
}

export class SequenceRank {
  readonly adapter: AdapterDescription;
  readonly lost: Crossing["lost"];
  readonly #made: Made;
  readonly #flat: Lane;
  readonly #numbers: Lane;
  readonly #messages: MessagesBetween;
  readonly #report: GPUBuffer;
  #updates = 0; // since the moments were zeroed

  static async open(options: EngineOptions, lanes: Lanes): Promise<SequenceRank> {
    const { rank, ranks } = lanes.lane(KEYS);
    const { microbatch, moments = "f32" } = options;
    const model = { ...options.model, contextLength: rowsOfRank(options.model.contextLength, ranks) };
    const { device, description, quads, tiled } = await openDevice(options);
    let store: ColdStore | undefined;
    try {
      const sequence = { ranks, rank };
      const cold = options.cold !== undefined;
      const own = planSequence({ ...options, cold, limits: device.limits }, sequence);
      if (own.problem !== undefined) throw new ModelTooLargeError(own.problem);
      const bindingFloats = Math.floor(device.limits.maxStorageBufferBindingSize / 4);
      const cut = { microbatch, recomputedLayers: own.recomputedLayers, bindingFloats, moments, cold, sequence };
      const outline = outlineOf(model, cut);
      store = options.cold && (await openCold(options.cold, outline.coldBytes));
      const variant: Variant = { quads, tiled, half: false, headSize: outline.sizes.headSize };
      const kernels = [...ALL_KERNELS, ...MOMENT_KERNELS[moments], ...SEQUENCE_KERNELS];
      const [compiled, memory] = await Promise.all([
        compileKernels(device, kernels as readonly unknown[] as readonly Kernel[], variant),
        outline.memory.allocate(device),
      ]);
      const context = { model, ...outline, memory };
      const recorders = { ...stepPassesOf(context), ...microbatchPassesOf(context) };
      const flops = FLOPS_PER_SUBMIT[description.isFallback ? "software" : "hardware"];
      const made = await checked(device, "The engine's plan is invalid on this device", () => ({
        passes: recorded(recorders, () => new Segments(device, compiled, flops)),
        blocks: Object.values(recorded(coldPassesOf(context), () => new Plan(device, compiled, flops))),
      }));
      const crossing = new Crossing(device, memory, outline.pieceFloats);
      const rope = ropeTables(positionsOf(options.model.contextLength, ranks, rank), variant.headSize, model.ropeTheta);
      crossing.write("cosines", rope.cosines);
      crossing.write("sines", rope.sines);
      crossing.write("scaling", packScaling(1));
      const kept = store && new ColdMoments(crossing, coldPartsOf(context, store, made.blocks));
      return new SequenceRank(
        { device, description, outline, crossing, passes: made.passes, compiled, variant, cold: kept },
        lanes,
      );
    } catch (error) {
      store?.close();
      const lost = error instanceof ModelTooLargeError ? undefined : await lostSoon(device);
      if (lost) throw new DeviceLostError(lost.reason, lost.message);
      device.destroy();
      throw error;
    }
  }

  private constructor(made: Made, lanes: Lanes) {
    const { crossing, description, outline } = made;
    this.adapter = description;
    this.lost = crossing.lost;
    this.#made = made;
    this.#flat = lanes.lane(FLAT);
    this.#numbers = lanes.lane(NUMBERS);
    const bytes = 4 * messageElements(outline.sizes);
    this.#messages = new MessagesBetween(crossing, lanes.lane(KEYS), bytes, MESSAGES_IN_FLIGHT);
    this.#report = crossing.staging("report", REPORT_BYTES);
  }

  get rank(): number {
    return this.#flat.rank;
  }

  get ranks(): number {
    return this.#flat.ranks;
  }

  /** Of keys, values and their gradients. */
  get totals(): ExchangeTotals {
    return this.#messages.totals;
  }

  get outline(): Outline {
    return this.#made.outline;
  }

  /** @param parameters the model's, in the swarm's order */
  async load(parameters: Float32Array): Promise<void> {
    const { crossing, outline } = this.#made;
    await crossing.upload("parameters", toEngine(outline.layout, parameters));
  }

  resetMoments(): void {
    const { crossing, cold } = this.#made;
    if (cold) cold.zero();
    else crossing.clear("momentum", "variance");
    this.#updates = 0;
  }

  /** Its rows of each microbatch; every rank calls it, with its own. */
  async step(batches: readonly Batch[], options: StepOptions): Promise<RankReport> {
    this.#updates++;
    await this.#accumulate(batches, options);
    const { squares } = await this.#reduce();
    this.#made.crossing.write("squares", Float32Array.of(squares));
    const [report] = await Promise.all([this.#replayReport("update"), this.#made.cold?.update()]);
    const { crossing, device } = this.#made;
    crossing.clear("gradient");
    const updated = await this.#readPart("parameters", this.rank);
    await this.#gather(updated, (part, { offset }) => {
      device.queue.writeBuffer(crossing.buffer("parameters"), 4 * offset, part);
    });
    return report;
  }

  /** Everybody's gradient, as the mean over all tokens, in the swarm's order. Every rank calls it, with its own rows. */
  async gradient(batches: readonly Batch[]): Promise<{ readonly loss: number; readonly gradient: Float32Array }> {
    await this.#accumulate(batches, NO_UPDATE);
    const { part } = await this.#reduce();
    const { loss, unscale } = await this.#replayReport("report");
    this.#made.crossing.clear("gradient");
    const { layout } = this.#made.outline;
    const gradient = new Float32Array(layout.parameters);
    const mean = part.map((g) => g * unscale);
    await this.#gather(mean, (given, { offset }) => takeFromEngine(layout, given, offset, gradient));
    return { loss, gradient };
  }

  /** Its part of the mean loss over so many tokens in all; of each batch only the first `rows` count. Every rank calls it, with its own rows. */
  async evaluate(
    batches: readonly { readonly rows: number; readonly batch: Batch }[],
    tokens: number,
  ): Promise<number> {
    const { crossing, passes } = this.#made;
    for (const { rows, batch } of batches) {
      this.#write(batch);
      crossing.write("step", packStep(NO_UPDATE, 1, rows, tokens));
      await this.#run(passes.evaluate);
    }
    const { loss } = await this.#replayReport("report");
    return loss;
  }

  /** In the swarm's order. */
  async read(): Promise<Float32Array> {
    const { layout } = this.#made.outline;
    const flat = new Float32Array(layout.parameters);
    await this.#read("parameters", { offset: 0, length: layout.length }, (piece, from) =>
      takeFromEngine(layout, piece, from, flat),
    );
    return flat;
  }

  async conformance(): Promise<ConformanceReport> {
    const { checkConformance } = await import("../conformance/index.ts"); // the reference is large, and only asked once
    const { device, compiled, variant } = this.#made;
    return checkConformance(device, compiled, variant, this.adapter);
  }

  destroy(): void {
    this.#made.device.destroy();
    this.#made.cold?.close();
  }

  /** Everybody's number, added up in the order of ranks. */
  async sum(own: number): Promise<number> {
    const all = await exchangeNumbers(this.#numbers, [own]);
    return all.reduce((sum, [number]) => sum + number, 0);
  }

  get hasFailed(): boolean {
    return this.#made.crossing.hasFailed;
  }

  throwIfFailed(): void {
    this.#made.crossing.throwIfFailed();
  }

  throwLoss(): Promise<void> {
    return this.#made.crossing.throwLoss();
  }

  /** Its own rows' gradient, as a sum over tokens. */
  async #accumulate(batches: readonly Batch[], options: StepOptions): Promise<void> {
    const { crossing, passes, outline } = this.#made;
    const { N } = outline.sizes;
    const tokens = N * this.#flat.ranks * batches.length;
    crossing.write("step", packStep(options, Math.max(1, this.#updates), N, tokens));
    for (const batch of batches) {
      this.#write(batch);
      await this.#run(passes.train);
    }
  }

  #write({ ids, targets, occurrences }: Batch): void {
    const { crossing } = this.#made;
    crossing.write("ids", ids);
    crossing.write("targets", targets);
    crossing.write("occurrences", occurrences);
  }

  async #run({ all }: Segments): Promise<void> {
    for (const { plan, point } of all) {
      plan.replay();
      if (point === undefined) continue;
      if ("send" in point) await this.#messages.send(point);
      else if ("receive" in point) await this.#messages.receive(point);
      else throw new Error("ranks that share sequences sum nothing within a pass");
    }
    await this.#messages.sent();
  }

  /** Part `updated` of everybody's gradients added up, here and on the device; and the square of the whole sum's norm. */
  async #reduce(): Promise<{ readonly part: Float32Array<ArrayBuffer>; readonly squares: number }> {
    const { ranks, rank } = this.#flat;
    const parts = new Map<number, Float32Array>();
    for (let to = 0; to < ranks; to++) {
      const own = await this.#readPart("gradient", to);
      if (to === rank) parts.set(rank, own);
      else this.#flat.send(to, new Uint8Array(own.buffer));
    }
    const part = new Float32Array(this.#part(rank).length);
    for (let from = 0; from < ranks; from++) {
      const given = parts.get(from) ?? (await this.#receivePart(from, rank));
      for (let i = 0; i < part.length; i++) part[i] += given[i];
    }
    const { crossing, device } = this.#made;
    device.queue.writeBuffer(crossing.buffer("gradient"), 4 * this.#part(rank).offset, part);
    const squares = part.reduce((sum, g) => sum + g * g, 0);
    return { part, squares: await this.sum(squares) };
  }

  /** Everybody's parts of a flat vector, given ours. */
  async #gather(
    own: Float32Array<ArrayBuffer>,
    take: (part: Float32Array<ArrayBuffer>, at: Range) => void,
  ): Promise<void> {
    const { ranks, rank } = this.#flat;
    for (let to = 0; to < ranks; to++) if (to !== rank) this.#flat.send(to, new Uint8Array(own.buffer.slice(0)));
    for (let from = 0; from < ranks; from++)
      take(from === rank ? own : await this.#receivePart(from, from), this.#part(from));
  }

  /** The floats of a flat vector that a rank updates. */
  #part(rank: number): Range {
    const { layout, sizes } = this.#made.outline;
    return updatedOf(layout.length, { ...sizes, sequence: { ranks: this.#flat.ranks, rank } });
  }

  async #readPart(name: string, rank: number): Promise<Float32Array<ArrayBuffer>> {
    const range = this.#part(rank);
    const part = new Float32Array(range.length);
    await this.#read(name, range, (piece, from) => part.set(piece, from - range.offset));
    return part;
  }

  async #receivePart(from: number, of: number): Promise<Float32Array<ArrayBuffer>> {
    const { length } = this.#part(of);
    const bytes = await receiveBytes(this.#flat, from, 4 * length);
    return new Float32Array(bytes.slice().buffer);
  }

  #read(name: string, range: Range, take: (piece: Float32Array, from: number) => void): Promise<void> {
    const { crossing, outline } = this.#made;
    return crossing.read(name, range, outline.readFloats, take);
  }

  async #replayReport(pass: "update" | "report"): Promise<RankReport & { readonly unscale: number }> {
    const { crossing, device, passes } = this.#made;
    await this.#run(passes[pass]);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(crossing.buffer("report"), 0, this.#report, 0, REPORT_BYTES);
    device.queue.submit([encoder.finish()]);
    const report = new Float32Array(REPORT_FLOATS);
    await crossing.map(this.#report, (mapped) => report.set(new Float32Array(mapped, 0, REPORT_FLOATS)));
    const [loss, gradNorm, unscale, skipped] = report;
    return { loss, gradNorm, unscale, skipped: skipped > 0 };
  }
}
