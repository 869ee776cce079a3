// RMSNorm, fused with the residual addition before it and with the sum of K partial results before that.
//
//   residual' = residual + Σ_k partial_k          rstd = 1 / sqrt(mean(residual'²) + eps)          normed = residual' · rstd · weight
//
// K = 0 is a plain RMSNorm, K = 1 every norm inside the model, K > 1 split-K and tensor parallelism.
import { type Vector, zeros } from "./vector.ts";

export interface NormShape {
  readonly N: number; // rows (B·T)
  readonly C: number;
  readonly eps: number;
}

/** partials: K x (N, C), residual (N, C), weight (C) -> residual (N, C), normed (N, C), rstd (N): kept for the backward pass. */
export function rmsnormForward<A extends Vector>(
  given: { readonly partials: readonly A[]; readonly residual: A; readonly weight: A },
  { N, C, eps }: NormShape,
): { residual: A; normed: A; rstd: A } {
  const { partials, weight } = given;
  const residual = zeros(weight, N * C);
  const normed = zeros(weight, N * C);
  const rstd = zeros(weight, N);
  for (let n = 0; n < N; n++) {
    let squares = 0;
    for (let i = n * C; i < (n + 1) * C; i++) {
      let sum = given.residual[i];
      for (const partial of partials) sum += partial[i];
      residual[i] = sum;
      squares += sum * sum;
    }
    const r = 1 / Math.sqrt(squares / C + eps);
    rstd[n] = r;
    for (let c = 0; c < C; c++) normed[n * C + c] = residual[n * C + c] * r * weight[c];
  }
  return { residual, normed, rstd };
}

/**
 * dNormed (N, C) and, from the residual stream behind the norm, dResidualAfter (N, C; absent: zero)
 * -> dResidual (N, C), which is also the gradient of each partial, and dWeight (C).
 */
export function rmsnormBackward<A extends Vector>(
  given: {
    readonly dNormed: A;
    readonly dResidualAfter?: A;
    readonly residual: A; // the forward pass's result, partials included
    readonly rstd: A;
    readonly weight: A;
  },
  { N, C }: NormShape,
): { dResidual: A; dWeight: A } {
  const { dNormed, dResidualAfter, residual, rstd, weight } = given;
  const dResidual = zeros(weight, N * C);
  const dWeight = new Float64Array(C);
  for (let n = 0; n < N; n++) {
    const r = rstd[n];
    let projection = 0; // Σ dNormed · weight · x̂: what of the gradient points along the row and is normalised away
    for (let c = 0; c < C; c++) {
      const i = n * C + c;
      projection += dNormed[i] * weight[c] * residual[i] * r;
      dWeight[c] += dNormed[i] * residual[i] * r;
    }
    for (let c = 0; c < C; c++) {
      const i = n * C + c;
      const own = r * (dNormed[i] * weight[c] - (residual[i] * r * projection) / C);
      dResidual[i] = own + (dResidualAfter === undefined ? 0 : dResidualAfter[i]);
    }
  }
  const stored = zeros(weight, C);
  stored.set(dWeight);
  return { dResidual, dWeight: stored };
}
