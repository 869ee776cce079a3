// rANS: codes of few bits in fewer, as often as they occur: what is said about all of a body in one table. Lossless.
//
//   plain body   | numbers … | codes, `bits` each |                                          of a codec of few bits (low-bits.ts)
//   coded body   | numbers … | frequency u16, per level | state u32 | bytes |                frequencies are of 4,096 in all
//
//   write   codes from the last to the first:  while x ≥ 2^19 · f: put x mod 256 before the bytes, x = x / 256;  x = (x / f) · 4096 + x mod f + below
//   read    m = x mod 4096; the code is the one with below ≤ m < below + f;  x = f · (x / 4096) + m − below;  while x < 2^23: x = 256 · x + next byte
//           from the state to 2^23, with which writing began, and all bytes used: else the body does not read
//
// Normal values take 3.51 bits in int4 instead of 4, and 3.48 in E3M0, scales not counted; Student's t(4) 3.1 and 3.6. Reading takes several times as long.
// Source: Duda, 2013; byte by byte as Giesen writes it.
import { assert } from "../assert.ts";
import type { Codec } from "./codec.ts";

const TOTAL = 4096;
const LOW = 2 ** 23;

export interface Symbols {
  /** Of the plain body, before its codes. */
  readonly headBytes: number;
  readonly bits: 1 | 2 | 4 | 8;
  /** Codes are below it. */
  readonly levels: number;
}

export function rans(inner: Codec, symbols: Symbols): Codec {
  const { length } = inner;
  const { headBytes, bits, levels } = symbols;
  const streamAt = headBytes + 2 * levels;
  // Equally frequent codes take all of their bits; frequencies that are rounded to 4,096 parts cost them 0.015 bits more at most.
  const bodyBytesMax = streamAt + 4 + Math.ceil((length * bits) / 8) + Math.ceil(length / 512);
  return {
    ...inner,
    bodyBytesMax,
    encode: (values) => {
      const plain = inner.encode(values);
      const codes = codesOf(plain.subarray(headBytes), length, bits);
      const frequencies = frequenciesOf(codes, levels);
      const stream = write(codes, frequencies);
      const body = new Uint8Array(streamAt + stream.length);
      body.set(plain.subarray(0, headBytes));
      const view = new DataView(body.buffer);
      for (const [code, frequency] of frequencies.entries()) view.setUint16(headBytes + 2 * code, frequency, true);
      body.set(stream, streamAt);
      assert(body.length <= bodyBytesMax, "a body is never larger than it may be");
      return body;
    },
    read: (body) => {
      if (body.length < streamAt + 4) return `a body of ${body.length} bytes, fewer than ${streamAt + 4}`;
      if (body.length > bodyBytesMax) return `a body of ${body.length} bytes, more than ${bodyBytesMax}`;
      const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
      const frequencies = Array.from({ length: levels }, (_, code) => view.getUint16(headBytes + 2 * code, true));
      const total = frequencies.reduce((sum, frequency) => sum + frequency, 0);
      if (total !== TOTAL) return `frequencies of ${total} in all, not ${TOTAL}`;
      const plain = new Uint8Array(headBytes + Math.ceil((length * bits) / 8));
      plain.set(body.subarray(0, headBytes));
      const fault = read(body.subarray(streamAt), frequencies, { into: plain.subarray(headBytes), length, bits });
      return fault ?? inner.read(plain);
    },
  };
}

function codesOf(packed: Uint8Array, length: number, bits: number): Uint8Array {
  const codes = new Uint8Array(length);
  const mask = (1 << bits) - 1;
  for (let i = 0, bit = 0; i < length; i++, bit += bits) codes[i] = (packed[Math.floor(bit / 8)] >>> (bit % 8)) & mask;
  return codes;
}

/** Of 4,096 in all; 1 at least for every code that occurs. */
function frequenciesOf(codes: Uint8Array, levels: number): number[] {
  const counts = new Array<number>(levels).fill(0);
  for (const code of codes) counts[code]++;
  const frequencies = counts.map((count) =>
    count === 0 ? 0 : Math.max(1, Math.round((count / codes.length) * TOTAL)),
  );
  const most = counts.indexOf(Math.max(...counts));
  frequencies[most] += TOTAL - frequencies.reduce((sum, frequency) => sum + frequency, 0);
  return frequencies;
}

function startsOf(frequencies: readonly number[]): number[] {
  let below = 0;
  return frequencies.map((frequency) => {
    below += frequency;
    return below - frequency;
  });
}

/** State and bytes. */
function write(codes: Uint8Array, frequencies: readonly number[]): Uint8Array {
  const starts = startsOf(frequencies);
  const bytes = new Uint8Array(4 + 2 * codes.length); // a code of one part in 4,096 takes 12 bits
  let at = bytes.length;
  let x = LOW;
  for (let i = codes.length - 1; i >= 0; i--) {
    const frequency = frequencies[codes[i]];
    while (x >= (LOW / TOTAL) * 256 * frequency) {
      bytes[--at] = x % 256;
      x = Math.floor(x / 256);
    }
    x = Math.floor(x / frequency) * TOTAL + (x % frequency) + starts[codes[i]];
  }
  at -= 4;
  new DataView(bytes.buffer).setUint32(at, x, true);
  return bytes.subarray(at);
}

/** Sets the packed codes, which are zeros. @returns why the stream does not read */
function read(
  stream: Uint8Array,
  frequencies: readonly number[],
  { into, length, bits }: { readonly into: Uint8Array; readonly length: number; readonly bits: number },
): string | undefined {
  const starts = startsOf(frequencies);
  const codeByPart = new Uint8Array(TOTAL);
  for (const [code, frequency] of frequencies.entries()) codeByPart.fill(code, starts[code], starts[code] + frequency);
  let x = new DataView(stream.buffer, stream.byteOffset, 4).getUint32(0, true);
  if (x < LOW || x >= LOW * 256) return `a state of ${x}`;
  let at = 4;
  for (let i = 0, bit = 0; i < length; i++, bit += bits) {
    const part = x % TOTAL;
    const code = codeByPart[part];
    into[Math.floor(bit / 8)] |= code << (bit % 8);
    x = frequencies[code] * Math.floor(x / TOTAL) + part - starts[code];
    while (x < LOW) {
      if (at === stream.length) return "the codes end before they are all there";
      x = x * 256 + stream[at++];
    }
  }
  if (x !== LOW || at !== stream.length) return "the codes end elsewhere than their bytes";
  return undefined;
}
