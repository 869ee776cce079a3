// Cross-entropy, mean over N tokens: loss = (1/N) Σ_n (lse_n - logits[n, target_n]); dlogits = (softmax - onehot) / N.
import { type Vector, zeros } from "./vector.ts";

export interface CrossEntropyShape {
  readonly N: number; // tokens (B·T)
  readonly V: number;
}

/** logits (N, V), targets (N) -> loss in nats (the mean), lse (N) for the backward pass */
export function crossEntropyForward<A extends Vector>(
  { logits, targets }: { readonly logits: A; readonly targets: ArrayLike<number> },
  { N, V }: CrossEntropyShape,
): { loss: number; lse: A } {
  const lse = zeros(logits, N);
  let sum = 0;
  for (let n = 0; n < N; n++) {
    let max = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < V; v++) max = Math.max(max, logits[n * V + v]);
    let exps = 0;
    for (let v = 0; v < V; v++) exps += Math.exp(logits[n * V + v] - max);
    const logSum = max + Math.log(exps);
    lse[n] = logSum;
    sum += logSum - logits[n * V + targets[n]];
  }
  return { loss: sum / N, lse };
}

/** logits (N, V), targets (N), lse (N) -> dlogits (N, V) of the mean loss */
export function crossEntropyBackward<A extends Vector>(
  { logits, targets, lse }: { readonly logits: A; readonly targets: ArrayLike<number>; readonly lse: A },
  { N, V }: CrossEntropyShape,
): A {
  const dlogits = zeros(logits, N * V);
  for (let n = 0; n < N; n++) {
    for (let v = 0; v < V; v++) {
      const softmax = Math.exp(logits[n * V + v] - lse[n]);
      dlogits[n * V + v] = (softmax - (v === targets[n] ? 1 : 0)) / N;
    }
  }
  return dlogits;
}
