// What a run takes of this machine's GPU memory, before anything is started, and in which order an engine is tried.
import { fewestRanks, type MemoryLimits, type Moments, planIsland, planModel } from "#engine";
import { codecOf } from "#outer";
import type { RunSpec } from "#wire";
import type { Problem } from "./window/types.ts";
import { problems } from "./worker/problems.ts";

export interface MemoryNeed {
  /** With as many sequences at once as this adapter's limits allow: the fastest. */
  readonly mostBytes: number;
  /** With one, its activations computed again, and moments in 8 bits or on disk: what it comes down to where memory is short. */
  readonly leastBytes: number;
  /** Among so many machines the model is shared, and the bytes are of a part of it; 1: it fits this adapter alone. */
  readonly ranks: number;
  /** Why not even that is possible on this adapter. */
  readonly problem: Problem | null;
}

export interface Attempt {
  readonly microbatch: number;
  readonly recomputedLayers: number;
  readonly moments?: Moments;
  readonly keepsMark?: boolean;
  /** Moments lie on the machine's disk. */
  readonly cold?: boolean;
}

/**
 * Microbatches divide a step's windows evenly; the largest is tried first, and a smaller one taken where it is measured to be faster (calibrate.ts). Computing activations again costs 15 to 20 % more time, fewer
 * sequences at once cost little: so that comes after. Then moments in 8 bits; last of all they lie on disk, which every step reads and writes: slower than in memory, and
 * still sooner than among others, who must come first, and whose lines are slower than a disk.
 */
export function attemptsOf({ inner, model }: Pick<RunSpec, "inner" | "model">, microbatchMax: number): Attempt[] {
  const { windowsPerStep } = inner;
  const divisors = Array.from({ length: windowsPerStep }, (_, i) => windowsPerStep - i).filter(
    (B) => windowsPerStep % B === 0 && B <= microbatchMax,
  );
  const kept = divisors.map((microbatch) => ({ microbatch, recomputedLayers: 0 }));
  const least = { microbatch: 1, recomputedLayers: model.layers - 1 };
  const small = { ...least, moments: "8bit" } as const;
  return [...kept, ...(model.layers === 1 ? [] : [least]), small, { ...small, cold: true }];
}

/**
 * The same, where the device may keep the mark too, if it can make the run's updates. The CPU can keep it as well: that costs a round the time in which all parameters cross twice,
 * and a step nothing, so it comes before computing activations again.
 * @param keepsMark what the engine before this one did: a replica stays where it is
 */
export function markedAttemptsOf(
  spec: Pick<RunSpec, "inner" | "model" | "lora" | "outer" | "seed">,
  microbatchMax: number,
  keepsMark: boolean | undefined,
): Attempt[] {
  const attempts = attemptsOf(spec, microbatchMax);
  if (codecOf(spec).onDevice === undefined) return attempts;
  const marked = attempts.map((attempt) => ({ ...attempt, keepsMark: true }));
  if (keepsMark === true) return marked;
  return keepsMark === undefined ? [...marked.filter(keepsAll), ...attempts] : attempts;
}

/** Nothing is computed again, nothing is rounded: all that the processor's engine can do. */
export const keepsAll = ({ recomputedLayers, moments }: Attempt): boolean =>
  recomputedLayers === 0 && moments !== "8bit";

/** @param hasFiles whether this browser has a place for moments */
export function memoryNeed(spec: RunSpec, limits: MemoryLimits, hasFiles: boolean): MemoryNeed {
  const attempts = markedAttemptsOf(spec, spec.inner.windowsPerStep, undefined).filter(({ cold }) => hasFiles || !cold);
  const codec = codecOf(spec).onDevice;
  const planned = attempts.map((attempt) =>
    planModel({ ...attempt, model: spec.model, lora: spec.lora, codec, limits }),
  );
  const least = planned[planned.length - 1];
  const most = planned.find(({ problem }) => problem === undefined);
  const part = { model: spec.model, microbatch: 1, limits, cold: hasFiles && ("if-needed" as const) };
  const ranks = most || spec.lora ? 1 : fewestRanks(part);
  if (ranks !== undefined && ranks > 1) {
    const { totalBytes } = planIsland({ ...part, ranks });
    return { mostBytes: totalBytes, leastBytes: totalBytes, ranks, problem: null };
  }
  return {
    mostBytes: (most ?? least).totalBytes,
    leastBytes: least.totalBytes,
    ranks: 1,
    problem: most ? null : problems.modelTooLarge(least.problem),
  };
}
