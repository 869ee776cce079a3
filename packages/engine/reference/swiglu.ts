// SwiGLU's elementwise part: hidden = silu(gate) · up, silu(x) = x · sigmoid(x). The three matmuls around it are matmul.ts.
import { type Vector, zeros } from "./vector.ts";

/** gate and up (N, F) -> hidden (N, F) */
export function swigluForward<A extends Vector>({ gate, up }: { readonly gate: A; readonly up: A }): A {
  const hidden = zeros(gate, gate.length);
  for (let i = 0; i < gate.length; i++) hidden[i] = (gate[i] / (1 + Math.exp(-gate[i]))) * up[i];
  return hidden;
}

/** dHidden (N, F) -> dGate and dUp (N, F) */
export function swigluBackward<A extends Vector>({
  gate,
  up,
  dHidden,
}: {
  readonly gate: A;
  readonly up: A;
  readonly dHidden: A;
}): { dGate: A; dUp: A } {
  const dGate = zeros(gate, gate.length);
  const dUp = zeros(gate, gate.length);
  for (let i = 0; i < gate.length; i++) {
    const sigmoid = 1 / (1 + Math.exp(-gate[i]));
    dGate[i] = dHidden[i] * up[i] * sigmoid * (1 + gate[i] * (1 - sigmoid));
    dUp[i] = dHidden[i] * gate[i] * sigmoid;
  }
  return { dGate, dUp };
}
