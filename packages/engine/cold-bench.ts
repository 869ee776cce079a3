// What it costs a step that moments lie outside of the device: two engines of one model on one adapter, in turn.
import type { RankShape } from "#outer";
import { median, STEP, trainable } from "./bench.ts";
import type { OpenColdStore } from "./cold-moments.ts";
import { createWebGpuEngine } from "./create-webgpu.ts";
import type { Moments } from "./engine.ts";

export interface MeasureColdOptions {
  readonly model: RankShape;
  readonly microbatch: number;
  readonly moments: Moments;
  readonly steps: number;
}

export interface ColdMeasurement {
  readonly adapter: string;
  /** What a step reads, and what it writes. */
  readonly coldBytes: number;
  /** Of the device's memory. */
  readonly memoryBytes: { readonly inside: number; readonly outside: number };
  /** Medians. */
  readonly stepMs: { readonly inside: number; readonly outside: number };
  /** Of the last steps: the same. */
  readonly loss: { readonly inside: number; readonly outside: number };
}

export async function measureCold(
  { model, microbatch, moments, steps }: MeasureColdOptions,
  cold: OpenColdStore,
): Promise<ColdMeasurement> {
  const given = { model, microbatch, moments, recomputedLayers: model.layers - 1 };
  const engines = { inside: await createWebGpuEngine(given), outside: await createWebGpuEngine({ ...given, cold }) };
  const { parameters, ids } = trainable(model, microbatch);
  const places = ["inside", "outside"] as const;
  const times = { inside: [] as number[], outside: [] as number[] };
  const loss = { inside: 0, outside: 0 };
  for (const place of places) engines[place].load(parameters);
  for (let i = 0; i <= steps; i++)
    for (const place of places) {
      const before = performance.now();
      loss[place] = (await engines[place].step([ids], STEP)).loss;
      if (i > 0) times[place].push(performance.now() - before); // the first compiles, and reads nothing
    }
  const { adapter, coldBytes } = engines.outside;
  const of = <T>(pick: (place: (typeof places)[number]) => T) => ({ inside: pick("inside"), outside: pick("outside") });
  const measured = {
    adapter: [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(" "),
    coldBytes,
    memoryBytes: of((place) => engines[place].allocatedBytes),
    stepMs: of((place) => median(times[place])),
    loss,
  };
  for (const place of places) engines[place].destroy();
  return measured;
}
