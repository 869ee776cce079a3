// f16 on the CPU, which has no such array everywhere yet: what crosses to and from a device's bindings that are stored so, and a codec's values.
// Integers decide, so every machine makes the same bits.
//
//   sign 1 | exponent 5, biased by 15 | fraction 10        11 significant bits; 65,504 is the largest, 2^-24 the smallest

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** 2^-24, of which f16's subnormals are multiples. */
const SMALLEST = 5.960_464_477_539_062_5e-8;

/** To the nearest, ties to even, as a device converts; beyond 65,504 it is infinite. */
export function toHalf(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) halves[i] = halfBits(values[i]);
  return halves;
}

function halfBits(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const size = bits[0] & 0x7fff_ffff;
  if (size > 0x7f80_0000) return sign | 0x7e00; // NaN
  if (size >= 0x4780_0000) return sign | 0x7c00; // 65,536 and more; what lies below rounds up to the infinity by its carry
  if (size < 0x3880_0000) return sign | roundEven(Math.abs(float[0]) / SMALLEST); // below 2^-14; a carry makes it normal
  const rest = size & 0x1fff;
  const half = (size - 0x3800_0000) >>> 13;
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && half % 2 === 1) ? 1 : 0));
}

function roundEven(x: number): number {
  const low = Math.floor(x);
  const over = x - low;
  return over > 0.5 || (over === 0.5 && low % 2 === 1) ? low + 1 : low;
}

export function fromHalf(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(halves.length);
  const patterns = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const exponent = (half >>> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) values[i] = (half & 0x8000 ? -fraction : fraction) * SMALLEST;
    else patterns[i] = ((half & 0x8000) << 16) | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
  }
  return values;
}

/** What is left of them in f16. */
export const roundedToHalf = (values: ArrayLike<number>): Float32Array<ArrayBuffer> => fromHalf(toHalf(values));
