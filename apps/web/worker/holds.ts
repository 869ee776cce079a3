// Stops a peer in a chosen phase, so that tests can kill it exactly there, or spoils what it sends. In other builds nothing of this ever happens.
import { UPDATE_HEADER_BYTES } from "#outer";
import type { HoldPhase } from "./api.ts";

interface Hold {
  readonly released: Promise<void>;
  readonly release: () => void;
}

export class Holds {
  readonly #holdByPhase = new Map<HoldPhase, Hold>();
  readonly #waiting = new Set<HoldPhase>();
  readonly #watchers = new Map<HoldPhase, (() => void)[]>();
  #spoiling = false;

  hold(phase: HoldPhase): void {
    if (this.#holdByPhase.has(phase)) return;
    let release!: () => void;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#holdByPhase.set(phase, { released, release });
  }

  release(phase: HoldPhase): void {
    this.#holdByPhase.get(phase)?.release();
    this.#holdByPhase.delete(phase);
    this.#waiting.delete(phase);
  }

  reached(phase: HoldPhase): Promise<void> {
    if (this.#waiting.has(phase)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#watchers.set(phase, [...(this.#watchers.get(phase) ?? []), resolve]);
    });
  }

  spoilUpdates(): void {
    this.#spoiling = true;
  }

  /** The update, or one of the same size whose first scale is NaN. */
  spoiled(update: Uint8Array): Uint8Array {
    if (!this.#spoiling) return update;
    const spoiled = update.slice();
    new DataView(spoiled.buffer).setFloat32(UPDATE_HEADER_BYTES, Number.NaN, true);
    return spoiled;
  }

  /** Undefined when nothing holds this phase: then the caller goes on in the same turn. */
  pass(phase: HoldPhase): Promise<void> | undefined {
    const hold = this.#holdByPhase.get(phase);
    if (!hold) return undefined;
    this.#waiting.add(phase);
    for (const tell of this.#watchers.get(phase) ?? []) tell();
    this.#watchers.delete(phase);
    return hold.released;
  }
}
