// E3M0: a sign and three bits of exponent, no mantissa; one scale for each 256 values. 0.508 bytes a parameter.
//
//   decoded[i] = scale of its block · level,  level 0 or ±2^(e − 3) for e = 1 to 7: 0.25 to 16;  scale = max |value| of the block / 16, as bf16
//   code       = 0 to 14, levels ascending: -16, -8, ... -0.25, 0, 0.25, ... 16
//
// Error: a third of a value at most from 0.25 scales on, 0.125 scales below. Relative squared error 3.8e-2 where values are normal, 3.2e-2 for
// Student's t(4): outliers cost nothing.
// Source: what Streaming DiLoCo (Douillard et al., 2025) sends its outer gradients as; their scale is not published, this one is ours.
import type { Grid } from "./low-bits.ts";
import { largestOf } from "./low-bits.ts";

const SIZES = [0.25, 0.5, 1, 2, 4, 8, 16];

export const e3m0 = (feedback?: number): Grid => ({
  id: 6,
  block: 256,
  bits: 4,
  unit: Float32Array.from([...SIZES.map((size) => -size).reverse(), 0, ...SIZES]),
  fit: (values) => [largestOf(values) / 16],
  feedback,
});
