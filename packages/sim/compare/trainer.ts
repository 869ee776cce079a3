// What a comparison trains with: an engine of its own for each peer. apps/cli hands them in; a test hands in arithmetic.
import type { TokenSource } from "#data";
import type { RunSpec } from "#wire";

interface InnerOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
}

export interface Trainer {
  load(parameters: Float32Array): void;
  resetMoments(): void;
  /** @returns its mean loss, nats per token */
  step(ids: Uint16Array, options: InnerOptions): Promise<number>;
  /** Of the parameters, which stay. */
  gradient(ids: Uint16Array): Promise<{ readonly loss: number; readonly gradient: Float32Array }>;
  read(): Promise<Float32Array>;
  evaluate(windows: readonly Uint16Array[]): Promise<number>;
  end(): void;
}

/** A run that can be trained here: its spec, its tokens, and what it is judged by. */
export interface Course {
  readonly spec: RunSpec;
  readonly source: TokenSource;
  readonly windows: readonly Uint16Array[];
}
