// A partial sum as it crosses an island: blocks of 64 numbers in int8 with one scale.
//
//   scale = max |x| / 127 of the block, code = round(x / scale)          x' = scale · code, off by at most half a scale
import { zeros } from "./vector.ts";

export const SHARD_BLOCK = 64;

export interface Shard {
  readonly scales: Float32Array;
  readonly codes: Int8Array;
}

export function encodeShard(x: ArrayLike<number>): Shard {
  const scales = new Float32Array(Math.ceil(x.length / SHARD_BLOCK));
  const codes = new Int8Array(x.length);
  for (const [block] of scales.entries()) {
    const start = block * SHARD_BLOCK;
    const end = Math.min(start + SHARD_BLOCK, x.length);
    let most = 0;
    for (let i = start; i < end; i++) most = Math.max(most, Math.abs(x[i]));
    scales[block] = most / 127;
    for (let i = start; i < end; i++) codes[i] = scales[block] === 0 ? 0 : Math.floor(x[i] / scales[block] + 0.5);
  }
  return { scales, codes };
}

export function decodeShard({ scales, codes }: Shard): Float32Array {
  const x = zeros(scales, codes.length);
  for (let i = 0; i < x.length; i++) x[i] = scales[Math.floor(i / SHARD_BLOCK)] * codes[i];
  return x;
}

/** As the kernels bind it: scales, then codes, four a word. */
export function shardWordsOf({ scales, codes }: Shard): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(scales.length + codes.length / 4);
  words.set(new Uint32Array(scales.buffer, scales.byteOffset, scales.length));
  words.set(new Uint32Array(codes.buffer, codes.byteOffset, codes.length / 4), scales.length);
  return words;
}

export function shardFrom(words: Uint32Array, length: number): Shard {
  const blocks = Math.ceil(length / SHARD_BLOCK);
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength).slice();
  return { scales: new Float32Array(bytes.buffer, 0, blocks), codes: new Int8Array(bytes.buffer, 4 * blocks, length) };
}
