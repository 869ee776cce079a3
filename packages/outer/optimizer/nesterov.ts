// DiLoCo's outer step (Douillard et al., 2023): Nesterov momentum as torch.optim.SGD(nesterov=True) writes it, on the CPU, each operation rounded to f32.
//
//   m   = mu · m + D              D: the weighted mean of the pseudo-gradients (mark - local), a descent direction
//   phi = phi - lr · (D + mu · m)
//
// Total by rule: where either result is not finite, that element keeps its old parameter and velocity. -0 becomes +0.
import { assert } from "../assert.ts";
import type { SharedState } from "../state.ts";

const { fround } = Math;

/** Applies the mean (mean[i - start] belongs to parameter i) to [start, end), in place. */
export function nesterovStep(
  state: SharedState,
  mean: Float32Array,
  { learningRate, momentum }: { readonly learningRate: number; readonly momentum: number },
  start = 0,
  end: number = state.parameters.length,
): void {
  const { parameters, velocity } = state;
  assert(start >= 0 && end <= parameters.length && mean.length >= end - start, "the range lies in both");
  const lr = fround(learningRate);
  const mu = fround(momentum);
  for (let i = start; i < end; i++) {
    const d = mean[i - start];
    const m = fround(fround(mu * velocity[i]) + d);
    const step = fround(lr * fround(d + fround(mu * m)));
    const phi = fround(parameters[i] - step);
    if (m - m !== 0 || phi - phi !== 0) continue;
    velocity[i] = m + 0; // -0 + 0 is +0
    parameters[i] = phi + 0;
  }
}
