// Chunked top-k with 2-bit values: of each 4,096 neighbours the 64 largest, as their places and one of four values of their tensor.
// 0.019 bytes a parameter, 215 times fewer than f32. Learns only with error feedback: what is left out must come later.
//
//   | kept u16, per chunk | codebook 4 f32, per tensor | places: Rice-coded gaps, a chunk after the other | codes: 2 bits each |   little-endian
//
//   decoded[place] = codebook of its tensor[code];  0 where nothing was kept
//
// A chunk lies in one tensor: a tensor's last one is shorter and keeps as large a part. Vectors (norms) keep all of their values.
// Source: SparseLoCo (Sarfi et al., 2025), with the compressor of DeMo (Peng et al., 2024). Two departures: chunks are rows of the flat tensor
// instead of 64 x 64 tiles, so that any shape is cut alike; and a code is a sign and one of two magnitudes (Lloyd's, for each sign), where
// the published quantizer takes four equal bins around the mean, which leaves one nearly empty: what was kept is large, whatever its sign.
import { assert } from "../assert.ts";
import type { ParameterTable } from "../parameters.ts";
import { BitReader, BitWriter, riceOf } from "./bits.ts";
import { type Codec, type Decoded, diverged } from "./codec.ts";
import { thresholdOf } from "./largest.ts";
import { signedMagnitudes } from "./magnitudes.ts";
import { Sparse } from "./sparse.ts";

const LEVELS = 4;
export interface ChunkTopKOptions {
  readonly chunk: number;
  readonly k: number;
  readonly feedback: number;
}

/** Values of one chunk: [start, start + length) of the flat vector, of which at most `k` are kept. */
export interface Chunk {
  readonly start: number;
  readonly length: number;
  readonly k: number;
  readonly tensor: number;
}

/** What was kept, one chunk after the other: what a GPU may choose instead. */
export interface Selection {
  readonly counts: Uint16Array; //   per chunk
  readonly places: Uint16Array; //   within the chunk, ascending
  readonly values: Float32Array; //  of these places
}

export class ChunkTopK implements Codec {
  readonly id = 2;
  readonly block: number;
  readonly length: number;
  readonly feedback: number;
  readonly onDevice = true;
  readonly sums = false; // the sum of eight bodies keeps eight times as many values
  readonly chunks: readonly Chunk[];
  readonly bodyBytesMax: number;
  readonly #tensors: number;
  readonly #headBytes: number;

  constructor({ tensors, length }: ParameterTable, { chunk, k, feedback }: ChunkTopKOptions) {
    this.block = chunk;
    this.length = length;
    this.feedback = feedback;
    this.#tensors = tensors.length;
    const chunks: Chunk[] = [];
    let bits = 0;
    let kept = 0;
    for (const [tensor, { shape, offset, length: floats }] of tensors.entries())
      for (let at = 0; at < floats; at += chunk) {
        const size = Math.min(chunk, floats - at);
        const most = shape.length === 1 ? size : Math.ceil((k * size) / chunk);
        chunks.push({ start: offset + at, length: size, k: most, tensor });
        bits += most * (riceOf(size, most) + 5); // c gaps take c · (3.9 + log2(0.69 · length / c)) bits at most, which grows with c
        kept += most;
      }
    this.chunks = chunks;
    this.#headBytes = 2 * chunks.length + 4 * LEVELS * tensors.length;
    this.bodyBytesMax = this.#headBytes + Math.ceil(bits / 8) + Math.ceil(kept / 4);
  }

  encode(values: Float32Array): Uint8Array {
    return this.pack(this.select(values));
  }

  /** The k largest magnitudes of each chunk; of equal ones the first; zeros never. @throws RangeError as encode does */
  select(values: Float32Array): Selection {
    assert(values.length === this.length, "one value per parameter");
    const kept = this.chunks.reduce((sum, { k }) => sum + k, 0);
    const counts = new Uint16Array(this.chunks.length);
    const places = new Uint16Array(kept);
    let at = 0;
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (const [c, { start, length, k }] of this.chunks.entries()) {
      const before = at;
      const chosen = thresholdOf(bits.subarray(start, start + length), k);
      if ("bad" in chosen) throw diverged(values[start + chosen.bad], start, start + length);
      const { threshold } = chosen;
      let left = chosen.ties;
      for (let i = 0; i < length; i++) {
        const magnitude = bits[start + i] & 0x7fff_ffff;
        if (magnitude > threshold) places[at++] = i;
        else if (magnitude === threshold && left > 0 && magnitude > 0) {
          places[at++] = i;
          left--;
        }
      }
      counts[c] = at - before;
    }
    const chosen = new Float32Array(at);
    let n = 0;
    for (const [c, { start }] of this.chunks.entries())
      for (const end = n + counts[c]; n < end; n++) chosen[n] = values[start + places[n]];
    return { counts, places: places.slice(0, at), values: chosen };
  }

