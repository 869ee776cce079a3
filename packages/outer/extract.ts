// What a peer sends of its training, and what becomes of it when its round is sealed: the run's `extract`.
//
//   absent       the pseudo-gradient, mark − local                  replica.ts
//   "parameters" what was trained, whole; the mark as in replica.ts Parameters, below
//   "gradient"   the anchor's own gradient (DDP)                    Gradients, below
import type { RunSpec } from "#wire";
import { assert } from "./assert.ts";
import { codecOf, type Decoded } from "./codec/index.ts";
import { Feedback, type FeedbackOptions, feedbackOf } from "./feedback.ts";
import { type Fragment, fragmentsOf, wholeOf } from "./fragment.ts";
import { Replica } from "./replica.ts";

export interface Extract {
  /** What is to be encoded, error feedback included. A new vector. */
  toEncode(trained: Float32Array, round: number): Float32Array;
  /** It was offered. At most one offer is in flight. */
  offered(trained: Float32Array, round: number): void;
  /** The offer in flight, if there is one, came to nothing without a fold: its commit was voided. */
  withdrawn(): void;
  /**
   * The round's commit was folded into anchorNew.
   * @param named the commit counts our offer
   * @param sent what the offer decodes to, where the codec has error feedback and the commit names it
   * @returns what the parameters in training are measured from, of the round's fragment; undefined: they are the anchor
   */
  sealed(anchorNew: Float32Array, named: boolean, sent: Decoded | undefined, round: number): Float32Array | undefined;
}

/** Of a peer that starts from the anchor. */
export function extractOf(spec: Pick<RunSpec, "model" | "outer" | "seed">, anchor: Float32Array): Extract {
  const feedback = feedbackOf(codecOf(spec));
  if (spec.outer.extract === "gradient") return new Gradients(anchor.length, feedback);
  const replica = new Replica(anchor, feedback, fragmentsOf(spec));
  return spec.outer.extract === "parameters" ? new Parameters(replica) : replica;
}

/** Whose mean peers go on from is theirs to say (pair.ts); what was trained beside that carries, by the replica's rule. */
class Parameters implements Extract {
  readonly #replica: Replica;

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  toEncode(parameters: Float32Array): Float32Array {
    return parameters.slice();
  }

  offered(parameters: Float32Array): void {
    this.#replica.offered(parameters);
  }

  withdrawn(): void {
    this.#replica.withdrawn();
  }

  sealed(own: Float32Array, named: boolean): Float32Array {
    return this.#replica.sealed(own, named);
  }
}

/**
 * Nothing is trained away from the anchor, so there is no mark and nothing carries: a gradient that no commit names is lost, for it is an older anchor's
 * when the next one is due. Error feedback as in replica.ts, with the gradient in the place of Δ.
 */
class Gradients implements Extract {
  readonly #whole: Fragment;
  readonly #feedback: Feedback | undefined;
  /** Set while an offer is in flight. */
  #offered: Float32Array | undefined;

  constructor(length: number, feedback: FeedbackOptions | undefined) {
    this.#whole = wholeOf(length);
    this.#feedback = feedback && new Feedback(length, feedback);
  }

  toEncode(gradient: Float32Array): Float32Array {
    const encoded = gradient.slice();
    this.#feedback?.addTo(encoded, this.#whole);
    return encoded;
  }

  offered(gradient: Float32Array): void {
    assert(this.#offered === undefined, "one offer in flight at most");
    this.#offered = gradient.slice();
  }

  withdrawn(): void {
    this.#offered = undefined;
  }

  sealed(_: Float32Array, named: boolean, sent?: Decoded): undefined {
    const offered = this.#offered;
    this.#offered = undefined;
    if (this.#feedback === undefined || offered === undefined || !named) return;
    assert(sent !== undefined, "error feedback is what an update leaves out of what was encoded");
    this.#feedback.counted(offered, sent, this.#whole);
  }
}
