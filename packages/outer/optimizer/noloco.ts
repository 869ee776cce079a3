// NoLoCo's outer step (Kolehmainen et al., 2025, arXiv:2506.10911), in the form that needs the parameters alone, on the CPU, each operation rounded to f32.
//
//   m   = mu · m + lr · (mean − phi)        mean: of the pair's parameters after their inner steps
//   phi = phi + m
//
// With beta = gamma = lr the paper's beta · mean(theta − phi) + gamma · (mean(phi) − phi) is that, so one vector is sent instead of two. phi and m
// are each peer's own. The peers' disagreement shrinks only for lr below 1.49 at mu 0.5, 1.01 at mu 0.7 and 0.37 at mu 0.9 (many peers, no noise).
//
// Total by rule: where a result is not finite, that element keeps its old parameter and velocity. -0 becomes +0.
import { assert } from "../assert.ts";
import type { SharedState } from "../state.ts";

const { fround } = Math;

/** Moves the state, which is one peer's own here, in place. */
export function noLoCoStep(
  { parameters, velocity }: Pick<SharedState, "parameters" | "velocity">,
  mean: Float32Array,
  { learningRate, momentum }: { readonly learningRate: number; readonly momentum: number },
): void {
  assert(mean.length === parameters.length, "one mean per parameter");
  const lr = fround(learningRate);
  const mu = fround(momentum);
  for (let i = 0; i < parameters.length; i++) {
    const m = fround(fround(mu * velocity[i]) + fround(lr * fround(mean[i] - parameters[i])));
    const phi = fround(parameters[i] + m);
    if (m - m !== 0 || phi - phi !== 0) continue;
    velocity[i] = m + 0; // -0 + 0 is +0
    parameters[i] = phi + 0;
  }
}
