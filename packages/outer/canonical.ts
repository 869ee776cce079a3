// Canonical floats: the one byte form of shared values, f32 little-endian, finite, with -0 as +0.
import { assert } from "./assert.ts";

/** Copies `length` floats with -0 as +0; answers the index of the first non-finite value, or -1. */
export function copyCanonical(from: Float32Array, start: number, to: Float32Array, length: number): number {
  for (let i = 0; i < length; i++) {
    const value = from[start + i];
    if (value - value !== 0) return start + i; // NaN and the infinities
    to[i] = value + 0; // -0 + 0 is +0
  }
  return -1;
}

// Typed arrays use the machine's byte order, and every machine with WebGPU is little-endian: say so once, instead of swapping.
assert(new Uint8Array(Uint16Array.of(1).buffer)[0] === 1, "this machine is little-endian");
