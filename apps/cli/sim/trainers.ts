// Engines for a comparison: one on WASM for each peer, with one thread each, and one that evaluates.
import { createEngine, type EngineOptions } from "#engine";
import type { Trainer, Trainers } from "#sim";
import type { RunSpec } from "#wire";

/** @param onSkip a step changed nothing: mixed precision's gradient was no number */
export async function engineTrainer(
  { model, inner }: Pick<RunSpec, "model" | "inner">,
  options: Partial<EngineOptions>,
  onSkip: () => void = () => {},
): Promise<Trainer> {
  const engine = await createEngine({ ...options, model, microbatch: inner.windowsPerStep });
  return {
    load: (parameters) => engine.load(parameters),
    resetMoments: () => engine.resetMoments(),
    step: async (ids, options) => {
      const { loss, skipped } = await engine.step([ids], options);
      if (skipped) onSkip();
      return loss;
    },
    gradient: (ids) => engine.gradient([ids]),
    read: () => engine.read(),
    evaluate: (windows) => engine.evaluate(windows),
    end: () => engine.destroy(),
  };
}

/** One thread each: peers train side by side. */
export const onProcessor = { backend: "wasm", threads: 1 } as const;

export async function openTrainers(spec: Pick<RunSpec, "model" | "inner">, peers: number): Promise<Trainers> {
  const engines = await Promise.all(Array.from({ length: peers + 1 }, () => engineTrainer(spec, onProcessor)));
  return { peers: engines.slice(1), evaluator: engines[0] };
}

export function endTrainers({ peers, evaluator }: Trainers): void {
  for (const trainer of [...peers, evaluator]) trainer.end();
}
