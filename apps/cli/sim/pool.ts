// Seeds in order over all cores, until one fails or all are done.
//
//   seed, seed + 1 ... -> a worker each -> what became of them -> the lowest that failed
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Struck } from "#sim";

export interface SeedRequest {
  readonly seed: number;
  readonly peers: number | undefined;
  /** Name of a planted bug. */
  readonly bug: string | undefined;
  readonly islands: boolean;
}

export interface SeedAnswer {
  readonly seed: number;
  readonly fault: string | undefined;
  readonly rounds: number;
  readonly events: number;
  readonly struck: Struck | undefined;
}

export interface PoolOptions {
  readonly seed: number;
  readonly runs: number;
  readonly peers?: number | undefined;
  readonly bug?: string | undefined;
  readonly islands?: boolean;
  readonly done: (answer: SeedAnswer) => void;
}

/** @returns the lowest seed that failed: those below it have all been tried */
export async function trySeeds({
  seed,
  runs,
  peers,
  bug,
  islands = false,
  done,
}: PoolOptions): Promise<SeedAnswer | undefined> {
  const end = seed + runs;
  let next = seed;
  let failed: SeedAnswer | undefined;
  const run = (worker: Worker): Promise<void> =>
    new Promise((resolve, reject) => {
      const give = (): void => {
        if (next >= end || failed !== undefined) return resolve();
        worker.postMessage({ seed: next++, peers, bug, islands } satisfies SeedRequest);
      };
      worker.on("error", reject);
      worker.on("message", (answer: SeedAnswer) => {
        if (answer.fault !== undefined && (failed === undefined || answer.seed < failed.seed)) failed = answer;
        done(answer);
        give();
      });
      give();
    });
  const workers = Array.from(
    { length: Math.min(availableParallelism(), runs) },
    () => new Worker(new URL("./sim-worker.js", import.meta.url)),
  );
  try {
    await Promise.all(workers.map(run));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return failed;
}
