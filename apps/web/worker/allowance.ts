// Whether this machine may train now: the person's settings, what the window sees, the clock and the bytes of today, decided again
// whenever one of them changes and once a second.
//
//   allow, observe, pausedByHand, tick -> decide() -> onChange(decision), only when it is another one
import { type Conditions, type Decision, decide } from "../controls/decide.ts";
import type { Controls } from "../controls/settings.ts";
import type { Observed } from "../window/conditions.ts";

export interface AllowanceOptions {
  readonly minuteOfDay: () => number; // local
  readonly bytesToday: () => number;
  readonly onChange: (decision: Decision) => void;
}

export class Allowance {
  readonly #options: AllowanceOptions;
  #controls: Controls;
  #observed: Observed;
  #pausedByHand = false;
  #decision: Decision;

  constructor(controls: Controls, observed: Observed, options: AllowanceOptions) {
    this.#options = options;
    this.#controls = controls;
    this.#observed = observed;
    this.#decision = decide(controls, this.#conditions());
  }

  get decision(): Decision {
    return this.#decision;
  }

  get controls(): Controls {
    return this.#controls;
  }

  allow(controls: Controls): void {
    this.#controls = controls;
    this.tick();
  }

  observe(observed: Observed): void {
    this.#observed = observed;
    this.tick();
  }

  pauseByHand(paused: boolean): void {
    this.#pausedByHand = paused;
    this.tick();
  }

  tick(): void {
    const decision = decide(this.#controls, this.#conditions());
    if (JSON.stringify(decision) === JSON.stringify(this.#decision)) return;
    this.#decision = decision;
    this.#options.onChange(decision);
  }

  #conditions(): Conditions {
    const { minuteOfDay, bytesToday } = this.#options;
    return {
      ...this.#observed,
      pausedByHand: this.#pausedByHand,
      minuteOfDay: minuteOfDay(),
      bytesToday: bytesToday(),
    };
  }
}
