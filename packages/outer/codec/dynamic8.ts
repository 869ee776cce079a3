// Dynamic 8 bits: of 256 neighbours the largest magnitude, of each value one of 256 levels that lie close together near zero: seven decades, as
// bitsandbytes has them. 1.008 bytes a parameter.
//
//   decoded[i] = scale of its block · level[code],  scale = max |value| of the block, as bf16
//   levels     = 0, 1 and ±(2^(i+1) + 9 · (2j + 1)) / (10 · 2^(i+1) · 10^(6−i))  for i = 0 to 6, j = 0 to 2^i − 1: ascending, code 0 the lowest
//                the middles of 2^i equal parts of [0.1, 1], times 10^(i−6)
//
// Relative squared error 1.2e-4 where values are normal (int8 blocks: 5e-5), 2.2e-4 for Student's t(4) (1.6e-4): better than int8 only where a
// block's values differ by orders of magnitude, since a value keeps a relative error of about 1 % down to 1e-2 of its block's largest.
// Source: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022.
import type { Grid } from "./low-bits.ts";
import { largestOf } from "./low-bits.ts";

function dynamicLevels(): Float32Array {
  const sizes: number[] = [];
  for (let i = 0, parts = 1, decade = 1_000_000; i <= 6; i++, parts *= 2, decade /= 10)
    for (let j = 0; j < parts; j++) sizes.push((2 * parts + 9 * (2 * j + 1)) / (20 * parts * decade));
  return Float32Array.from([...sizes.map((size) => -size), 0, ...sizes, 1].sort((a, b) => a - b));
}

const UNIT = dynamicLevels();

export const dynamic8: Grid = { id: 11, block: 256, bits: 8, unit: UNIT, fit: (values) => [largestOf(values)] };
