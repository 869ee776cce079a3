// Rotary position embedding, Hugging Face Llama's "rotate half" convention: within a head of size D, component i turns with component i + D/2.
//
//   angle(t, i) = t · theta^(-2i / D)      y[i] = x[i] cos - x[i + D/2] sin      y[i + D/2] = x[i + D/2] cos + x[i] sin
import { type Vector, zeros } from "./vector.ts";

export interface RopeShape {
  readonly B: number;
  readonly T: number;
  readonly heads: number; // NH for queries, kvHeads for keys
  readonly D: number; //     head size, even
  readonly theta: number;
  /** Position of the first row; default: 0. */
  readonly from?: number;
}

/** x (B, T, heads, D) -> y (B, T, heads, D) */
export const ropeForward = <A extends Vector>(x: A, shape: RopeShape): A => rotate(x, shape, 1);

/** dy (B, T, heads, D) -> dx: a rotation's transpose turns back. */
export const ropeBackward = <A extends Vector>(dy: A, shape: RopeShape): A => rotate(dy, shape, -1);

function rotate<A extends Vector>(x: A, { B, T, heads, D, theta, from = 0 }: RopeShape, direction: 1 | -1): A {
  const y = zeros(x, x.length);
  const half = D / 2;
  for (let t = 0; t < T; t++) {
    for (let i = 0; i < half; i++) {
      const angle = direction * (from + t) * theta ** ((-2 * i) / D);
      const cos = Math.cos(angle);
      const sin = Math.sin(angle);
      for (let b = 0; b < B; b++) {
        for (let h = 0; h < heads; h++) {
          const low = ((b * T + t) * heads + h) * D + i;
          y[low] = x[low] * cos - x[low + half] * sin;
          y[low + half] = x[low + half] * cos + x[low] * sin;
        }
      }
    }
  }
  return y;
}
