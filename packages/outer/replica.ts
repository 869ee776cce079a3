// The replica's mark: one rule for overlap, blocking, missed commits and joiners.
//
//   pseudo-gradient Δ = mark − local          the work since the mark; the outer optimizer descends along it
//   offered:  previousMark = mark, mark = local            training may go on, and steps may be taken at any time after this
//   sealed:   named                 local' = anchor' + (local − mark)            what was offered is in anchor' now
//             offered, not named    local' = anchor' + (local − previousMark)    the offered work carries
//             no offer in flight    local' = anchor' + (local − mark)            all work carries
//             then mark = anchor'
//
// A joiner starts with mark = local = anchor.
//
// Error feedback (EF14 with decay; SparseLoCo, DeMo): what a code leaves out comes later.
//
//   encoded   = β · feedback + Δ
//   named     feedback' = encoded − decoded        what was left out of an offer that counts
//   else      feedback stays: its offer carries
import { assert } from "./assert.ts";
import type { Decoded } from "./codec/index.ts";
import type { Extract } from "./extract.ts";

export class Replica implements Extract {
  /** The shared parameters, as last given; not a copy, so the fold may already be changing them. */
  anchor: Float32Array;
  /** Own copy. Equals the anchor when nothing is in flight. */
  mark: Float32Array;
  /** Set while an offer is in flight: the mark before it. */
  previousMark: Float32Array | undefined;
  readonly #beta: number | undefined;
  /** What named offers left out; zeros at first, of a joiner too. Undefined without error feedback. */
  #feedback: Float32Array | undefined;

  /** @param beta of the codec's error feedback; undefined: none */
  constructor(anchor: Float32Array, beta?: number) {
    this.anchor = anchor;
    this.mark = anchor.slice();
    this.#beta = beta;
    this.#feedback = beta === undefined ? undefined : new Float32Array(anchor.length);
  }

  /** mark − local, a new vector. */
  pseudoGradient(local: Float32Array): Float32Array {
    assert(local.length === this.mark.length, "local and mark have one length");
    return difference(this.mark, local);
  }

  /** What is to be encoded: the pseudo-gradient, and what error feedback adds. A new vector. */
  toEncode(local: Float32Array): Float32Array {
    const delta = this.pseudoGradient(local);
    this.#addFeedback(delta);
    return delta;
  }

  /** The pseudo-gradient of `local` was offered. At most one offer is in flight. */
  offered(local: Float32Array): void {
    assert(this.previousMark === undefined, "one offer in flight at most");
    assert(local.length === this.mark.length, "local and mark have one length");
    this.previousMark = this.mark;
    this.mark = local.slice();
  }

  /** The offer in flight came to nothing without a fold: its work is part of the next one. */
  withdrawn(): void {
    if (this.previousMark === undefined) return;
    this.mark = this.previousMark;
    this.previousMark = undefined;
  }

  /**
   * The round's commit was folded into anchorNew.
   * @param named the commit counts our offer; without an offer in flight (after a reload) it changes nothing
   * @param sent what the offer decodes to, where the codec has error feedback and the commit names it
   * @returns what the parameters in training are measured from: they become `rebase(local, anchorNew, from)` between two of their steps
   */
  sealed(anchorNew: Float32Array, named: boolean, sent?: Decoded): Float32Array {
    assert(anchorNew.length === this.mark.length, "all vectors have one length");
    if (this.#feedback && named && this.previousMark) {
      assert(sent !== undefined, "error feedback is what an update leaves out of what was encoded");
      const encoded = difference(this.previousMark, this.mark);
      this.#addFeedback(encoded);
      sent.addTo(encoded, -1, 0, encoded.length);
      this.#feedback = encoded;
    }
    const from = named ? this.mark : (this.previousMark ?? this.mark);
    this.anchor = anchorNew;
    this.mark = anchorNew.slice();
    this.previousMark = undefined;
    return from;
  }

  #addFeedback(delta: Float32Array): void {
    const [beta, feedback] = [this.#beta, this.#feedback];
    if (beta === undefined || feedback === undefined) return;
    for (let i = 0; i < delta.length; i++) delta[i] += beta * feedback[i];
  }
}

function difference(a: Float32Array, b: Float32Array): Float32Array {
  const delta = new Float32Array(a.length);
  for (let i = 0; i < delta.length; i++) delta[i] = a[i] - b[i];
  return delta;
}

/** anchor' + (local − from), in place: exactly anchor' where nothing was trained since `from`. */
export function rebase(local: Float32Array, anchorNew: Float32Array, from: Float32Array): Float32Array {
  assert(anchorNew.length === local.length && from.length === local.length, "all vectors have one length");
  for (let i = 0; i < local.length; i++) local[i] = anchorNew[i] + Math.fround(local[i] - from[i]);
  return local;
}
