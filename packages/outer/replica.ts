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
import { assert } from "./assert.ts";

export class Replica {
  /** The shared parameters, as last given; not a copy, so the fold may already be changing them. */
  anchor: Float32Array;
  /** Own copy. Equals the anchor when nothing is in flight. */
  mark: Float32Array;
  /** Set while an offer is in flight: the mark before it. */
  previousMark: Float32Array | undefined;

  constructor(anchor: Float32Array) {
    this.anchor = anchor;
    this.mark = anchor.slice();
  }

  /** mark − local, a new vector. */
  pseudoGradient(local: Float32Array): Float32Array {
    assert(local.length === this.mark.length, "local and mark have one length");
    const { mark } = this;
    const delta = new Float32Array(mark.length);
    for (let i = 0; i < delta.length; i++) delta[i] = mark[i] - local[i];
    return delta;
  }

  /** The pseudo-gradient of `local` was offered. At most one offer is in flight. */
  offered(local: Float32Array): void {
    assert(this.previousMark === undefined, "one offer in flight at most");
    assert(local.length === this.mark.length, "local and mark have one length");
    this.previousMark = this.mark;
    this.mark = local.slice();
  }

  /**
   * The round's commit was folded into anchorNew.
   * @param named the commit counts our offer; without an offer in flight (after a reload) it changes nothing
   * @returns what the parameters in training are measured from: they become `rebase(local, anchorNew, from)` between two of their steps
   */
  sealed(anchorNew: Float32Array, named: boolean): Float32Array {
    assert(anchorNew.length === this.mark.length, "all vectors have one length");
    const from = named ? this.mark : (this.previousMark ?? this.mark);
    this.anchor = anchorNew;
    this.mark = anchorNew.slice();
    this.previousMark = undefined;
    return from;
  }
}

/** anchor' + (local − from), in place: exactly anchor' where nothing was trained since `from`. */
export function rebase(local: Float32Array, anchorNew: Float32Array, from: Float32Array): Float32Array {
  assert(anchorNew.length === local.length && from.length === local.length, "all vectors have one length");
  for (let i = 0; i < local.length; i++) local[i] = anchorNew[i] + Math.fround(local[i] - from[i]);
  return local;
}
