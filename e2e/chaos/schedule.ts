// Who is struck, how, and for how long: all of it from one seed.
import { Random } from "../../packages/sim/random.ts";

export const faultKinds = ["kill", "freeze", "cut"] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault<T> {
  readonly kind: FaultKind;
  readonly victim: T;
  /** How long it stays so; a killed one is started again at once. */
  readonly lastsMs: number;
}

/** Fewer healthy browsers than this, and it is no swarm that could go on. */
export const HEALTHY_MIN = 2;
/** A hiccup, over which every connection lives on. */
const SHORT_MS = { min: 1_000, max: 5_000 };
/** A nap: the host gives a silent socket up after 10 s, peers a silent link after 8 s. */
const LONG_MS = { min: 11_000, max: 18_000 };

export class Schedule {
  readonly #random: Random;
  #bag: FaultKind[] = [];

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** Undefined when too few would be left. Each kind comes once in three. */
  next<T>(healthy: readonly T[]): Fault<T> | undefined {
    if (healthy.length <= HEALTHY_MIN) return undefined;
    if (this.#bag.length === 0) this.#bag = [...faultKinds];
    const kind = this.#bag.splice(this.#random.int(this.#bag.length), 1)[0];
    const victim = this.#random.pick(healthy);
    const { min, max } = this.#random.chance(0.5) ? SHORT_MS : LONG_MS;
    const lastsMs = kind === "kill" ? 0 : this.#random.between(min, max);
    return { kind, victim, lastsMs };
  }
}
