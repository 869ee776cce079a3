// Keeps an engine running: makes kernels and text ready side by side, and makes another engine when the device is lost.
import { COLD_LOST, DeviceLostError, type Engine } from "#engine";
import type { BlobShelf } from "./blob-shelf.ts";
import type { Board } from "./board.ts";
import { type Dataset, type DatasetSources, loadDataset } from "./dataset.ts";
import { type Before, BlockedError, type EngineWish, openEngine } from "./gpu.ts";
import { problems } from "./problems.ts";
import type { Trainer } from "./trainer.ts";

/** A second loss of the GPU within this is not an accident (a driver update, a laptop that slept): the person hears of it. */
export const LOST_AGAIN_MS = 60_000;

/** Why an engine is lost whose other members are: tabs come and go, so it may be again, as often as it will. */
const ISLAND = "island";

export interface GpuKeeperOptions extends Omit<EngineWish, "before"> {
  readonly trainer: Trainer;
  readonly shelf: BlobShelf;
  readonly fetch: DatasetSources["fetch"];
  /** What stays beside adapters, where the run trains those. */
  readonly base?: ((onProgress: (bytes: number) => void) => Promise<Float32Array>) | undefined;
  readonly board: Board;
  readonly now: () => number;
  /** Default: openEngine. */
  readonly open?: typeof openEngine;
  /** The engine is an island's: others hold parts of it, and no smaller microbatch is worth losing them. */
  readonly isIsland?: () => boolean;
  /** It seeks an island or has one: what it waits for is shown as that. */
  readonly hasCompany?: () => boolean;
  /** The first engine, or another one, is at work. */
  readonly onReady: () => void;
  /** What was trained since the last anchor is gone; another engine is on the way. */
  readonly onLost: (what: "its GPU" | "its island" | "its place on disk") => void;
  readonly onFailed: (error: unknown) => void;
}

export class GpuKeeper {
  readonly #options: GpuKeeperOptions;
  #engine: Engine | undefined;
  #dataset: Dataset | undefined;
  #before: Before | undefined;
  #lostAt = Number.NEGATIVE_INFINITY;
  #ended = false;

  constructor(options: GpuKeeperOptions) {
    this.#options = options;
    this.#prepare().catch(options.onFailed);
  }

  get isReady(): boolean {
    return this.#engine !== undefined;
  }

  end(): void {
    this.#ended = true;
    this.#engine?.destroy();
    this.#engine = undefined;
  }

  async #prepare(): Promise<void> {
    const { spec, shelf, fetch, board } = this.#options;
    const all = [
      ...(spec.data.mixedShards === undefined ? spec.data.train : []),
      ...(this.#options.base && spec.base ? spec.base.blobs : []),
    ];
    const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
    const here = { text: 0, base: 0 };
    const progressOf = (part: keyof typeof here) => (bytes: number) => {
      here[part] = bytes;
      if (this.#options.hasCompany?.()) return;
      board.set({ task: { what: this.#options.base ? "weights" : "data", done: here.text + here.base, total } });
    };
    const basing = this.#options.base?.(progressOf("base"));
    basing?.catch(() => {}); // when the engine fails first, that is the news
    const onProgress = progressOf("text");
    const opening = this.#open(undefined, basing);
    const failed = (error: unknown): Error =>
      this.#ended ? (error as Error) : new BlockedError(problems.dataUnusable(error));
    const loading = loadDataset(spec, { shelf, fetch }, onProgress, failed);
    loading.catch(() => {}); // when the engine fails first, that is the news
    const engine = await opening;
    this.#use(engine, await loading);
  }

  /** For a device that does not keep up with B sequences at once. The caller has read what it needs of the old engine. */
  async reopen(microbatch: number): Promise<Engine | undefined> {
    const [old, dataset] = [this.#engine, this.#dataset];
    if (!old || !dataset || this.#options.isIsland?.()) return undefined;
    this.#engine = undefined;
    old.destroy(); // first: both at once may be more than its memory
    const engine = await this.#open({ microbatchMax: microbatch, keepsMark: old.mark !== undefined });
    if (this.#ended) {
      engine.destroy();
      return undefined;
    }
    this.#keep(engine);
    this.#options.onReady(); // the person may have paused and resumed meanwhile
    return engine;
  }

  #use(engine: Engine, dataset: Dataset): void {
    if (this.#ended) return engine.destroy();
    this.#dataset = dataset;
    this.#options.trainer.use(engine, dataset);
    this.#keep(engine);
    this.#options.onReady();
  }

  #keep(engine: Engine): void {
    const { board, onFailed } = this.#options;
    this.#engine = engine;
    this.#before = { microbatchMax: engine.microbatch, keepsMark: engine.mark !== undefined };
    board.set({ adapter: engine.adapter, task: null });
    if (engine.coldBytes) board.notice(problems.momentsOnDisk(engine.coldBytes));
    else board.clear("moments-on-disk");
    void engine.lost.then((lost) => {
      if (this.#engine === engine) this.#replace(engine, lost).catch(onFailed);
    });
  }

  /** A device that is lost before its engine stands is told nowhere else. */
  async #open(before?: Before, basing?: Promise<Float32Array>): Promise<Engine> {
    const { board, base, open = openEngine } = this.#options;
    board.set({ task: { what: "kernels", done: 0, total: null } });
    try {
      const engine = await open({ ...this.#options, before });
      if (base) await this.#loadBase(engine, basing ?? base(() => {}));
      return engine;
    } catch (error) {
      throw error instanceof DeviceLostError ? new BlockedError(problems.deviceLost(error.message)) : error;
    }
  }

  /** Not kept in this thread's memory: the browser's store has it for the next engine. */
  async #loadBase(engine: Engine, basing: Promise<Float32Array>): Promise<void> {
    try {
      engine.loadBase?.(await basing);
    } catch (error) {
      engine.destroy();
      throw error;
    }
  }

  async #replace(lost: Engine, { reason, message }: Awaited<Engine["lost"]>): Promise<void> {
    const { trainer, now, onLost } = this.#options;
    this.#engine = undefined;
    trainer.engineGone();
    lost.destroy();
    if (reason === ISLAND) onLost("its island");
    else if (reason === COLD_LOST)
      onLost("its place on disk"); // which is not tried again: wish.cold
    else {
      onLost("its GPU");
      const again = now() - this.#lostAt < LOST_AGAIN_MS;
      this.#lostAt = now();
      if (again) throw new BlockedError(problems.deviceLost(message || reason));
    }
    const engine = await this.#open(this.#before);
    if (this.#dataset) this.#use(engine, this.#dataset);
  }
}
