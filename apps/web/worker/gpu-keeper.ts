// Keeps an engine running: makes kernels and text ready side by side, and makes another engine when the device is lost.
import type { Engine } from "#engine";
import type { BlobHost } from "#mesh";
import type { RunSpec } from "#wire";
import type { BlobShelf } from "./blob-shelf.ts";
import type { Board } from "./board.ts";
import { type Dataset, loadDataset } from "./dataset.ts";
import { BlockedError, openEngine } from "./gpu.ts";
import { problems } from "./problems.ts";
import type { Trainer } from "./trainer.ts";

/** A second loss of the GPU within this is not an accident (a driver update, a laptop that slept): the person hears of it. */
const LOST_AGAIN_MS = 60_000;
/** The host may be away while shards are on the way. */
const RETRY_EVERY_MS = 1_000;

export interface GpuKeeperOptions {
  readonly spec: RunSpec;
  readonly trainer: Trainer;
  readonly shelf: BlobShelf;
  readonly host: { readonly blobs: BlobHost; readonly countDown: (bytes: number) => void };
  readonly board: Board;
  readonly now: () => number;
  /** The first engine, or another one, is at work. */
  readonly onReady: () => void;
  /** What was trained since the last anchor is gone; another engine is on the way. */
  readonly onLost: () => void;
  readonly onFailed: (error: unknown) => void;
}

export class GpuKeeper {
  readonly #options: GpuKeeperOptions;
  #engine: Engine | undefined;
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
    const { spec, shelf, host, board } = this.#options;
    board.set({ task: { what: "kernels", done: 0, total: null } });
    const total = spec.data.train.reduce((sum, { bytes }) => sum + bytes, 0);
    const sources = { shelf, host: host.blobs, onHostBytes: host.countDown };
    const onProgress = (done: number) => board.set({ task: { what: "data", done, total } });
    const loading = this.#untilLoaded(() => loadDataset(spec, sources, onProgress));
    loading.catch(() => {}); // when the engine fails first, that is the news
    const engine = await openEngine(spec);
    this.#use(engine, await loading);
  }

  async #untilLoaded(load: () => Promise<Dataset>): Promise<Dataset> {
    for (;;) {
      try {
        return await load();
      } catch (error) {
        const fromHost = error instanceof Error && error.name === "BlobHttpError";
        if (!fromHost) throw new BlockedError(problems.dataUnusable(error));
        if (this.#ended) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_EVERY_MS));
      }
    }
  }

  #use(engine: Engine, dataset: Dataset): void {
    if (this.#ended) return engine.destroy();
    const { trainer, board, onFailed, onReady } = this.#options;
    this.#engine = engine;
    trainer.use(engine, dataset);
    board.set({ adapter: engine.adapter, task: null });
    void engine.lost.then(({ reason, message }) => {
      if (this.#engine === engine) this.#replace(engine, dataset, message || reason).catch(onFailed);
    });
    onReady();
  }

  async #replace(lost: Engine, dataset: Dataset, reason: string): Promise<void> {
    const { spec, trainer, board, now, onLost } = this.#options;
    this.#engine = undefined;
    trainer.engineGone();
    lost.destroy();
    onLost();
    const again = now() - this.#lostAt < LOST_AGAIN_MS;
    this.#lostAt = now();
    if (again) throw new BlockedError(problems.deviceLost(reason));
    board.set({ task: { what: "kernels", done: 0, total: null } });
    this.#use(await openEngine(spec), dataset);
  }
}
