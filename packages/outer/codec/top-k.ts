// Top-k: of each tensor the k largest magnitudes, wherever they lie, with their places and values as int8 blocks. At one in 100: 0.0205 bytes a parameter.
//
//   | kept u32, per tensor | values: a body of int8 blocks, of all kept ones in order | places: Rice-coded gaps, a tensor after the other | little-endian
//
//   decoded[place] = its value;  0 where nothing was kept
//
// A tensor keeps ceil(length / every) values at most; vectors (norms) keep all of theirs. Error: at most (1 − 1 / every) of the squares, and int8's. Against
// chunk-top-k: the same number of values may lie anywhere in their tensor, and each keeps 8 bits instead of 2, for 16 bits a value instead of 9.5. Learns only with
// error feedback.
// Source: Aji and Heafield, 2017; with error feedback Stich et al., 2018. DGC (Lin et al., 2018) keeps 1 in 1,000 so,
// with momentum in its feedback (feedback.ts); its warm-up, in which fewer are left out, is not here.
import { assert } from "../assert.ts";
import type { ParameterTable } from "../parameters.ts";
import { BitReader, BitWriter, riceOf } from "./bits.ts";
import { type Codec, type Decoded, diverged } from "./codec.ts";
import { int8Block } from "./int8-block.ts";
import { thresholdOf } from "./largest.ts";
import { Sparse } from "./sparse.ts";

const INT8_BLOCK = 256;

export interface TopKOptions {
  readonly every: number;
  readonly feedback: number;
  readonly momentum?: number | undefined;
}

export function topK({ tensors, length }: ParameterTable, { every, feedback, momentum }: TopKOptions): Codec {
  const most = tensors.map((tensor) => (tensor.shape.length === 1 ? tensor.length : Math.ceil(tensor.length / every)));
  const keptMax = most.reduce((sum, k) => sum + k, 0);
  const headBytes = 4 * tensors.length;
  // c gaps take c · (3.9 + log2(0.69 · length / c)) bits at most, which grows with c
  const bits = tensors.reduce((sum, tensor, t) => sum + most[t] * (riceOf(tensor.length, most[t]) + 5), 0);

  function encode(values: Float32Array): Uint8Array {
    assert(values.length === length, "one value per parameter");
    const patterns = new Uint32Array(values.buffer, values.byteOffset, values.length);
    const counts = new Uint32Array(tensors.length);
    const kept = new Float32Array(keptMax);
    const gaps = new BitWriter(2 * keptMax);
    let n = 0;
    for (const [t, { offset, length: floats }] of tensors.entries()) {
      const own = patterns.subarray(offset, offset + floats);
      const chosen = thresholdOf(own, most[t]);
      if ("bad" in chosen) throw diverged(values[offset + chosen.bad], offset, offset + floats);
      let ties = chosen.ties;
      const places: number[] = [];
      for (let i = 0; i < floats; i++) {
        const magnitude = own[i] & 0x7fff_ffff;
        if (magnitude < chosen.threshold || magnitude === 0) continue;
        if (magnitude === chosen.threshold && ties-- <= 0) continue;
        places.push(i);
        kept[n++] = values[offset + i];
      }
      counts[t] = places.length;
      const rice = riceOf(floats, Math.max(1, places.length));
      for (const [i, place] of places.entries()) gaps.rice(i === 0 ? place : place - places[i - 1] - 1, rice);
    }
    const inner = int8Block(n, INT8_BLOCK).encode(kept.subarray(0, n));
    const gapBytes = gaps.bytes();
    const body = new Uint8Array(headBytes + inner.length + gapBytes.length);
    body.set(new Uint8Array(counts.buffer));
    body.set(inner, headBytes);
    body.set(gapBytes, headBytes + inner.length);
    return body;
  }

  function read(body: Uint8Array): Decoded | string {
    if (body.length < headBytes) return `a body of ${body.length} bytes, fewer than ${headBytes}`;
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const counts = tensors.map((_, t) => view.getUint32(4 * t, true));
    const over = counts.findIndex((count, t) => count > most[t]);
    if (over !== -1) return `tensor ${over} keeps ${counts[over]} values, more than ${most[over]}`;
    const kept = counts.reduce((sum, count) => sum + count, 0);
    const inner = int8Block(kept, INT8_BLOCK);
    const gapsAt = headBytes + inner.bodyBytesMax;
    if (body.length < gapsAt) return `a body of ${body.length} bytes, too few for ${kept} values`;
    const decoded = inner.read(body.subarray(headBytes, gapsAt));
    if (typeof decoded === "string") return decoded;
    const places = new Uint32Array(kept);
    const gaps = new BitReader(body.subarray(gapsAt));
    let n = 0;
    for (const [t, { offset, length: floats }] of tensors.entries()) {
      const rice = riceOf(floats, Math.max(1, counts[t]));
      let next = 0;
      for (const end = n + counts[t]; n < end; n++) {
        const place = next + gaps.rice(rice, floats);
        if (place >= floats) return `a place of tensor ${t} lies beyond its ${floats} values`;
        places[n] = offset + place;
        next = place + 1;
      }
    }
    if (!gaps.isDone()) return "the places end elsewhere than their bytes";
    const values = new Float32Array(kept);
    decoded.addTo(values, 1, 0, kept);
    return new Sparse(places, values, length, decoded.norm());
  }

  return {
    id: 10,
    block: every,
    length,
    feedback,
    ...(momentum !== undefined && { momentum }),
    sums: false, // the sum of eight bodies keeps eight times as many values
    bodyBytesMax: headBytes + int8Block(keptMax, INT8_BLOCK).bodyBytesMax + Math.ceil(bits / 8),
    encode,
    read,
  };
}
