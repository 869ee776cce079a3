// What a run takes of this machine's GPU memory, before anything is started, and in which order an engine is tried.
import { type MemoryLimits, type Moments, planModel } from "#engine";
import type { RunSpec } from "#wire";
import type { Problem } from "./window/types.ts";
import { problems } from "./worker/problems.ts";

export interface MemoryNeed {
  /** With as many sequences at once as this adapter's limits allow: the fastest. */
  readonly mostBytes: number;
  /** With one, its activations computed again and moments in 8 bits: what it comes down to where memory is short. */
  readonly leastBytes: number;
  /** Why not even that is possible on this adapter. */
  readonly problem: Problem | null;
}

export interface Attempt {
  readonly microbatch: number;
  readonly recomputedLayers: number;
  readonly moments?: Moments;
}

/**
 * Microbatches divide a step's windows evenly; the largest that fits is the fastest. Computing activations again costs 15 to 20 % more time, fewer
 * sequences at once cost little: so that comes after. Moments in 8 bits come last.
 */
export function attemptsOf({ inner, model }: Pick<RunSpec, "inner" | "model">, microbatchMax: number): Attempt[] {
  const { windowsPerStep } = inner;
  const divisors = Array.from({ length: windowsPerStep }, (_, i) => windowsPerStep - i).filter(
    (B) => windowsPerStep % B === 0 && B <= microbatchMax,
  );
  const kept = divisors.map((microbatch) => ({ microbatch, recomputedLayers: 0 }));
  const least = { microbatch: 1, recomputedLayers: model.layers - 1 };
  return [...kept, ...(model.layers === 1 ? [] : [least]), { ...least, moments: "8bit" }];
}

export function memoryNeed(spec: RunSpec, limits: MemoryLimits): MemoryNeed {
  const attempts = attemptsOf(spec, spec.inner.windowsPerStep);
  const planned = attempts.map((attempt) => planModel({ ...attempt, model: spec.model, limits }));
  const least = planned[planned.length - 1];
  const most = planned.find(({ problem }) => problem === undefined);
  return {
    mostBytes: (most ?? least).totalBytes,
    leastBytes: least.totalBytes,
    problem: most ? null : problems.modelTooLarge(least.problem),
  };
}
