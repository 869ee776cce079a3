// An update: one peer's pseudo-gradient, as int8 blocks. A blob; the offer names its hash.
//
//   0        4         6       8       12           16          20       24             56            56 + 4·blocks
//   | "GUPD" | version | codec | round | parameters | blockSize | tokens | base hash 32 | scales f32 … | codes int8 …
//            | u16     | u16   | u32   | u32        | u32       | u32    |              | per block     | per parameter     little-endian
//
//   decoded[i] = fround(scale[block of i] · code[i]),  code in [-127, 127],  scale = max |delta| of the block / 127
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import { assert } from "./assert.ts";

export const UPDATE_VERSION = 1;
const CODEC_INT8_BLOCK = 1;
/** The scales follow. */
export const UPDATE_HEADER_BYTES = 56;
const MAGIC = 0x4450_5547; // "GUPD" as a little-endian u32
const CODE_MAX = 127;
const { fround } = Math;

export interface Update {
  readonly round: number;
  readonly tokens: number;
  readonly length: number; //         parameters
  readonly blockSize: number;
  readonly scales: Float32Array; //   one per block, finite, not negative
  readonly codes: Int8Array; //       one per parameter: a view of the blob
}

/** Bytes of an encoded update of that many parameters: 1.016 bytes per parameter at blockSize 256. */
export const updateBytes = (length: number, blockSize: number): number =>
  UPDATE_HEADER_BYTES + 4 * Math.ceil(length / blockSize) + length;

/**
 * Encodes a pseudo-gradient (mark - local).
 * @throws RangeError when it holds a value that is not finite or too large to decode: the training diverged, and there is nothing to offer.
 */
export function encodeUpdate(given: {
  round: number;
  baseHash: string;
  tokens: number;
  delta: Float32Array;
  blockSize: number;
}): Uint8Array {
  const { delta, blockSize } = given;
  const bytes = new Uint8Array(updateBytes(delta.length, blockSize));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, UPDATE_VERSION, true);
  view.setUint16(6, CODEC_INT8_BLOCK, true);
  view.setUint32(8, given.round, true);
  view.setUint32(12, delta.length, true);
  view.setUint32(16, blockSize, true);
  view.setUint32(20, given.tokens, true);
  const base = hexToBytes(given.baseHash);
  assert(base.length === 32, "the base hash has 32 bytes");
  bytes.set(base, 24);

  const blocks = Math.ceil(delta.length / blockSize);
  const codes = new Int8Array(bytes.buffer, UPDATE_HEADER_BYTES + 4 * blocks, delta.length);
  for (let block = 0; block < blocks; block++) {
    const start = block * blockSize;
    const end = Math.min(start + blockSize, delta.length);
    let largest = 0;
    for (let i = start; i < end; i++) {
      const size = Math.abs(delta[i]);
      if (!(size <= largest)) largest = size; // NaN is not <= anything: it stays, and is caught below
      if (Number.isNaN(size)) break;
    }
    const scale = fround(largest / CODE_MAX);
    if (!Number.isFinite(fround(scale * CODE_MAX)))
      throw new RangeError(
        `the pseudo-gradient holds ${largest} among parameters ${start} to ${end - 1}: training diverged`,
      );
    view.setFloat32(UPDATE_HEADER_BYTES + 4 * block, scale, true);
    if (scale === 0) continue; // codes stay 0
    for (let i = start; i < end; i++) {
      const code = Math.round(delta[i] / scale);
      codes[i] = Math.max(-CODE_MAX, Math.min(CODE_MAX, code)); // a tiny (subnormal) scale rounds coarsely
    }
  }
  return bytes;
}

export interface ExpectedUpdate {
  readonly round: number;
  readonly baseHash: string;
  readonly length: number;
  readonly tokens: number; //   as the signed offer says
  readonly blockSize?: number; // as the spec says; default 256
}

/** The update, or why its weight is 0 by rule: the same answer on every machine, whatever the bytes. Never throws. */
export function readUpdate(bytes: Uint8Array, expected: ExpectedUpdate): Update | string {
  const { round, length, tokens, blockSize = 256 } = expected;
  if (bytes.length < UPDATE_HEADER_BYTES) return `${bytes.length} bytes are too few for an update`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) return "not an update: wrong magic";
  if (view.getUint16(4, true) !== UPDATE_VERSION) return `update version ${view.getUint16(4, true)} is unknown`;
  if (view.getUint16(6, true) !== CODEC_INT8_BLOCK) return `codec ${view.getUint16(6, true)} is unknown`;
  if (view.getUint32(8, true) !== round) return `made for round ${view.getUint32(8, true)}, not ${round}`;
  if (view.getUint32(12, true) !== length) return `has ${view.getUint32(12, true)} parameters, not ${length}`;
  if (view.getUint32(16, true) !== blockSize) return `block size ${view.getUint32(16, true)}, not ${blockSize}`;
  if (view.getUint32(20, true) !== tokens) return `says ${view.getUint32(20, true)} tokens, its offer ${tokens}`;
  if (bytesToHex(bytes.subarray(24, 56)) !== expected.baseHash) return "made from another anchor";
  if (bytes.length !== updateBytes(length, blockSize))
    return `${bytes.length} bytes, not ${updateBytes(length, blockSize)}`;

  const scales = new Float32Array(Math.ceil(length / blockSize));
  for (let block = 0; block < scales.length; block++) {
    const scale = view.getFloat32(UPDATE_HEADER_BYTES + 4 * block, true);
    if (!Number.isFinite(fround(scale * CODE_MAX)) || scale < 0 || Object.is(scale, -0))
      return `the scale of block ${block} is ${Object.is(scale, -0) ? "-0" : scale}`;
    scales[block] = scale;
  }
  const codes = new Int8Array(bytes.buffer, bytes.byteOffset + UPDATE_HEADER_BYTES + 4 * scales.length, length);
  const bad = codes.indexOf(-128);
  if (bad !== -1) return `the code of parameter ${bad} is -128`;
  return { round, tokens, length, blockSize, scales, codes };
}

/** accumulator[i - start] += weight · decoded[i] for i in [start, end), each operation rounded to f32. */
export function addTo(update: Update, accumulator: Float32Array, weight: number, start: number, end: number): void {
  const { scales, codes, blockSize } = update;
  assert(start >= 0 && end <= update.length && accumulator.length >= end - start, "the range lies in both");
  const w = fround(weight);
  for (let blockStart = start; blockStart < end; ) {
    const block = Math.floor(blockStart / blockSize);
    const blockEnd = Math.min((block + 1) * blockSize, end);
    const scale = scales[block];
    for (let i = blockStart; i < blockEnd; i++) {
      const term = fround(w * fround(scale * codes[i]));
      accumulator[i - start] = fround(accumulator[i - start] + term);
    }
    blockStart = blockEnd;
  }
}

/** L2 norm: sqrt of the sum over blocks, in order, of scale² · (sum of codes², an exact integer), in f64: the same bits everywhere. */
export function updateNorm(update: Update): number {
  const { scales, codes, blockSize } = update;
  let sum = 0;
  for (let block = 0; block < scales.length; block++) {
    const end = Math.min((block + 1) * blockSize, codes.length);
    let squares = 0;
    for (let i = block * blockSize; i < end; i++) squares += codes[i] * codes[i];
    sum += scales[block] * scales[block] * squares;
  }
  return Math.sqrt(sum);
}
