// f16 on the CPU, which has no such array everywhere yet: what crosses to and from bindings that are stored so.
//
//   sign 1 | exponent 5, biased by 15 | fraction 10        11 significant bits; 65,504 is the largest, 2^-24 the smallest

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** To the nearest, ties to even, as a device converts; beyond 65,504 it is infinite. */
export function toHalf(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  return Uint16Array.from({ length: values.length }, (_, i) => halfBits(values[i]));
}

function halfBits(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const size = Math.abs(float[0]);
  if (Number.isNaN(size)) return sign | 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24); // subnormal: in units of the smallest; a carry makes it normal
  const exponent = (bits[0] >>> 23) & 0xff;
  return sign | roundEven((size * 2 ** (127 - exponent) + (exponent - 113)) * 1024);
}

function roundEven(x: number): number {
  const low = Math.floor(x);
  const over = x - low;
  return over > 0.5 || (over === 0.5 && low % 2 === 1) ? low + 1 : low;
}

export function fromHalf(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(halves, (half) => {
    const [exponent, fraction] = [(half >>> 10) & 31, half & 1023];
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Number.POSITIVE_INFINITY
            : Number.NaN
          : (1024 + fraction) * 2 ** (exponent - 25);
    return half & 0x8000 ? -size : size;
  });
}

/** What is left of them in f16. */
export const roundedToHalf = (values: ArrayLike<number>): Float32Array<ArrayBuffer> => fromHalf(toHalf(values));
