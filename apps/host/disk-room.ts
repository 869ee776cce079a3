// Whether the disk has room for what peers upload. The log's own room is kept: a host that cannot write its log stops.
import type { Report } from "./report.ts";

/** Enough for the log of many days. */
export const FREE_BYTES_MIN = 256 * 2 ** 20;
/** The operator hears of it again after so long. */
const TELL_EVERY_MS = 10 * 60_000;

export interface DiskRoomOptions {
  readonly freeBytes: () => Promise<number>;
  readonly now: () => number; // monotonic, ms
  readonly report: Report;
}

export class DiskRoom {
  readonly #options: DiskRoomOptions;
  #toldAt: number | undefined; // undefined: there was room

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  /** Peers keep an update that was refused, and try again: with room the run goes on by itself. */
  async isThere(): Promise<boolean> {
    const { freeBytes, now, report } = this.#options;
    const there = (await freeBytes()) >= FREE_BYTES_MIN;
    if (there && this.#toldAt !== undefined) {
      this.#toldAt = undefined;
      report("There is room on the disk again: updates are taken.");
    } else if (!there && (this.#toldAt === undefined || now() - this.#toldAt >= TELL_EVERY_MS)) {
      this.#toldAt = now();
      report(
        `Less than ${FREE_BYTES_MIN / 2 ** 20} MiB are free on the data directory's disk: updates are refused, and the run stands still. Make room; it goes on by itself.`,
        "warn",
      );
    }
    return there;
  }
}
