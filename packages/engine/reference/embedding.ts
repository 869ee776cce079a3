// Token embedding: a row of the table per id; backward, each row sums the gradients of the positions that named it.
import { type Vector, zeros } from "./vector.ts";

export interface EmbeddingShape {
  readonly N: number; // positions (B·T)
  readonly V: number;
  readonly C: number;
}

/** ids (N), weight (V, C) -> x (N, C) */
export function embeddingForward<A extends Vector>(
  { ids, weight }: { readonly ids: ArrayLike<number>; readonly weight: A },
  { N, C }: EmbeddingShape,
): A {
  const x = zeros(weight, N * C);
  for (let n = 0; n < N; n++) x.set(weight.subarray(ids[n] * C, (ids[n] + 1) * C), n * C);
  return x;
}

/** ids (N), dx (N, C) -> dWeight (V, C) */
export function embeddingBackward<A extends Vector>(
  { ids, dx }: { readonly ids: ArrayLike<number>; readonly dx: A },
  { N, V, C }: EmbeddingShape,
): A {
  const sums = new Float64Array(V * C);
  for (let n = 0; n < N; n++) {
    for (let c = 0; c < C; c++) sums[ids[n] * C + c] += dx[n * C + c];
  }
  const dWeight = zeros(dx, V * C);
  dWeight.set(sums);
  return dWeight;
}
