// Rotation before few bits: outliers are spread over their block, so that the block's largest value, and with it every value's error, is smaller.
//
//   encoded   y = H · D · x / 16     per 256 neighbours; D: a sign for each value, drawn for the round; H: the Walsh-Hadamard matrix
//   decoded   x = D · H · y / 16     H is its own inverse but for the 256 = 16²
//
// A last block of fewer than 256 values stays as it is. Decoding is canonical in f32: the products with 1/16 first, then eight stages of sums and
// differences of places 1, 2, 4 ... 128 apart, each rounded, then the signs. Rotation keeps lengths: the norm is that of the encoded values.
// Source: QuIP and HALO (Ashkboos et al., 2024) rotate so; only its use for communication is taken. Rotated int4 of Student's t(4) values has less
// than half of the squared error of int4 alone.
import { assert } from "../assert.ts";
import { bitsAt } from "../random.ts";
import { type Codec, type Decoded, refuseBeyond } from "./codec.ts";

const BLOCK = 256;
const { fround } = Math;
/** Sums of 256 values stay finite below it. */
const NORM_MAX = 1e38;

/** @param key of the round's signs */
export function hadamard(inner: Codec, key: number): Codec {
  return {
    ...inner,
    encode: (values) => {
      refuseBeyond(NORM_MAX / 4, values); // few bits may double a value
      const rotated = values.slice();
      for (let start = 0; start + BLOCK <= rotated.length; start += BLOCK) {
        const block = rotated.subarray(start, start + BLOCK);
        flip(block, key, start);
        transform(block);
      }
      return inner.encode(rotated);
    },
    read: (body) => {
      const decoded = inner.read(body);
      if (typeof decoded === "string") return decoded;
      return decoded.norm() < NORM_MAX ? new Rotated(decoded, inner.length, key) : `a norm of ${decoded.norm()}`;
    },
  };
}

class Rotated implements Decoded {
  readonly #inner: Decoded;
  readonly #length: number;
  readonly #key: number;

  constructor(inner: Decoded, length: number, key: number) {
    this.#inner = inner;
    this.#length = length;
    this.#key = key;
  }

  norm(): number {
    return this.#inner.norm();
  }

  addTo(accumulator: Float32Array, weight: number, start: number, end: number): void {
    assert(start >= 0 && end <= this.#length && accumulator.length >= end - start, "the range lies in both");
    const w = fround(weight);
    const block = new Float32Array(BLOCK);
    for (let from = start - (start % BLOCK); from < end; from += BLOCK) {
      const to = Math.min(from + BLOCK, this.#length);
      block.fill(0);
      this.#inner.addTo(block, 1, from, to);
      if (to - from === BLOCK) {
        transform(block);
        flip(block, this.#key, from);
      }
      for (let i = Math.max(from, start); i < Math.min(to, end); i++)
        accumulator[i - start] = fround(accumulator[i - start] + fround(w * block[i - from]));
    }
  }
}

/** block · H / 16, in place. */
function transform(block: Float32Array): void {
  for (let i = 0; i < BLOCK; i++) block[i] = fround(block[i] / 16);
  for (let apart = 1; apart < BLOCK; apart *= 2)
    for (let start = 0; start < BLOCK; start += 2 * apart)
      for (let i = start; i < start + apart; i++) {
        const a = block[i];
        const b = block[i + apart];
        block[i] = fround(a + b);
        block[i + apart] = fround(a - b);
      }
}

/** The signs of the round: of a value at place p, bit p mod 32 of word p / 32; a 1 turns it. */
function flip(block: Float32Array, key: number, start: number): void {
  for (let i = 0; i < BLOCK; i += 32) {
    const bits = bitsAt(key, (start + i) / 32);
    for (let bit = 0; bit < 32; bit++) if ((bits >>> bit) & 1) block[i + bit] = -block[i + bit];
  }
}
