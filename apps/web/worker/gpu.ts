// This machine's GPU: what it is called, and an engine on it with as large a microbatch as fits.
import {
  type AdapterDescription,
  createEngine,
  DeviceLostError,
  describeAdapter,
  type Engine,
  GpuError,
  ModelTooLargeError,
  OutOfMemoryError,
} from "#engine";
import type { RunSpec } from "#wire";
import { attemptsOf } from "../memory-need.ts";
import type { Problem } from "../window/types.ts";
import { problems } from "./problems.ts";

/** A state of this machine that a person must change. */
export class BlockedError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.name = "BlockedError";
    this.problem = problem;
  }
}

/** Rejects with BlockedError. */
export async function findAdapter(): Promise<AdapterDescription> {
  if (!self.isSecureContext) throw new BlockedError(problems.insecureContext());
  if (navigator.gpu === undefined) throw new BlockedError(problems.noWebGpu());
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) throw new BlockedError(problems.noAdapter());
  return describeAdapter(adapter);
}

/** An engine whose kernels compute rightly on this machine. Rejects with BlockedError or DeviceLostError. */
export async function openEngine(spec: RunSpec, microbatchMax = spec.inner.windowsPerStep): Promise<Engine> {
  const engine = await largestThatFits(spec, microbatchMax);
  const report = await engine.conformance();
  if (report.failed.length === 0) return engine;
  engine.destroy();
  throw new BlockedError(problems.wrongResults(report));
}

async function largestThatFits(spec: RunSpec, microbatchMax: number): Promise<Engine> {
  let last: unknown;
  for (const attempt of attemptsOf(spec, microbatchMax)) {
    try {
      return await createEngine({ ...attempt, model: spec.model }); // asks for an adapter of its own: each gives one device only
    } catch (error) {
      last = error;
      if (!(error instanceof ModelTooLargeError) && !isOutOfMemory(error)) break;
    }
  }
  if (last instanceof ModelTooLargeError) throw new BlockedError(problems.modelTooLarge(last));
  if (isOutOfMemory(last)) throw new BlockedError(problems.outOfMemory(last));
  if (last instanceof DeviceLostError) throw last;
  if (last instanceof GpuError) throw new BlockedError({ ...problems.noAdapter(), message: last.message });
  throw last;
}

export const isOutOfMemory = (error: unknown): boolean => error instanceof OutOfMemoryError;
