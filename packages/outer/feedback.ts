// Error feedback: what a code leaves out comes later. Its maker's own affair: others see updates alone.
//
//   EF14 with decay (Seide et al., 2014; SparseLoCo, DeMo)     encoded = β · e + Δ
//     counted                                                  e = encoded − decoded
//
//   with momentum m (DGC; Lin et al., 2018)                    encoded = β · e + w,  w = m · u + Δ
//     counted                                                  e = encoded − decoded;  u = w, but 0 where something was decoded
//
// Momentum before the choice: a value that waits grows as it would have under dense momentum, and one that was sent starts anew ("momentum factor
// masking"), so that it is not driven by what is long known. An offer that does not count changes nothing: it carries. A joiner starts with zeros.
import { assert } from "./assert.ts";
import type { Decoded, RunCodec } from "./codec/index.ts";
import type { Fragment } from "./fragment.ts";

export interface FeedbackOptions {
  /** β: how much of what was left out is added; 1: all of it. */
  readonly feedback: number;
  readonly momentum?: number | undefined;
}

/** The codec's; undefined: what its bodies leave out is lost. */
export const feedbackOf = ({ feedback, momentum }: RunCodec): FeedbackOptions | undefined =>
  feedback === undefined ? undefined : { feedback, momentum };

export class Feedback {
  readonly #beta: number;
  readonly #momentum: number;
  /** e, of all parameters. */
  readonly #left: Float32Array;
  /** u, of all parameters; undefined without momentum. */
  readonly #driven: Float32Array | undefined;

  /** @param length parameters of the model */
  constructor(length: number, { feedback, momentum }: FeedbackOptions) {
    this.#beta = feedback;
    this.#momentum = momentum ?? 0;
    this.#left = new Float32Array(length);
    this.#driven = momentum === undefined ? undefined : new Float32Array(length);
  }

  /** Δ of the fragment -> what is to be encoded of it. In place. */
  addTo(delta: Float32Array, { ranges }: Fragment): void {
    const [beta, momentum, left, driven] = [this.#beta, this.#momentum, this.#left, this.#driven];
    let at = 0;
    for (const { start, end } of ranges)
      for (let i = start; i < end; i++, at++) {
        if (driven) delta[at] += momentum * driven[i];
        delta[at] += beta * left[i];
      }
  }

  /** An offer counts: that Δ of the fragment, which decodes to `sent`. Overwrites delta. */
  counted(delta: Float32Array, sent: Decoded, fragment: Fragment): void {
    const { ranges } = fragment;
    const decoded = this.#driven && new Float32Array(delta.length);
    if (decoded) sent.addTo(decoded, 1, 0, decoded.length);
    let at = 0;
    for (const { start, end } of ranges)
      for (let i = start; i < end; i++, at++) {
        if (this.#driven && decoded) {
          delta[at] += this.#momentum * this.#driven[i];
          this.#driven[i] = decoded[at] === 0 ? delta[at] : 0;
        }
        delta[at] += this.#beta * this.#left[i];
      }
    assert(at === delta.length, "one value per parameter of the fragment");
    sent.addTo(delta, -1, 0, delta.length);
    at = 0;
    for (const { start, end } of ranges) for (let i = start; i < end; i++, at++) this.#left[i] = delta[at];
  }
}
