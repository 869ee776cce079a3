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
// Where the codec has error feedback (feedback.ts), more than Δ is encoded; it changes when a commit names the offer, and not otherwise.
//
// In a run with fragments all of this is of the round's fragment alone: mark = anchor everywhere else.
import { assert } from "./assert.ts";
import type { Decoded } from "./codec/index.ts";
import type { Extract } from "./extract.ts";
import { Feedback, type FeedbackOptions } from "./feedback.ts";
import { type Fragment, gather, scatter, wholeOf } from "./fragment.ts";

export class Replica implements Extract {
  /** The shared parameters, as last given; not a copy, so the fold may already be changing them. */
  anchor: Float32Array;
  /** Own copy. Equals the anchor where nothing is in flight. */
  mark: Float32Array;
  /** Set while an offer is in flight: the mark before it, of its fragment. */
  previousMark: Float32Array | undefined;
  /** What it is of. */
  #inFlight: Fragment | undefined;
  readonly #fragmentAt: (round: number) => Fragment;
  readonly #feedback: Feedback | undefined;

  /**
   * @param feedback the codec's; a number: without momentum; undefined: none
   * @param fragmentAt what each round exchanges; absent: all
   */
  constructor(anchor: Float32Array, feedback?: number | FeedbackOptions, fragmentAt?: (round: number) => Fragment) {
    const whole = wholeOf(anchor.length);
    this.anchor = anchor;
    this.mark = anchor.slice();
    this.#fragmentAt = fragmentAt ?? (() => whole);
    const options = typeof feedback === "number" ? { feedback } : feedback;
    this.#feedback = options && new Feedback(anchor.length, options);
  }

  /** mark − local of the round's fragment, a new vector. */
  pseudoGradient(local: Float32Array, round = 0): Float32Array {
    assert(local.length === this.mark.length, "local and mark have one length");
    const fragment = this.#fragmentAt(round);
    return difference(gather(this.mark, fragment), local, fragment);
  }

  /** What is to be encoded: the pseudo-gradient, and what error feedback adds. A new vector. */
  toEncode(local: Float32Array, round = 0): Float32Array {
    const delta = this.pseudoGradient(local, round);
    this.#feedback?.addTo(delta, this.#fragmentAt(round));
    return delta;
  }

  /** The pseudo-gradient of `local` was offered. At most one offer is in flight. */
  offered(local: Float32Array, round = 0): void {
    assert(this.previousMark === undefined, "one offer in flight at most");
    assert(local.length === this.mark.length, "local and mark have one length");
    const fragment = this.#fragmentAt(round);
    this.#inFlight = fragment;
    this.previousMark = gather(this.mark, fragment);
    for (const { start, end } of fragment.ranges) this.mark.set(local.subarray(start, end), start);
  }

  /** The offer in flight came to nothing without a fold: its work is part of the next one. */
  withdrawn(): void {
    if (this.previousMark === undefined || this.#inFlight === undefined) return;
    scatter(this.previousMark, this.mark, this.#inFlight);
    this.previousMark = undefined;
  }

  /**
   * The round's commit was folded into anchorNew.
   * @param named the commit counts our offer; without an offer in flight (after a reload) it changes nothing
   * @param sent what the offer decodes to, where the codec has error feedback and the commit names it
   * @returns what the parameters in training are measured from, of the round's fragment: they become `rebase(local, anchorNew, from)` between two of
   * their steps
   */
  sealed(anchorNew: Float32Array, named: boolean, sent?: Decoded, round = 0): Float32Array {
    assert(anchorNew.length === this.mark.length, "all vectors have one length");
    const fragment = this.#fragmentAt(round);
    assert(this.previousMark === undefined || this.#inFlight === fragment, "an offer is sealed in its own round");
    if (this.#feedback && named && this.previousMark) {
      assert(sent !== undefined, "error feedback is what an update leaves out of what was encoded");
      this.#feedback.counted(difference(this.previousMark.slice(), this.mark, fragment), sent, fragment);
    }
    const from = named ? gather(this.mark, fragment) : (this.previousMark ?? gather(this.mark, fragment));
    this.anchor = anchorNew;
    for (const { start, end } of fragment.ranges) this.mark.set(anchorNew.subarray(start, end), start);
    this.previousMark = undefined;
    return from;
  }
}

/** part − flat, of the fragment; in place. */
function difference(part: Float32Array, flat: Float32Array, { ranges }: Fragment): Float32Array {
  let at = 0;
  for (const { start, end } of ranges) for (let i = start; i < end; i++) part[at++] -= flat[i];
  return part;
}

/** anchor' + (local − from), in place, of the fragment: exactly anchor' where nothing was trained since `from`. */
export function rebase(
  local: Float32Array,
  anchorNew: Float32Array,
  from: Float32Array,
  { table, ranges } = wholeOf(local.length),
): Float32Array {
  assert(anchorNew.length === local.length && from.length === table.length, "all vectors have one length");
  let at = 0;
  for (const { start, end } of ranges)
    for (let i = start; i < end; i++) local[i] = anchorNew[i] + Math.fround(local[i] - from[at++]);
  return local;
}
