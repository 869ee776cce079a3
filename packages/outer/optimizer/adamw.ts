// AdamW as the outer step of data-parallel training (DDP): peers exchange gradients, and the one optimizer is everybody's. On the CPU, each operation
// rounded to f32. The same as the engine's inner step (decoupled weight decay on matrices only, the gradient clipped by its global norm):
//
//   norm = sqrt(Σ mean²)                         in f64, in the order of the flat vector; clipped as the mean, not peer by peer
//   g   = mean · min(1, clipNorm / norm)
//   m   = β1 · m + (1 − β1) · g                  v = β2 · v + (1 − β2) · g²
//   phi = phi − lr · (m / (1 − β1^t) / (sqrt(v / (1 − β2^t)) + eps) + weightDecay · phi)        t = round + 1
//
// m is the run's velocity, v its variance. Powers are products in f64, one factor at a time: engines' Math.pow differ. A mean that is not finite changes
// nothing; where a result is not finite, that element keeps all it had.
import { assert } from "../assert.ts";
import type { ParameterTable } from "../parameters.ts";
import type { SharedState } from "../state.ts";

export interface AdamwOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  /** t: 1 in round 0. Rounds that came to nothing count too. */
  readonly step: number;
}

const { fround } = Math;

/** Applies the mean gradient (one value per parameter), in place. The state has a variance. */
export function adamwStep(state: SharedState, mean: Float32Array, table: ParameterTable, options: AdamwOptions): void {
  const { parameters, velocity, variance } = state;
  assert(
    variance !== undefined && mean.length === parameters.length && table.length === mean.length,
    "AdamW has a variance, and one mean per parameter",
  );
  let squares = 0;
  for (let i = 0; i < mean.length; i++) squares += mean[i] * mean[i];
  const norm = Math.sqrt(squares);
  if (!Number.isFinite(norm)) return;
  const { clipNorm, step } = options;
  const clip = norm > clipNorm ? fround(clipNorm / norm) : 1;
  const [lr, beta1, beta2, eps] = [options.learningRate, options.beta1, options.beta2, options.eps].map(fround);
  const [rest1, rest2] = [fround(1 - beta1), fround(1 - beta2)];
  const [correction1, correction2] = [options.beta1, options.beta2].map((beta) => fround(1 - power(beta, step)));
  for (const { shape, offset, length } of table.tensors) {
    const decay = shape.length === 2 ? fround(options.weightDecay) : 0; // norm weights do not decay
    for (let i = offset; i < offset + length; i++) {
      const g = fround(mean[i] * clip);
      const m = fround(fround(beta1 * velocity[i]) + fround(rest1 * g));
      const v = fround(fround(beta2 * variance[i]) + fround(rest2 * fround(g * g)));
      const root = fround(Math.sqrt(fround(v / correction2)));
      const direction = fround(fround(m / correction1) / fround(root + eps));
      const phi = fround(parameters[i] - fround(lr * fround(direction + fround(decay * parameters[i]))));
      if (m - m !== 0 || v - v !== 0 || phi - phi !== 0) continue;
      velocity[i] = m + 0; // -0 + 0 is +0
      variance[i] = v + 0;
      parameters[i] = phi + 0;
    }
  }
}

/** base^exponent for 0 ≤ base < 1: the same bits everywhere. Soon 0, so a long run costs no more than a short one. */
function power(base: number, exponent: number): number {
  let product = 1;
  for (let i = 0; i < exponent && product !== 0; i++) product *= base;
  return product;
}
