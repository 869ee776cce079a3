// AdamW over the flat parameter vector: decoupled weight decay on matrices only, the gradient clipped by its global norm first.
//
//   g = gradient · min(1, clipNorm / ||gradient||)      m = β1 m + (1-β1) g      v = β2 v + (1-β2) g²
//   p -= learningRate · (m / (1-β1^t) / (sqrt(v / (1-β2^t)) + eps) + weightDecay · p)        t = 1 at the first step after a reset
import type { ParameterTable } from "#outer";
import type { StepOptions } from "../engine.ts";
import { sumOfSquares, type Vector } from "./vector.ts";

/** In place on parameters, m and v; `step` is t, counted from 1. Returns the gradient's norm before clipping. */
export function adamwStep<A extends Vector>(
  given: { readonly parameters: A; readonly gradient: A; readonly m: A; readonly v: A; readonly step: number },
  table: ParameterTable,
  { learningRate, beta1, beta2, eps, weightDecay, clipNorm }: StepOptions,
): number {
  const { parameters, gradient, m, v, step } = given;
  const gradNorm = Math.sqrt(sumOfSquares(gradient));
  const clip = gradNorm > clipNorm ? clipNorm / gradNorm : 1;
  const correction1 = 1 - beta1 ** step;
  const correction2 = 1 - beta2 ** step;
  for (const { shape, offset, length } of table.tensors) {
    const decay = shape.length === 2 ? weightDecay : 0; // norm weights do not decay
    for (let i = offset; i < offset + length; i++) {
      const g = gradient[i] * clip;
      m[i] = beta1 * m[i] + (1 - beta1) * g;
      v[i] = beta2 * v[i] + (1 - beta2) * g * g;
      const direction = m[i] / correction1 / (Math.sqrt(v[i] / correction2) + eps);
      parameters[i] -= learningRate * (direction + decay * parameters[i]);
    }
  }
  return gradNorm;
}
