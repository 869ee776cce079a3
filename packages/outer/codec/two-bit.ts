// Two bits a value: of 1,024 neighbours four levels, for each sign a small and a large magnitude. 0.258 bytes a parameter.
//
//   decoded[i] = level of its block[code];  four levels bf16 a block, ascending as they are made
//
// Lloyd's levels for each sign: relative squared error 0.12 where values are normal (as good as four levels can be), 0.25 for Student's
// t(4). Learns as f32 does
// only with error feedback.
import type { Grid } from "./low-bits.ts";
import { signedMagnitudes } from "./magnitudes.ts";

export const twoBit = (feedback: number): Grid => ({
  id: 8,
  block: 1024,
  bits: 2,
  unit: 4,
  fit: (values) => [...signedMagnitudes(values).codebook],
  feedback,
});
