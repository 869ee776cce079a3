// Signs: one bit a value, and the mean magnitude of each 1,024. 0.127 bytes a parameter, 31 times fewer than f32. Learns only with error feedback.
//
//   decoded[i] = ± scale of its block,  code 0: minus, 1: plus;  scale = mean |value| of the block, as bf16: the scale of the least squared error
//
// Relative squared error 1 − (E|x|)²/E x²: 0.36 where values are normal, 0.51 where they are Student's t(4). A sign cannot say zero: what was 0 arrives as
// plus or minus the scale, and feedback takes it back.
// Source: EF-signSGD (Karimireddy et al., 2019), by blocks; the worker's half of 1-bit Adam (Tang et al., 2021) compresses so.
import type { Grid } from "./low-bits.ts";

export const sign = (feedback: number): Grid => ({
  id: 7,
  block: 1024,
  bits: 1,
  unit: Float32Array.of(-1, 1),
  fit: (values) => [values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length],
  feedback,
});
