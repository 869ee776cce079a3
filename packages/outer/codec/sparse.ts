// Values at places, 0 everywhere else: what sparse codecs decode to.
import { assert } from "../assert.ts";
import type { Decoded } from "./codec.ts";

export class Sparse implements Decoded {
  readonly #places: Uint32Array; // ascending
  readonly #values: Float32Array;
  readonly #length: number;
  readonly #norm: number;

  /** @param places ascending */
  constructor(places: Uint32Array, values: Float32Array, length: number, norm: number) {
    this.#places = places;
    this.#values = values;
    this.#length = length;
    this.#norm = norm;
  }

  norm(): number {
    return this.#norm;
  }

  addTo(accumulator: Float32Array, weight: number, start: number, end: number): void {
    assert(start >= 0 && end <= this.#length && accumulator.length >= end - start, "the range lies in both");
    const w = Math.fround(weight);
    for (let n = firstAtLeast(this.#places, start); n < this.#places.length && this.#places[n] < end; n++) {
      const i = this.#places[n] - start;
      accumulator[i] = Math.fround(accumulator[i] + Math.fround(w * this.#values[n]));
    }
  }
}

/** The first place in an ascending list that is not below `place`. */
function firstAtLeast(places: Uint32Array, place: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle] < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
