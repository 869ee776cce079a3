// Linear layers, weights as Hugging Face keeps them: W is [out, in].
//
//   forward   y  = x Wᵀ      (N, I) (O, I) -> (N, O)
//   backward  dx = dy W      (N, O) (O, I) -> (N, I)          dW = dyᵀ x      (N, O) (N, I) -> (O, I)
import { type Vector, zeros } from "./vector.ts";

export interface LinearShape {
  readonly N: number; // rows (B·T)
  readonly I: number; // in
  readonly O: number; // out
}

/** x (N, I), weight (O, I) -> y (N, O) */
export function linearForward<A extends Vector>(
  { x, weight }: { readonly x: A; readonly weight: A },
  { N, I, O }: LinearShape,
): A {
  const y = zeros(x, N * O);
  for (let n = 0; n < N; n++) {
    for (let o = 0; o < O; o++) {
      let sum = 0;
      for (let i = 0; i < I; i++) sum += x[n * I + i] * weight[o * I + i];
      y[n * O + o] = sum;
    }
  }
  return y;
}

/** dy (N, O), x (N, I), weight (O, I) -> dx (N, I), dWeight (O, I) */
export function linearBackward<A extends Vector>(
  { dy, x, weight }: { readonly dy: A; readonly x: A; readonly weight: A },
  { N, I, O }: LinearShape,
): { dx: A; dWeight: A } {
  const dx = zeros(x, N * I);
  const dWeight = zeros(x, O * I);
  const row = new Float64Array(I); // sums in f64 whatever the storage
  for (let n = 0; n < N; n++) {
    row.fill(0);
    for (let o = 0; o < O; o++) {
      const d = dy[n * O + o];
      for (let i = 0; i < I; i++) row[i] += d * weight[o * I + i];
    }
    dx.set(row, n * I);
  }
  for (let o = 0; o < O; o++) {
    row.fill(0);
    for (let n = 0; n < N; n++) {
      const d = dy[n * O + o];
      for (let i = 0; i < I; i++) row[i] += d * x[n * I + i];
    }
    dWeight.set(row, o * I);
  }
  return { dx, dWeight };
}
