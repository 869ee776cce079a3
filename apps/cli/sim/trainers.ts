// Engines for a comparison: one on WASM for each peer, with one thread each, and one that evaluates.
import { createEngine } from "#engine";
import type { Trainer, Trainers } from "#sim";
import type { RunSpec } from "#wire";

export async function openTrainers(
  { model, inner }: Pick<RunSpec, "model" | "inner">,
  peers: number,
): Promise<Trainers> {
  const open = async (): Promise<Trainer> => {
    const engine = await createEngine({ model, microbatch: inner.windowsPerStep, backend: "wasm", threads: 1 });
    return {
      load: (parameters) => engine.load(parameters),
      resetMoments: () => engine.resetMoments(),
      step: async (ids, options) => (await engine.step([ids], options)).loss,
      gradient: (ids) => engine.gradient([ids]),
      read: () => engine.read(),
      evaluate: (windows) => engine.evaluate(windows),
      end: () => engine.destroy(),
    };
  };
  const engines = await Promise.all(Array.from({ length: peers + 1 }, open));
  return { peers: engines.slice(1), evaluator: engines[0] };
}

export function endTrainers({ peers, evaluator }: Trainers): void {
  for (const trainer of [...peers, evaluator]) trainer.end();
}
