// Adaptive outer steps (Reddi et al., "Adaptive Federated Optimization", 2021), on the CPU, each operation rounded to f32.
//
//   m   = beta1 · m + (1 − beta1) · D                  D: the weighted mean of the pseudo-gradients (mark − local); the paper's Δ is −D
//   v   = v + D²                                       FedAdagrad
//         beta2 · v + (1 − beta2) · D²                 FedAdam
//         v − (1 − beta2) · D² · sign(v − D²)          FedYogi
//   phi = phi − lr · m / (sqrt(v) + tau)               without bias correction, as in the paper
//
// m is the run's velocity, v its variance, both zero at genesis; beta1 is the spec's momentum (the paper's FedAdagrad has 0). Where v is small, a step is
// near lr in size whatever D is: start with lr and tau of about 1e-3. Total by rule: where a result is not finite, that element keeps all it had.
import { assert } from "../assert.ts";
import type { SharedState } from "../state.ts";

export type AdaptiveMethod = "fedadagrad" | "fedadam" | "fedyogi";

export interface AdaptiveOptions {
  readonly method: AdaptiveMethod;
  readonly learningRate: number;
  readonly momentum: number;
  /** Of no use to FedAdagrad, which forgets nothing. */
  readonly beta2?: number | undefined;
  readonly tau: number;
}

const { fround } = Math;

/** By method: v after a mean whose square is d2; f32 in, f32 out. */
const varianceRules: Readonly<Record<AdaptiveMethod, (v: number, d2: number, beta2: number, rest: number) => number>> =
  {
    fedadagrad: (v, d2) => fround(v + d2),
    fedadam: (v, d2, beta2, rest) => fround(fround(beta2 * v) + fround(rest * d2)),
    fedyogi: (v, d2, _, rest) => fround(v - fround(fround(rest * d2) * Math.sign(v - d2))),
  };

/** Applies the mean (one value per parameter), in place. The state has a variance. */
export function adaptiveStep(state: SharedState, mean: Float32Array, options: AdaptiveOptions): void {
  const { parameters, velocity, variance } = state;
  assert(
    variance !== undefined && mean.length === parameters.length,
    "an adaptive step has a variance, and one mean per parameter",
  );
  const [lr, beta1, beta2, tau] = [options.learningRate, options.momentum, options.beta2 ?? 0, options.tau].map(fround);
  const rest1 = fround(1 - beta1);
  const rest2 = fround(1 - beta2);
  const varianceOf = varianceRules[options.method];
  for (let i = 0; i < parameters.length; i++) {
    const d = mean[i];
    const m = fround(fround(beta1 * velocity[i]) + fround(rest1 * d));
    const v = varianceOf(variance[i], fround(d * d), beta2, rest2);
    const phi = fround(parameters[i] - fround(fround(lr * m) / fround(fround(Math.sqrt(v)) + tau)));
    if (m - m !== 0 || v - v !== 0 || phi - phi !== 0) continue;
    velocity[i] = m + 0; // -0 + 0 is +0
    variance[i] = v + 0;
    parameters[i] = phi + 0;
  }
}
