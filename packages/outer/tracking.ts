// Gradient tracking (DSGT: Pu and Nedić, 2018, arXiv:1805.11454), in pairs: peers with parameters of their own descend along an estimate of everybody's
// gradient, so that peers whose data differ arrive where the mean of their losses is least, and not where gossip and drift balance.
//
//   y_i  = ȳ_i + g_i(x_i) − g_i before         at first, and when who takes part has changed: y_i = g_i(x_i)
//   sent = (x_i − η y_i, y_i)                  2 P values
//   x_i' = mean of the pair's first halves     ȳ_i' = mean of their second halves
//
// Invariant: the sum of all y_i is the sum of all g_i. A peer that comes or goes breaks it, hence the new beginning.
import { assert } from "./assert.ts";

export class Tracker {
  /** x_i: where the next gradient is taken. */
  readonly parameters: Float32Array;
  readonly #rate: number;
  /** ȳ_i, and the gradient that is in it; undefined: from the beginning. */
  #tracked: { readonly mean: Float32Array; readonly gradient: Float32Array } | undefined;
  /** Of the message that was made last. */
  #gradient: Float32Array | undefined;

  /** @param parameters copied. @param rate η */
  constructor(parameters: Float32Array, rate: number) {
    this.parameters = parameters.slice();
    this.#rate = rate;
  }

  /** Who takes part has changed. */
  restart(): void {
    this.#tracked = undefined;
  }

  /** What is sent, given g_i at the parameters: a new vector of 2 P values. */
  toEncode(gradient: Float32Array): Float32Array {
    const { length } = this.parameters;
    assert(gradient.length === length, "one gradient per parameter");
    this.#gradient = gradient;
    const sent = new Float32Array(2 * length);
    for (let i = 0; i < length; i++) {
      const y = this.#tracked ? this.#tracked.mean[i] + (gradient[i] - this.#tracked.gradient[i]) : gradient[i];
      sent[i] = this.parameters[i] - this.#rate * y;
      sent[length + i] = y;
    }
    return sent;
  }

  /** @param mean of what the pair sent; of a peer that is alone: what it sent */
  fold(mean: Float32Array): void {
    const { length } = this.parameters;
    assert(this.#gradient !== undefined && mean.length === 2 * length, "what is folded was sent, both halves");
    this.parameters.set(mean.subarray(0, length));
    this.#tracked = { mean: mean.slice(length), gradient: this.#gradient };
  }
}
