// An engine whose sequences lie on several devices. Each rank has one; all of them are called alike, with whole microbatches, and answer alike.
//
//   microbatch (B, T + 1) -> the rows of our positions (B, T / P) -> SequenceRank -> our part of the loss -> everybody's, added up in the order of ranks
import type { ConformanceReport } from "../conformance/index.ts";
import type { AdapterDescription, Engine, EngineOptions, Gradient, StepOptions, StepReport } from "../engine.ts";
import { GpuError } from "../errors.ts";
import { groupOccurrences } from "../kernels/embedding.ts";
import { type Batch, batchOf, groupsOf } from "../model/batch.ts";
import { Turns } from "../turns.ts";
import type { Lanes } from "./lanes.ts";
import { SequenceRank } from "./sequence-rank.ts";
import { positionsOf } from "./zig-zag.ts";

/**
 * @param options of the whole model, the same at all ranks but for adapter and memoryBytes; recomputedLayers too, since what is computed again is exchanged again
 * Rejects as createEngine() does, with RangeError where the context cannot be cut among so many, and with IslandLostError; so do its calls.
 */
export async function createSequenceEngine(options: EngineOptions, lanes: Lanes): Promise<SequenceEngine> {
  return new SequenceEngine(options, await SequenceRank.open(options, lanes));
}

export class SequenceEngine implements Engine {
  readonly adapter: AdapterDescription;
  readonly model: EngineOptions["model"];
  readonly microbatch: number;
  readonly allocatedBytes: number;
  readonly coldBytes: number;
  readonly recomputedLayers: number;
  readonly lost: SequenceRank["lost"];
  readonly rank: SequenceRank;
  readonly #positions: readonly number[];
  readonly #turns = new Turns(1); // what ranks say to each other is in the order of the calls

  constructor({ model, microbatch }: EngineOptions, rank: SequenceRank) {
    this.model = model;
    this.microbatch = microbatch;
    this.adapter = rank.adapter;
    this.allocatedBytes = rank.outline.totalBytes;
    this.coldBytes = rank.outline.coldBytes;
    this.recomputedLayers = rank.outline.sizes.recomputedLayers;
    this.lost = rank.lost;
    this.rank = rank;
    this.#positions = positionsOf(model.contextLength, rank.ranks, rank.rank);
  }

  load(parameters: Float32Array): void {
    const { parameters: length } = this.rank.outline.layout;
    if (parameters.length !== length)
      throw new RangeError(`the model has ${length} parameters, got ${parameters.length}`);
    const own = parameters.slice();
    this.#inOrder(() => this.rank.load(own));
  }

  resetMoments(): void {
    this.#inOrder(() => this.rank.resetMoments());
  }

  async step(microbatches: readonly Uint16Array[], options: StepOptions): Promise<StepReport> {
    const batches = this.#batches(microbatches);
    return this.#turns.take(async () => {
      const { loss, gradNorm, skipped } = await this.rank.step(batches, options);
      return { loss: await this.rank.sum(loss), gradNorm, skipped };
    });
  }

  async gradient(microbatches: readonly Uint16Array[]): Promise<Gradient> {
    const batches = this.#batches(microbatches);
    return this.#turns.take(async () => {
      const { loss, gradient } = await this.rank.gradient(batches);
      return { loss: await this.rank.sum(loss), gradient };
    });
  }

  async evaluate(windows: readonly Uint16Array[]): Promise<number> {
    const { contextLength: T } = this.model;
    const groups = groupsOf(windows, this.microbatch, T).map(({ ids, rows }) => ({
      rows: (rows / T) * this.#positions.length,
      batch: this.#rowsOf(ids),
    }));
    return this.#turns.take(async () => this.rank.sum(await this.rank.evaluate(groups, windows.length * T)));
  }

  read(): Promise<Float32Array> {
    return this.#turns.take(() => this.rank.read());
  }

  conformance(): Promise<ConformanceReport> {
    return this.#turns.take(async () => {
      this.rank.throwIfFailed();
      try {
        return await this.rank.conformance();
      } catch (cause) {
        await this.rank.throwLoss();
        throw new GpuError("The device could not run the conformance check.", { cause });
      }
    });
  }

  destroy(): void {
    this.rank.destroy();
  }

  #batches(microbatches: readonly Uint16Array[]): Batch[] {
    if (microbatches.length === 0) throw new RangeError("a step needs at least one microbatch");
    return microbatches.map((ids) => this.#rowsOf(ids));
  }

  /** The rows of our positions. Throws RangeError on a wrong length or id. */
  #rowsOf(windows: Uint16Array): Batch {
    const { contextLength: T, vocabSize } = this.model;
    const whole = batchOf(windows, this.microbatch, T, vocabSize);
    const rows = this.#positions.length;
    const own = (from: Uint32Array): Uint32Array<ArrayBuffer> =>
      Uint32Array.from(
        { length: this.microbatch * rows },
        (_, i) => from[Math.floor(i / rows) * T + this.#positions[i % rows]],
      );
    const ids = own(whole.ids);
    return { ids, targets: own(whole.targets), occurrences: groupOccurrences(ids, vocabSize) };
  }

  #inOrder(change: () => void | Promise<void>): void {
    void this.#turns.take(async () => {
      if (!this.rank.hasFailed) await change();
    });
  }
}
