// A text continued on the CPU, in plain TypeScript: the same operations as the whole forward pass, with keys and values kept.
//
//   ids (n) at positions [length, length + n) -> layers, each over its own keys and values and all older ones -> logits (V) behind the last id
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import { attentionCached } from "./attention.ts";
import { embeddingForward } from "./embedding.ts";
import { linearForward } from "./matmul.ts";
import { headName, layerForward, shapesOf, type Tensors, tensorViews } from "./model.ts";
import { rmsnormForward } from "./rmsnorm.ts";
import type { Stream } from "./stream.ts";
import { type Vector, zeros } from "./vector.ts";

/** Of one layer: (T, KVH, D) each, rotated; the first `length` rows are filled. */
interface Kept<A extends Vector> {
  readonly keys: A;
  readonly values: A;
}

export class ReferenceGenerator<A extends Vector> {
  readonly model: ModelShape;
  readonly #weights: Tensors<A>;
  readonly #kept: readonly Kept<A>[];
  #length = 0;

  /** @param parameters used as they are, stored as they are (f64 or f32) */
  constructor(model: ModelShape, parameters: A) {
    this.model = model;
    this.#weights = tensorViews(parameterTable(model), parameters);
    const floats = model.contextLength * model.kvHeads * (model.dModel / model.heads);
    this.#kept = Array.from({ length: model.layers }, () => ({
      keys: zeros(parameters, floats),
      values: zeros(parameters, floats),
    }));
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Logits (V) behind the last of these ids, which follow those of before; in all at most contextLength. */
  append(ids: ArrayLike<number>): A {
    const { model } = this;
    const [from, n, C] = [this.#length, ids.length, model.dModel];
    const s = shapesOf(model, { B: 1, T: n });
    const placed = { ...s, qRope: { ...s.qRope, from }, kRope: { ...s.kRope, from } };
    const embedded = embeddingForward({ ids, weight: this.#weights("model.embed_tokens.weight") }, s.embedding);
    let stream: Stream<A> = { residual: embedded, given: [] };
    for (let l = 0; l < model.layers; l++) {
      const attend = ({ q, k, v }: { readonly q: A; readonly k: A; readonly v: A }) => {
        const { keys, values } = this.#kept[l];
        const width = k.length / n;
        keys.set(k, from * width);
        values.set(v, from * width);
        const out = attentionCached({ q, k: keys, v: values }, { ...s.attention, M: n, U: from + n });
        return { out, lse: zeros(q, 0) }; // the log-sum-exp is for backward passes
      };
      ({ stream } = layerForward((name) => this.#weights(`model.layers.${l}.${name}`), stream, placed, attend));
    }
    this.#length = from + n;
    const last = (rows: A): A => rows.subarray((n - 1) * C) as A;
    const { normed } = rmsnormForward(
      { partials: stream.given.map(last), residual: last(stream.residual), weight: this.#weights("model.norm.weight") },
      { ...s.norm, N: 1 },
    );
    return linearForward({ x: normed, weight: this.#weights(headName(model)) }, { ...s.head, N: 1 });
  }
}
