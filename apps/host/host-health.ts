// How the host's process and disk are, looked at no more often than somebody can use it.
import { monitorEventLoopDelay } from "node:perf_hooks";

/** The event loop is looked at so often. */
const LOOP_RESOLUTION_MS = 20;
/** Delays older than this are forgotten: of several that ask, all are told of the same seconds. */
const LOOP_WINDOW_MS = 2_000;
/** Asking the disk takes a system call; its answer changes slowly. */
const DISK_EVERY_MS = 10_000;

export interface Health {
  readonly startedAt: number; //              wall clock, ms since 1970
  readonly memoryBytes: number;
  /** How late the event loop's timers were, 99th percentile over the last seconds. */
  readonly loopDelayMs: number;
  readonly diskFreeBytes: number | null; //   null: not known
}

export class HostHealth {
  readonly #freeBytes: () => Promise<number>;
  readonly #startedAt = Date.now();
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  #loopDelayMs = 0;
  #loopAt = performance.now();
  #diskFreeBytes: number | null = null;
  #diskAt = Number.NEGATIVE_INFINITY;

  constructor(freeBytes: () => Promise<number>) {
    this.#freeBytes = freeBytes;
    this.#loop.enable();
  }

  look(): Health {
    const at = performance.now();
    const late = this.#loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS; // the timer's own period is no delay
    if (Number.isFinite(late)) this.#loopDelayMs = Math.max(0, late);
    if (at - this.#loopAt > LOOP_WINDOW_MS) {
      this.#loopAt = at;
      this.#loop.reset();
    }
    if (at - this.#diskAt > DISK_EVERY_MS) {
      this.#diskAt = at;
      this.#freeBytes().then(
        (bytes) => {
          this.#diskFreeBytes = bytes;
        },
        () => {}, // not known then
      );
    }
    return {
      startedAt: this.#startedAt,
      memoryBytes: process.memoryUsage.rss(),
      loopDelayMs: this.#loopDelayMs,
      diskFreeBytes: this.#diskFreeBytes,
    };
  }

  close(): void {
    this.#loop.disable();
  }
}
