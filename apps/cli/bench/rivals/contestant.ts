// What the bench asks of an engine, of ours and of each rival alike.
//
//   open(shape, given) -> trainee:  step() -> loss   ·   settle() (ours alone)   ·   matmul(shape) -> timer   ·   profile() (ours alone)
import type { MatmulShape } from "#engine";
import type { BenchShape, Given } from "./shapes.ts";

export interface Contestant {
  /** Loads the library and the weights, and makes all that it can ahead. */
  open(shape: BenchShape, given: Given): Promise<Trainee>;
}

export interface Trainee {
  /** One step on the batch, its loss read: nats per token before the update. */
  step(): Promise<number>;
  /** What an engine does by itself beside its first minute of training, to be faster afterwards; it stands where it stood then, one step from its start. */
  settle?(): Promise<void>;
  /** A matrix product of fixed operands, ready to run. */
  matmul?(shape: MatmulShape): Promise<Matmul>;
  /** Milliseconds of a step by kernel, each dispatch timed alone. Ruins what was trained. */
  profile?(): Promise<Readonly<Record<string, number>>>;
}

export interface Matmul {
  /** Queues the product `times` times and waits for the last. */
  run(times: number): Promise<void>;
  free(): void;
}

/** Fixed numbers in (-0.1, 0.1) that look random enough for a product. */
export const noise = (length: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, i) => 0.1 * Math.sin(12.9898 * i + 78.233 * Math.sin(i)));
