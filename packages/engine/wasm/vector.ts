// What the kernels of vectors share: e^x by a polynomial, sums and maxima over lanes, walks along a row.
import { type Body, type Code, f32, f32x4, i32, i32x4, type Local, v128 } from "./assembler.ts";

type V = Code<"v128">;

const LOG2_E = Math.LOG2E;
/** ln 2 in two parts: the first has so few bits that n·LN2_HIGH is exact. */
const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444005469057e-4;
/** (e^r - 1 - r) / r² for |r| <= ln 2 / 2, by powers from the highest (Cephes, expf). */
const EXP_POLYNOMIAL = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
];
/** Below this the result is 0, above EXP_MAX it stays at e^EXP_MAX: no denormals, no infinities. */
const EXP_MIN = -87;
const EXP_MAX = 88;

/** e^x in every lane: at most 2 units in the last place off between EXP_MIN and EXP_MAX. */
export function exp(f: Body, x: V): Local<"v128"> {
  const constant = (value: number) => f32x4.splat(value);
  const given = f.vector(x);
  const inside = f.vector(f32x4.min(f32x4.max(given, constant(EXP_MIN)), constant(EXP_MAX)));
  const n = f.vector(f32x4.nearest(f32x4.mul(inside, constant(LOG2_E))));
  const r = f.vector(f32x4.sub(inside, f32x4.mul(n, constant(LN2_HIGH))));
  f.set(r, f32x4.sub(r, f32x4.mul(n, constant(LN2_LOW))));
  const sum = f.vector(constant(EXP_POLYNOMIAL[0]));
  for (const factor of EXP_POLYNOMIAL.slice(1)) f.set(sum, f32x4.add(f32x4.mul(sum, r), constant(factor)));
  f.set(sum, f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(sum, r), r), r), constant(1)));
  const power = i32x4.shl(i32x4.add(i32x4.truncate(n), i32x4.splat(127)), 23); // 2^n, as the bits of a float
  return f.vector(v128.and(f32x4.mul(sum, power), f32x4.greater(given, constant(EXP_MIN))));
}

/** 1 / (1 + e^-x) */
export function sigmoid(f: Body, x: V): Local<"v128"> {
  const one = f32x4.splat(1);
  return f.vector(f32x4.div(one, f32x4.add(one, exp(f, f32x4.neg(x)))));
}

/** The sum of a vector's four lanes. */
export const total = (x: Local<"v128">): Code<"f32"> =>
  f32.add(f32.add(f32.lane(x, 0), f32.lane(x, 1)), f32.add(f32.lane(x, 2), f32.lane(x, 3)));

export const largest = (x: Local<"v128">): Code<"f32"> =>
  f32.max(f32.max(f32.lane(x, 0), f32.lane(x, 1)), f32.max(f32.lane(x, 2), f32.lane(x, 3)));

/** Byte offsets 0, 16, … below `bytes`, a multiple of 16: one vector of a row at a time. */
export function alongRow(f: Body, bytes: Code<"i32"> | number, body: (at: Local<"i32">) => void): void {
  const at = f.int();
  f.for(at, 0, bytes, 16, () => body(at));
}

/** The rows of one task: counter from task·perTask to the lesser of `rows` and the next task's first. */
export function rowsOfTask(
  f: Body,
  { task, perTask, rows }: { task: Local<"i32">; perTask: Local<"i32">; rows: Local<"i32"> },
  body: (row: Local<"i32">) => void,
): void {
  const first = f.int(i32.mul(task, perTask));
  const end = f.int(i32.min(i32.add(first, perTask), rows));
  const row = f.int();
  f.for(row, first, end, 1, () => body(row));
}
