// How many sequences at once train fastest on this device, by a few steps of each: what fits a cache may beat what fills the memory.
//
//   the engine that is open, with the most  ->  half of that, a third, ...  ->  the one whose step of the same sequences is the shortest
import type { Engine } from "./engine.ts";
import { GpuError } from "./errors.ts";

/** A volunteer waits for it once, before the first step. */
const BUDGET_MS = 3_000;
/** The first step may compile; the least of the others is the device's own time, whatever else it does. */
const STEPS = 3;
/** Less is noise, and fewer sequences at once cost a GPU that idles between dispatches. */
const GAIN_MIN = 0.03;
/** Two that are no faster in a row: smaller ones will not be either. */
const MISSES_MAX = 2;
/** Two engines are open at once: where one takes more, the other may not fit, and its size is what the device should be left with. */
const BYTES_MAX = 512 * 2 ** 20;
const STEP = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 };

export interface CalibrateOptions {
  /** With the most sequences that fit; just opened, its parameters are free to change. */
  readonly engine: Engine;
  /** Sequences of a step: every candidate computes as many. */
  readonly sequences: number;
  /** What opening that engine took: the next ones compile as long. */
  readonly openedInMs: number;
  readonly open: (microbatch: number) => Promise<Engine>;
  readonly now: () => number;
}

export interface Calibrated {
  /** The fastest; the others are destroyed. Its parameters and moments are of no use. */
  readonly engine: Engine;
  /** Milliseconds of a step, by sequences at once. */
  readonly measured: readonly { readonly microbatch: number; readonly stepMs: number }[];
}

/** Rejects as a step does; a candidate that cannot be opened ends the search. */
export async function calibrate({ engine, sequences, openedInMs, open, now }: CalibrateOptions): Promise<Calibrated> {
  const until = now() + BUDGET_MS;
  const fewer = Array.from({ length: engine.microbatch - 1 }, (_, i) => engine.microbatch - 1 - i);
  const candidates = fewer.filter((microbatch) => sequences % microbatch === 0);
  if (candidates.length === 0 || engine.allocatedBytes > BYTES_MAX || 2 * openedInMs > BUDGET_MS)
    return { engine, measured: [] };
  let best = { engine, stepMs: await stepMs(engine, sequences, now) };
  const measured = [{ microbatch: engine.microbatch, stepMs: best.stepMs }];
  let misses = 0;
  for (const microbatch of candidates) {
    if (misses === MISSES_MAX || now() + openedInMs + STEPS * best.stepMs > until) break;
    const other = await open(microbatch).catch((error: unknown) => {
      if (error instanceof GpuError) return undefined; // there is one that works
      throw error;
    });
    if (other === undefined) break;
    const took = await stepMs(other, sequences, now);
    measured.push({ microbatch, stepMs: took });
    const isFaster = took < (1 - GAIN_MIN) * best.stepMs;
    (isFaster ? best.engine : other).destroy();
    misses = isFaster ? 0 : misses + 1;
    if (isFaster) best = { engine: other, stepMs: took };
  }
  return { engine: best.engine, measured };
}

async function stepMs(engine: Engine, sequences: number, now: () => number): Promise<number> {
  const { vocabSize, contextLength } = engine.model;
  const microbatches = Array.from({ length: sequences / engine.microbatch }, (_, m) =>
    Uint16Array.from({ length: engine.microbatch * (contextLength + 1) }, (_, i) => (7 * i + m) % vocabSize),
  );
  const times: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const before = now();
    await engine.step(microbatches, STEP);
    times.push(now() - before);
  }
  return Math.min(...times.slice(1));
}
