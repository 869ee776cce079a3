// Storage of the reference: every operation takes f64 or f32 vectors, computes in f64, and rounds once when it stores.
//
// f64 storage is the truth that central differences judge; f32 storage is what a kernel is compared with, and what evaluation uses.

/** A tensor's numbers, row-major; its shape is an argument of the operation. */
export type Vector = Float64Array | Float32Array;

/** A new zero vector that stores as `model` does. */
export function zeros<A extends Vector>(model: A, length: number): A {
  return (model instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)) as A;
}

/** accumulator += x */
export function addInPlace(accumulator: Vector, x: Vector): void {
  for (let i = 0; i < x.length; i++) accumulator[i] += x[i];
}

export function sumOfSquares(x: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
  return sum;
}

/** ||a - b|| / ||b||, the measure of every comparison with the reference. Two zero vectors agree: 0. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] * b[i];
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}
