// A speed counts only beside a right loss: every step of every contestant must follow the CPU reference's curve.
import { ReferenceTrainer } from "#engine/reference";
import { type BenchShape, givenOf, STEP } from "./shapes.ts";

/** Losses before each of `steps` updates on the one batch, by the readable reference, stored as f64. */
export function referenceCurve(shape: BenchShape, steps: number): number[] {
  const { weights, ids } = givenOf(shape);
  const trainer = new ReferenceTrainer(shape.model, Float64Array.from(weights));
  return Array.from({ length: steps }, () => trainer.step([ids], STEP).loss);
}

/** Nats: ten times what f32 rounds apart in ten steps (1.4e-4 was the most: rivals' wasm, M), and a hundredth of what one step gains. */
export const LOSS_TOLERANCE = 0.002;

/** Fewer steps would pass a contestant that hardly moves. */
export const GATE_STEPS_MIN = 10;

/** @returns what is wrong with a contestant's losses, undefined when nothing is */
export function lossFault(losses: readonly number[], reference: readonly number[]): string | undefined {
  if (losses.length < GATE_STEPS_MIN) return `${losses.length} steps are too few to judge: at least ${GATE_STEPS_MIN}`;
  const at = losses.findIndex((loss, i) => !(Math.abs(loss - reference[i]) <= LOSS_TOLERANCE));
  if (at < 0) return undefined;
  return `its loss before step ${at + 1} was ${losses[at].toFixed(4)}, the reference's ${reference[at].toFixed(4)}: more than ${LOSS_TOLERANCE} nats apart`;
}
