// LoRA's inner step on the CPU, in plain TypeScript: the base stays, adapters are trained. outer/lora.ts says what they are.
//
//   W = W0 + s B A     s = alpha / r
//   dB = s dW Aᵀ       (out, in) (r, in)  -> (out, r)        dA = s Bᵀ dW       (out, r) (out, in) -> (r, in)
//
// dW is the gradient of the merged weight, by the model's own backward pass: what low-rank products compute without ever forming dW.
import { type Adapter, adaptersOf, adapterTable, loraScale, type ParameterTable, parameterTable } from "#outer";
import type { LoraShape, ModelShape } from "#wire";
import type { StepOptions, StepReport } from "../engine.ts";
import { adamwStep } from "./adamw.ts";
import { lossOnly } from "./model.ts";
import { meanGradient } from "./trainer.ts";
import { type Vector, zeros } from "./vector.ts";

/** The whole model's parameters with the adapters in them, stored as `base` is. */
export function mergedWeights<A extends Vector>(model: ModelShape, lora: LoraShape, base: A, adapters: A): A {
  const merged = base.slice() as A;
  const scale = loraScale(lora);
  for (const { out, in: into, weightOffset, aOffset, bOffset } of adaptersOf(model, lora))
    for (let o = 0; o < out; o++)
      for (let i = 0; i < into; i++) {
        let sum = 0;
        for (let k = 0; k < lora.rank; k++)
          sum += adapters[bOffset + o * lora.rank + k] * adapters[aOffset + k * into + i];
        merged[weightOffset + o * into + i] += scale * sum;
      }
  return merged;
}

/** The adapters' gradient from the whole model's. */
export function adapterGradient<A extends Vector>(model: ModelShape, lora: LoraShape, adapters: A, dWeights: A): A {
  const gradient = zeros(adapters, adapters.length);
  const scale = loraScale(lora);
  for (const adapter of adaptersOf(model, lora))
    addGradient(adapter, lora.rank, scale, { adapters, dWeights, gradient });
  return gradient;
}

function addGradient<A extends Vector>(
  { out, in: into, weightOffset, aOffset, bOffset }: Adapter,
  rank: number,
  scale: number,
  { adapters, dWeights, gradient }: Record<"adapters" | "dWeights" | "gradient", A>,
): void {
  for (let k = 0; k < rank; k++) {
    const dA = new Float64Array(into);
    for (let o = 0; o < out; o++) {
      const b = adapters[bOffset + o * rank + k];
      let dB = 0;
      for (let i = 0; i < into; i++) {
        const d = dWeights[weightOffset + o * into + i];
        dB += d * adapters[aOffset + k * into + i];
        dA[i] += d * b;
      }
      gradient[bOffset + o * rank + k] = scale * dB;
    }
    for (let i = 0; i < into; i++) gradient[aOffset + k * into + i] = scale * dA[i];
  }
}

export class ReferenceLoraTrainer<A extends Vector> {
  readonly model: ModelShape;
  readonly lora: LoraShape;
  readonly base: A; //     never written
  readonly adapters: A; // flat, in the adapters' table's order; steps write it in place
  private readonly table: ParameterTable;
  private readonly m: A;
  private readonly v: A;
  private steps = 0;

  /** Trains a copy of `adapters` beside `base`, stored as they are (f64 or f32). */
  constructor(model: ModelShape, lora: LoraShape, base: A, adapters: A) {
    const { length } = parameterTable(model);
    if (base.length !== length) throw new RangeError(`the base has ${base.length} parameters, the model ${length}`);
    this.model = model;
    this.lora = lora;
    this.base = base;
    this.table = adapterTable(model, lora);
    if (adapters.length !== this.table.length)
      throw new RangeError(`${adapters.length} floats of adapters, but the run has ${this.table.length}`);
    this.adapters = adapters.slice() as A;
    this.m = zeros(adapters, adapters.length);
    this.v = zeros(adapters, adapters.length);
  }

  /** As ReferenceTrainer.step, of the adapters alone; all of them are matrices, so all decay. */
  step(microbatches: readonly Uint16Array[], options: StepOptions): StepReport {
    const { loss, gradient } = this.gradient(microbatches);
    this.steps += 1;
    const given = { parameters: this.adapters, gradient, m: this.m, v: this.v, step: this.steps };
    return { loss, gradNorm: adamwStep(given, this.table, options), skipped: false };
  }

  gradient(microbatches: readonly Uint16Array[]): { readonly loss: number; readonly gradient: A } {
    const { loss, gradient } = meanGradient(this.model, this.merged(), microbatches);
    return { loss, gradient: adapterGradient(this.model, this.lora, this.adapters, gradient) };
  }

  /** Mean loss in nats per token over the windows, each T+1 ids. */
  evaluate(windows: readonly Uint16Array[]): number {
    const weights = this.merged();
    return windows.reduce((sum, window) => sum + lossOnly(this.model, weights, window, 1), 0) / windows.length;
  }

  merged(): A {
    return mergedWeights(this.model, this.lora, this.base, this.adapters);
  }
}
