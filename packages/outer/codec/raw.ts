// Values as they are, in f32 or in f16: what low-bit codecs are compared with, and what methods send whose updates must lose nothing.
//
//   f32   | value f32, per parameter |        4 bytes each, no error
//   f16   | value f16, per parameter |        2 bytes each; to the nearest, ties to even: a relative error of 2^-11 at most from 2^-14 (6.1e-5) to
//                                             65,504, and an absolute one of 2^-25 (3e-8) below. What is larger does not encode.
//
//   decoded[i] = value, little-endian. NaN and the infinities do not read.
import { assert } from "../assert.ts";
import { fromHalf, toHalf } from "../half.ts";
import { type Codec, type Decoded, diverged } from "./codec.ts";

const formats = {
  f32: {
    id: 3,
    bytes: 4,
    write: (values: Float32Array) => values.slice(),
    read: (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer),
  },
  f16: {
    id: 4,
    bytes: 2,
    write: (values: Float32Array) => toHalf(values),
    read: (bytes: Uint8Array) => fromHalf(new Uint16Array(bytes.slice().buffer)),
  },
} as const;

export function raw(length: number, name: keyof typeof formats): Codec {
  const { id, bytes, write, read } = formats[name];
  const bodyBytes = bytes * length;
  const readValues = (body: Uint8Array): Float32Array | { bad: number; value: number } => {
    const values = read(body);
    for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return { bad: i, value: values[i] };
    return values;
  };
  return {
    id,
    block: 1,
    length,
    bodyBytesMax: bodyBytes,
    sums: true,
    encode: (values) => {
      const body = new Uint8Array(write(values).buffer);
      const own = readValues(body);
      if ("bad" in own) throw diverged(values[own.bad], own.bad, own.bad + 1);
      return body;
    },
    read: (body) => {
      if (body.length !== bodyBytes) return `a body of ${body.length} bytes, not ${bodyBytes}`;
      const values = readValues(body);
      return "bad" in values ? `the value of parameter ${values.bad} is ${values.value}` : new RawValues(values);
    },
  };
}

class RawValues implements Decoded {
  readonly #values: Float32Array;

  constructor(values: Float32Array) {
    this.#values = values;
  }

  /** sqrt of the sum of the squares, in order. */
  norm(): number {
    let squares = 0;
    const values = this.#values;
    for (let i = 0; i < values.length; i++) squares += values[i] * values[i];
    return Math.sqrt(squares);
  }

  addTo(accumulator: Float32Array, weight: number, start: number, end: number): void {
    const values = this.#values;
    assert(start >= 0 && end <= values.length && accumulator.length >= end - start, "the range lies in both");
    const w = Math.fround(weight);
    for (let i = start; i < end; i++)
      accumulator[i - start] = Math.fround(accumulator[i - start] + Math.fround(w * values[i]));
  }
}
