// Floats as other tools' files hold them, little-endian, to and from f32.
//
//   F32   sign 1 | exponent 8 | fraction 23        BF16   the upper half of an F32, rounded to the nearest, ties to even        F16   outer's half.ts
import { fromHalf, toHalf } from "#outer";

export const floatTypes = ["F32", "F16", "BF16"] as const;
export type FloatType = (typeof floatTypes)[number];

export const bytesPerFloat = (type: FloatType): number => (type === "F32" ? 4 : 2);

/** @param bytes of whole values; not kept */
export function floatsFrom(bytes: Uint8Array, type: FloatType): Float32Array<ArrayBuffer> {
  const { buffer } = new Uint8Array(bytes); // a copy, aligned; slice() of a Node Buffer would be a view
  if (type === "F32") return new Float32Array(buffer);
  const halves = new Uint16Array(buffer);
  if (type === "F16") return fromHalf(halves);
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = halves[i] << 16;
  return values;
}

/** @param values finite; beyond 65,504 F16 makes them infinite: see `fitsF16` */
export function bytesFrom(values: Float32Array, type: FloatType): Uint8Array<ArrayBuffer> {
  if (type === "F32") return new Uint8Array(values.slice().buffer);
  return new Uint8Array((type === "F16" ? toHalf(values) : toBrain(values)).buffer);
}

function toBrain(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.slice().buffer);
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) {
    const size = bits[i] & 0x7fff_ffff;
    // Half of the last place, less one, plus the last bit: a tie goes to the even one. Above the largest that BF16 has there is infinity alone.
    const rounded = Math.min(size + 0x7fff + ((size >>> 16) & 1), 0x7f7f_ffff) >>> 16;
    halves[i] = ((bits[i] >>> 16) & 0x8000) | rounded;
  }
  return halves;
}

/** What rounds to more is infinite in F16. */
const F16_MAX = 65_520;

export const fitsF16 = (values: Float32Array): boolean => values.every((value) => Math.abs(value) < F16_MAX);
