// Q8_0 of ggml: blocks of 32 neighbours of a row, each a scale and 32 codes.
//
//   | scale f16 | code i8 x 32 |        value ≈ scale · code        scale = max |value| / 127; the code is rounded by the f32 scale, half away from zero
import { toHalf } from "#outer";
import { fitsF16 } from "./floats.ts";

export const Q8_BLOCK = 32;
export const Q8_BLOCK_BYTES = 2 + Q8_BLOCK;

/** @param values of whole blocks, finite. @returns undefined where a scale is beyond f16 */
export function quantizeQ8(values: Float32Array): Uint8Array<ArrayBuffer> | undefined {
  const blocks = values.length / Q8_BLOCK;
  const bytes = new Uint8Array(blocks * Q8_BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  const scales = new Float32Array(blocks);
  for (let b = 0; b < blocks; b++) {
    let largest = 0;
    for (let i = 0; i < Q8_BLOCK; i++) largest = Math.max(largest, Math.abs(values[b * Q8_BLOCK + i]));
    scales[b] = largest / 127;
    const inverse = scales[b] === 0 ? 0 : Math.fround(1 / scales[b]);
    for (let i = 0; i < Q8_BLOCK; i++) {
      const scaled = Math.fround(values[b * Q8_BLOCK + i] * inverse);
      view.setInt8(b * Q8_BLOCK_BYTES + 2 + i, Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5));
    }
  }
  if (!fitsF16(scales)) return undefined;
  for (const [b, half] of toHalf(scales).entries()) view.setUint16(b * Q8_BLOCK_BYTES, half, true);
  return bytes;
}
