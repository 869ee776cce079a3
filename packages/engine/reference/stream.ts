// The residual stream between blocks (attention, feed-forward, attention, …): which norm adds what a block gave, and the same backward.
//
//   standard   x_i = x_{i-1} + f_{i-1}(norm(x_{i-1}))      a block reads all that was added before it
//   ladder     x_i = x_{i-1} + f_{i-2}(norm(x_{i-2}))      not what the block just before it adds: that may still be under way    (Zhang et al. 2025)
//
// x_i is what block i reads. The last norm adds whatever is left, so that the logits see every block. Backward each norm's turn comes as much later:
// block i needs the gradient of x_{i+2}, and that of x_{i+1} waits for the norm before block i + 1.
import type { RankShape } from "#outer";
import { type NormShape, rmsnormBackward, rmsnormForward } from "./rmsnorm.ts";
import { addInPlace, type Vector } from "./vector.ts";

/** Blocks whose outputs are not there yet when the next one begins. */
export const latenessOf = ({ residual }: Pick<RankShape, "residual">): 0 | 1 => (residual === "ladder" ? 1 : 0);

export interface Stream<A extends Vector> {
  readonly residual: A;
  /** What blocks gave and no norm has added yet, oldest first. */
  readonly given: readonly A[];
}

interface StreamShape {
  readonly norm: NormShape;
  readonly late: 0 | 1;
}

/** The norm before a block, and what is left for later ones. */
export function normBefore<A extends Vector>(weight: A, { residual, given }: Stream<A>, { norm, late }: StreamShape) {
  const now = Math.max(0, given.length - late);
  return {
    norm: rmsnormForward({ partials: given.slice(0, now), residual, weight }, norm),
    left: given.slice(now),
  };
}

/** What a norm's backward pass reads. */
interface NormTape<A extends Vector> {
  readonly residual: A;
  readonly rstd: A;
  readonly dNormed: A;
  readonly weight: A;
  /** The weight's gradient is added to it. */
  readonly dWeight: A;
}

/** The stream's gradient on its way back. */
export class StreamGradient<A extends Vector> {
  readonly #shape: StreamShape;
  readonly #waiting: NormTape<A>[] = [];
  /** Of what the block that is next gave: of the stream behind it. */
  value: A;

  constructor(behindAll: A, shape: StreamShape) {
    this.value = behindAll;
    this.#shape = shape;
  }

  /** A block's gradient is there; its norm's turn comes now or a block later. */
  blockDone(tape: NormTape<A>): void {
    this.#waiting.push(tape);
    if (this.#waiting.length > this.#shape.late) this.#throughNorm();
  }

  /** Of the embedding. */
  end(): A {
    while (this.#waiting.length > 0) this.#throughNorm();
    return this.value;
  }

  #throughNorm(): void {
    const tape = this.#waiting.shift()!;
    const { dResidual, dWeight } = rmsnormBackward({ ...tape, dResidualAfter: this.value }, this.#shape.norm);
    addInPlace(tape.dWeight, dWeight);
    this.value = dResidual;
  }
}
