// ReferenceTrainer: the engine's inner step on the CPU, in plain TypeScript. Same arguments, same report, no device.
import { type ParameterTable, parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { Moments, StepOptions, StepReport } from "../engine.ts";
import { adamwStep } from "./adamw.ts";
import { lossAndGradient, lossOnly } from "./model.ts";
import { roundMoments } from "./moments-8bit.ts";
import { type Vector, zeros } from "./vector.ts";

export class ReferenceTrainer<A extends Vector> {
  readonly model: ModelShape;
  readonly parameters: A; // flat, in the table's order; steps write it in place
  private readonly table: ParameterTable;
  private readonly m: A;
  private readonly v: A;
  private readonly moments: Moments;
  private steps = 0;

  /** Trains a copy of `parameters`, stored as they are (f64 or f32). */
  constructor(model: ModelShape, parameters: A, moments: Moments = "f32") {
    this.model = model;
    this.moments = moments;
    this.table = parameterTable(model);
    this.parameters = parameters.slice() as A;
    this.m = zeros(parameters, parameters.length);
    this.v = zeros(parameters, parameters.length);
  }

  /** Replaces the parameters; moments and their step count stay. */
  load(parameters: ArrayLike<number>): void {
    this.parameters.set(parameters);
  }

  resetMoments(): void {
    this.m.fill(0);
    this.v.fill(0);
    this.steps = 0;
  }

  /** One inner step over the microbatches, each any number of sequences of contextLength + 1 ids; averaged over all their tokens. */
  step(microbatches: readonly Uint16Array[], options: StepOptions): StepReport {
    const { loss, gradient } = this.gradient(microbatches);
    this.steps += 1;
    const given = { parameters: this.parameters, gradient, m: this.m, v: this.v, step: this.steps };
    const gradNorm = adamwStep(given, this.table, options);
    if (this.moments === "8bit") roundMoments(this.m, this.v, this.steps);
    return { loss, gradNorm, skipped: false };
  }

  /** What a step clips and applies: the mean over all tokens. Changes nothing. */
  gradient(microbatches: readonly Uint16Array[]): { readonly loss: number; readonly gradient: A } {
    return meanGradient(this.model, this.parameters, microbatches);
  }

  /** Mean loss in nats per token over the windows, each T+1 ids. */
  evaluate(windows: readonly Uint16Array[]): number {
    return windows.reduce((sum, window) => sum + lossOnly(this.model, this.parameters, window, 1), 0) / windows.length;
  }
}

/** Loss and gradient over microbatches, each any number of sequences of contextLength + 1 ids: the mean over all their tokens. */
export function meanGradient<A extends Vector>(
  model: ModelShape,
  parameters: A,
  microbatches: readonly Uint16Array[],
): { readonly loss: number; readonly gradient: A } {
  const ids = microbatches.reduce((sum, microbatch) => sum + microbatch.length, 0);
  const gradient = zeros(parameters, parameters.length);
  let loss = 0;
  for (const microbatch of microbatches) {
    const part = lossAndGradient(model, parameters, microbatch, microbatch.length / (model.contextLength + 1));
    const weight = microbatch.length / ids;
    loss += weight * part.loss;
    for (let i = 0; i < gradient.length; i++) gradient[i] += weight * part.gradient[i];
  }
  return { loss, gradient };
}