  /** The body of a selection, wherever it was made. */
  pack({ counts, places, values }: Selection): Uint8Array {
    assert(counts.length === this.chunks.length && places.length === values.length, "a selection of this model");
    const gaps = new BitWriter(values.length);
    const codes = new Uint8Array(Math.ceil(values.length / 4));
    const codebooks = new Float32Array(LEVELS * this.#tensors);
    let n = 0;
    for (let c = 0; c < this.chunks.length; ) {
      const { tensor } = this.chunks[c];
      const from = n;
      for (; c < this.chunks.length && this.chunks[c].tensor === tensor; c++) {
        const { length, k } = this.chunks[c];
        assert(counts[c] <= k, "a chunk keeps at most its k");
        const rice = riceOf(length, Math.max(1, counts[c]));
        let next = 0;
        for (const end = n + counts[c]; n < end; n++) {
          assert(places[n] >= next && places[n] < length, "places ascend within their chunk");
          gaps.rice(places[n] - next, rice);
          next = places[n] + 1;
        }
      }
      const { codebook, codeOf } = signedMagnitudes(values.subarray(from, n));
      codebooks.set(codebook, LEVELS * tensor);
      for (let i = from; i < n; i++) codes[i >> 2] |= codeOf(values[i]) << (2 * (i & 3));
    }
    const gapBytes = gaps.bytes();
    const body = new Uint8Array(this.#headBytes + gapBytes.length + codes.length);
    const view = new DataView(body.buffer);
    for (const [c, count] of counts.entries()) view.setUint16(2 * c, count, true);
    for (const [i, level] of codebooks.entries()) view.setFloat32(2 * counts.length + 4 * i, level, true);
    body.set(gapBytes, this.#headBytes);
    body.set(codes, this.#headBytes + gapBytes.length);
    return body;
  }

  read(body: Uint8Array): Decoded | string {
    const { chunks } = this;
    if (body.length < this.#headBytes) return `a body of ${body.length} bytes, fewer than ${this.#headBytes}`;
    if (body.length > this.bodyBytesMax) return `a body of ${body.length} bytes, more than ${this.bodyBytesMax}`;
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    let kept = 0;
    for (const [c, { k }] of chunks.entries()) {
      const count = view.getUint16(2 * c, true);
      if (count > k) return `chunk ${c} keeps ${count} values, more than ${k}`;
      kept += count;
    }
    const codebooks = new Float32Array(LEVELS * this.#tensors);
    for (let i = 0; i < codebooks.length; i++) {
      codebooks[i] = view.getFloat32(2 * chunks.length + 4 * i, true);
      if (!Number.isFinite(codebooks[i])) return `level ${i % LEVELS} of tensor ${i >> 2} is ${codebooks[i]}`;
    }
    const codesAt = body.length - Math.ceil(kept / 4);
    if (codesAt < this.#headBytes) return `a body of ${body.length} bytes, too few for ${kept} values`;
    const codes = body.subarray(codesAt);
    if (kept % 4 !== 0 && codes[codes.length - 1] >>> (2 * (kept % 4)) !== 0) return "bits are set after the last code";

    const places = new Uint32Array(kept);
    const values = new Float32Array(kept);
    const codesByTensor = new Uint32Array(codebooks.length);
    const gaps = new BitReader(body.subarray(this.#headBytes, codesAt));
    let n = 0;
    for (const [c, { start, length, tensor }] of chunks.entries()) {
      const count = view.getUint16(2 * c, true);
      const rice = riceOf(length, Math.max(1, count));
      let next = 0;
      for (const end = n + count; n < end; n++) {
        const place = next + gaps.rice(rice, length);
        if (place >= length) return `a place of chunk ${c} lies beyond its ${length} values`;
        const level = LEVELS * tensor + ((codes[n >> 2] >>> (2 * (n & 3))) & (LEVELS - 1));
        places[n] = start + place;
        values[n] = codebooks[level];
        codesByTensor[level]++;
        next = place + 1;
      }
    }
    if (!gaps.isDone()) return "the places end elsewhere than their bytes";
    let squares = 0;
    for (let i = 0; i < codebooks.length; i++) squares += codesByTensor[i] * (codebooks[i] * codebooks[i]);
    return new Sparse(places, values, this.length, Math.sqrt(squares));
  }
}
