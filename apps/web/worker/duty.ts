// The part of the time in which the device trains: after each step it rests, so that step / (step + rest) is what the person allows.
//
//   worked(stepMs) -> rest() before the next step: resolves when the rest is over, when the person allows more, or at wake()
//
// Whatever else passes between two steps (exchange, fold, waiting for the others) is rest as well.
import { DUTY_MIN } from "../controls/settings.ts";

/** A step that hung for minutes must not be followed by hours of rest. */
const REST_MAX_MS = 30_000;

export interface DutyOptions {
  readonly now: () => number;
  /** Returns what cancels it. */
  readonly after: (ms: number, run: () => void) => () => void;
}

export class Duty {
  readonly #options: DutyOptions;
  #share = 1;
  #endedAt = Number.NEGATIVE_INFINITY;
  #stepMs = 0;
  #wake: (() => void) | undefined;

  constructor(options: DutyOptions) {
    this.#options = options;
  }

  /** Between DUTY_MIN and 1. */
  get share(): number {
    return this.#share;
  }

  set share(share: number) {
    this.#share = Math.min(1, Math.max(DUTY_MIN, share));
    this.wake(); // a rest goes on with its new end
  }

  /** A step ended just now, after so long at work. */
  worked(stepMs: number): void {
    this.#stepMs = stepMs;
    this.#endedAt = this.#options.now();
  }

  async rest(stopped: () => boolean): Promise<void> {
    for (;;) {
      const restMs = Math.min(REST_MAX_MS, this.#stepMs * (1 / this.#share - 1));
      const leftMs = this.#endedAt + restMs - this.#options.now();
      if (leftMs <= 0 || stopped()) return;
      await new Promise<void>((resolve) => {
        const cancel = this.#options.after(leftMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  /** Whoever rests looks again whether it may go on. */
  wake(): void {
    this.#wake?.();
  }
}
