// What the tests of codecs share: values of known tails, a body read and decoded whole, and how far it is from what was encoded.
import { noise } from "../test-given.ts";
import type { Codec, Decoded } from "./codec.ts";

export function decodedFrom(decoded: Decoded, length: number): Float32Array {
  const values = new Float32Array(length);
  decoded.addTo(values, 1, 0, length);
  return values;
}

/** What everybody makes of these values. */
export function decodedBy(codec: Codec, values: Float32Array): Float32Array {
  const decoded = codec.read(codec.encode(values));
  if (typeof decoded === "string") throw new Error(decoded);
  return decodedFrom(decoded, codec.length);
}

/** Squared error of what everybody makes of these values, as a part of their squares. */
export function relativeError(codec: Codec, values: Float32Array): number {
  const decoded = decodedBy(codec, values);
  const squares = values.reduce((sum, value) => sum + value * value, 0);
  return values.reduce((sum, value, i) => sum + (value - decoded[i]) ** 2, 0) / squares;
}

/** Normal values, seeded (Box and Muller). */
export function normal(seed: number, length: number): Float32Array {
  const uniform = noise(seed, 2 * length, 0.5).map((value) => value + 0.5);
  return Float32Array.from({ length }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform[2 * i]));
    return radius * Math.cos(2 * Math.PI * uniform[2 * i + 1]);
  });
}

/** Student's t with four degrees of freedom: tails as heavy as those of gradients. */
export function student(seed: number, length: number): Float32Array {
  const parts = Array.from({ length: 5 }, (_, n) => normal(seed + n, length));
  return Float32Array.from({ length }, (_, i) => {
    const squares = parts.slice(1).reduce((sum, values) => sum + values[i] ** 2, 0);
    return parts[0][i] / Math.sqrt(squares / 4);
  });
}
