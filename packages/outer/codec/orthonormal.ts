// Columns of length 1, each at a right angle to those before it: Gram-Schmidt in f32 with a fixed order of operations, so that everybody gets the same bits.
//
//   matrix (rows × columns, one column after the other)  ->  the same space, orthonormal, in place
//
//   for each column v: v = v / max |v|;  twice: for each column u before it, v = v − (u · v) u;  v = v / sqrt(v · v)
//
// Twice, because once leaves an angle where columns nearly agree. Total by rule: a column that is zero, holds a value that is not finite, or of
// which less than a millionth of its square is left, becomes another one (the caller's, seeded); one that fails then too becomes zeros.
import { assert } from "../assert.ts";

const { fround, sqrt } = Math;
const LEFT_MIN = fround(1e-6);

/** @param instead a value in [-1, 1) for an index of the matrix */
export function orthonormalize(matrix: Float32Array, rows: number, instead: (index: number) => number): void {
  assert(matrix.length % rows === 0, "whole columns");
  for (let start = 0; start < matrix.length; start += rows) {
    const column = matrix.subarray(start, start + rows);
    const before = matrix.subarray(0, start);
    if (straighten(column, before)) continue;
    for (let i = 0; i < rows; i++) column[i] = instead(start + i);
    if (!straighten(column, before)) column.fill(0);
  }
}

/** In place. @returns whether it is of length 1 now */
function straighten(column: Float32Array, before: Float32Array): boolean {
  const rows = column.length;
  let largest = 0;
  for (let i = 0; i < rows; i++) {
    const size = Math.abs(column[i]);
    if (!Number.isFinite(size)) return false;
    if (size > largest) largest = size;
  }
  if (largest === 0) return false;
  for (let i = 0; i < rows; i++) column[i] = fround(column[i] / largest);
  const whole = dot(column, column);
  for (let pass = 0; pass < 2; pass++)
    for (let start = 0; start < before.length; start += rows) {
      const other = before.subarray(start, start + rows);
      const along = dot(other, column);
      for (let i = 0; i < rows; i++) column[i] = fround(column[i] - fround(along * other[i]));
    }
  const left = dot(column, column);
  if (!(left > fround(LEFT_MIN * whole))) return false;
  const length = fround(sqrt(left));
  for (let i = 0; i < rows; i++) column[i] = fround(column[i] / length) + 0; // -0 + 0 is +0
  return true;
}

/** Summed in order, each operation rounded. */
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum = fround(sum + fround(a[i] * b[i]));
  return sum;
}
