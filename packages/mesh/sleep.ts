// Notices that this machine slept: a closed lid, a frozen tab. However long it was, it is one event. [R45]
//
//   tick(), as often as TICK_MS -> ms that nobody lived through, or 0
//
// The monotonic clock stands still while some systems sleep, and runs on in others; the wall clock tells of both. A wall clock that is
// merely set looks like a sleep too: then the page looks after its connections once for nothing.

/** Hidden pages get a timer a second, and garbage collection or a shader's compilation take less than this too. */
const SLEPT_MS = 4_000;

export class SleepWatch {
  readonly #clocks: readonly (() => number)[];
  #readings: number[];

  /** @param clocks in ms: monotonic, wall */
  constructor(...clocks: readonly (() => number)[]) {
    this.#clocks = clocks;
    this.#readings = clocks.map((read) => read());
  }

  tick(): number {
    const readings = this.#clocks.map((read) => read());
    const passed = Math.max(...readings.map((reading, i) => reading - this.#readings[i]));
    this.#readings = readings;
    return passed >= SLEPT_MS ? passed : 0;
  }
}
