// CO2's outer step (Sun et al., 2024, arXiv:2401.16265; the formula of Λ is ours, after its idea) for means that come a round late, on the CPU, tensor by tensor,
// rounded to f32 after each operation.
//
//   Λ   = 1 + |lr · m − D| / |D|          D: the mean of the pseudo-gradients, measured from the anchor before the last; norms in f64, rounded once
//   m   = mu · m + D / Λ
//   m   = min(c, max(−c, m))              momentumClip; absent: as it is
//   phi = phi − lr · m
//
// Λ is the penalty for staleness: the anchor has moved by lr · m since, so lr · m − D is how far it is from where the late updates lead to, and |D| how far they went.
// Both are in the shared state, so everybody has the same Λ: 1 where the anchor went there already, 2 where it stood still, 3 where it went as far the other way.
// Total by rule: where a result is not finite, that element keeps what it had; -0 becomes +0.
import { assert } from "../assert.ts";
import type { ParameterTable } from "../parameters.ts";
import type { SharedState } from "../state.ts";

export interface Co2Options {
  readonly learningRate: number;
  readonly momentum: number;
  readonly momentumClip?: number | undefined;
}

const { fround } = Math;

/** Applies the mean (one value per parameter of the table), in place. */
export function co2Step(state: SharedState, mean: Float32Array, table: ParameterTable, options: Co2Options): void {
  const { parameters, velocity } = state;
  assert(mean.length === table.length && parameters.length === table.length, "CO2's penalty is of whole tensors");
  const { learningRate, momentum, momentumClip = Number.POSITIVE_INFINITY } = options;
  const [lr, mu, clip] = [learningRate, momentum, momentumClip].map(fround);
  for (const { offset, length } of table.tensors) {
    const end = offset + length;
    const penalty = penaltyOf(velocity, mean, lr, offset, end);
    for (let i = offset; i < end; i++) {
      const m = fround(fround(mu * velocity[i]) + fround(mean[i] / penalty));
      const clipped = Math.max(-clip, Math.min(clip, m)); // a NaN stays one
      const phi = fround(parameters[i] - fround(lr * clipped));
      if (m - m !== 0 || phi - phi !== 0) continue;
      velocity[i] = clipped + 0; // -0 + 0 is +0
      parameters[i] = phi + 0;
    }
  }
}

/** Λ of a tensor, f32. Values that are not finite are left out; 1 where nothing is late. */
function penaltyOf(velocity: Float32Array, mean: Float32Array, lr: number, start: number, end: number): number {
  let [gap, went] = [0, 0];
  for (let i = start; i < end; i++) {
    const d = mean[i];
    if (d - d !== 0) continue;
    const apart = lr * velocity[i] - d;
    gap += apart * apart;
    went += d * d;
  }
  return went > 0 ? fround(1 + Math.sqrt(gap) / Math.sqrt(went)) : 1;
}
