// Bytes of this local day, by all tabs of this browser: what the daily cap counts.
//
//   take(bytes that this stretch of donating has moved in all) -> bytesToday        kept every few seconds, so a reload does not forget it
import type { Settings } from "#store";

const KEY = "bytes of the day";
/** What a crash may forget; at 100 Mbit/s that is 25 MB. */
const STORE_EVERY_MS = 2_000;

interface Stored {
  readonly day: string;
  readonly bytes: number;
}

const isStored = (value: unknown): value is Stored => {
  const { day, bytes } = (value ?? {}) as Partial<Stored>;
  return typeof day === "string" && typeof bytes === "number" && Number.isFinite(bytes) && bytes >= 0;
};

/** "2026-11-22", local. */
export const dayOf = (date: Date): string =>
  [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");

export interface DailyUseOptions {
  readonly settings: Settings;
  readonly day: () => string;
  readonly now: () => number; // monotonic, ms
}

export class DailyUse {
  readonly #options: DailyUseOptions;
  #day = "";
  #stored = 0; //   of all tabs, as last read
  #unstored = 0; // of this one since
  #seen = 0; //     of this stretch of donating
  #storedAt = Number.NEGATIVE_INFINITY;
  #storing: Promise<void> = Promise.resolve();

  constructor(options: DailyUseOptions) {
    this.#options = options;
  }

  get bytesToday(): number {
    return this.#options.day() === this.#day ? this.#stored + this.#unstored : 0;
  }

  /** What earlier visits and other tabs moved. A store that fails forgets, and stops nobody. */
  load(): Promise<void> {
    return this.#store();
  }

  /** Another stretch begins: its totals start from zero. */
  began(): void {
    this.#seen = 0;
  }

  take(totalBytes: number): void {
    const { day, now } = this.#options;
    if (day() !== this.#day) {
      this.#day = day();
      this.#stored = 0;
      this.#unstored = 0;
    }
    this.#unstored += Math.max(0, totalBytes - this.#seen);
    this.#seen = totalBytes;
    if (now() - this.#storedAt < STORE_EVERY_MS) return;
    this.#storedAt = now();
    void this.#store();
  }

  #store(): Promise<void> {
    this.#storing = this.#storing.then(() => this.#exchange()).catch(() => {});
    return this.#storing;
  }

  /** Adds what is not stored yet to what all tabs have stored, in one transaction. */
  async #exchange(): Promise<void> {
    const { settings, day } = this.#options;
    const today = day();
    const own = this.#day === today ? this.#unstored : 0;
    const stored = (await settings.update(KEY, (value) => {
      const before = isStored(value) && value.day === today ? value.bytes : 0;
      return { day: today, bytes: before + own } satisfies Stored;
    })) as Stored;
    if (day() !== today) return;
    this.#unstored = this.#day === today ? this.#unstored - own : 0;
    this.#day = today;
    this.#stored = stored.bytes;
  }
}
