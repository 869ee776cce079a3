// int8 blocks: one f32 scale for each 256 values, one signed byte for each value. 1.016 bytes a parameter, relative squared error 5e-5.
//
//   | scales f32, one per block | codes int8, one per parameter |                                little-endian
//
//   decoded[i] = fround(scale[block of i] · code[i]),  code in [-127, 127],  scale = max |value| of the block / 127
import { assert } from "../assert.ts";
import { type Codec, type Decoded, diverged } from "./codec.ts";

const CODE_MAX = 127;
const { fround } = Math;

export function int8Block(length: number, block: number): Codec {
  const blocks = Math.ceil(length / block);
  const bodyBytes = 4 * blocks + length;
  return {
    id: 1,
    block,
    length,
    bodyBytesMax: bodyBytes,
    sums: true,
    onDevice: true,
    encode: (values) => encode(values, block),
    read: (body) =>
      body.length === bodyBytes ? read(body, length, block) : `a body of ${body.length} bytes, not ${bodyBytes}`,
  };
}

function encode(values: Float32Array, block: number): Uint8Array {
  const blocks = Math.ceil(values.length / block);
  const bytes = new Uint8Array(4 * blocks + values.length);
  const view = new DataView(bytes.buffer);
  const codes = new Int8Array(bytes.buffer, 4 * blocks);
  for (let b = 0; b < blocks; b++) {
    const start = b * block;
    const end = Math.min(start + block, values.length);
    let largest = 0;
    for (let i = start; i < end; i++) {
      const size = Math.abs(values[i]);
      if (!(size <= largest)) largest = size; // NaN is not <= anything: it stays, and is caught below
      if (Number.isNaN(size)) break;
    }
    const scale = fround(largest / CODE_MAX);
    if (!Number.isFinite(fround(scale * CODE_MAX))) throw diverged(largest, start, end);
    view.setFloat32(4 * b, scale, true);
    if (scale === 0) continue; // codes stay 0
    for (let i = start; i < end; i++) {
      const code = Math.round(values[i] / scale);
      codes[i] = Math.max(-CODE_MAX, Math.min(CODE_MAX, code)); // a tiny (subnormal) scale rounds coarsely
    }
  }
  return bytes;
}

function read(body: Uint8Array, length: number, block: number): Int8Blocks | string {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const scales = new Float32Array(Math.ceil(length / block));
  for (let b = 0; b < scales.length; b++) {
    const scale = view.getFloat32(4 * b, true);
    if (!Number.isFinite(fround(scale * CODE_MAX)) || scale < 0 || Object.is(scale, -0))
      return `the scale of block ${b} is ${Object.is(scale, -0) ? "-0" : scale}`;
    scales[b] = scale;
  }
  const codes = new Int8Array(body.buffer, body.byteOffset + 4 * scales.length, length);
  const bad = codes.indexOf(-128);
  if (bad !== -1) return `the code of parameter ${bad} is -128`;
  return new Int8Blocks(scales, codes, block);
}

export class Int8Blocks implements Decoded {
  readonly scales: Float32Array; // one per block, finite, not negative
  readonly codes: Int8Array; //     one per parameter: a view of the body
  readonly #block: number;

  constructor(scales: Float32Array, codes: Int8Array, block: number) {
    this.scales = scales;
    this.codes = codes;
    this.#block = block;
  }

  /** sqrt of the sum over blocks, in order, of scale² · (sum of codes², an exact integer). */
  norm(): number {
    const { scales, codes } = this;
    let sum = 0;
    for (let b = 0; b < scales.length; b++) {
      const end = Math.min((b + 1) * this.#block, codes.length);
      let squares = 0;
      for (let i = b * this.#block; i < end; i++) squares += codes[i] * codes[i];
      sum += scales[b] * scales[b] * squares;
    }
    return Math.sqrt(sum);
  }

  addTo(accumulator: Float32Array, weight: number, start: number, end: number): void {
    const { scales, codes } = this;
    assert(start >= 0 && end <= codes.length && accumulator.length >= end - start, "the range lies in both");
    const w = fround(weight);
    for (let from = start; from < end; ) {
      const b = Math.floor(from / this.#block);
      const to = Math.min((b + 1) * this.#block, end);
      const scale = scales[b];
      for (let i = from; i < to; i++) {
        const term = fround(w * fround(scale * codes[i]));
        accumulator[i - start] = fround(accumulator[i - start] + term);
      }
      from = to;
    }
  }
}
