// int4 blocks: of 64 neighbours one scale, of each value a whole number from -7 to 7. 0.53 bytes a parameter.
//
//   decoded[i] = scale of its block · (code − 7),  code 0 to 14;  scale = max |value| of the block / 7, as bf16
//
// Error: half a scale a value, a scale more at a block's largest. Relative squared error 1.2e-2 where values are normal, 2.7e-2 where they are Student's
// t(4): outliers cost their block. Rotation (hadamard.ts) makes both 1.1e-2. Wants no error feedback; with it the error comes later.
import type { Grid } from "./low-bits.ts";
import { largestOf } from "./low-bits.ts";

export const int4Block = (feedback?: number): Grid => ({
  id: 5,
  block: 64,
  bits: 4,
  unit: Float32Array.from({ length: 15 }, (_, code) => code - 7),
  fit: (values) => [largestOf(values) / 7],
  feedback,
});
