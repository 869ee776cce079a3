// What tuning finds on a device and what it gains: a step with the kernels' own choices beside the same step tuned, in turn.
import type { ModelShape } from "#wire";
import { median, STEP, trainable } from "./bench.ts";
import { createWebGpuEngine } from "./create-webgpu.ts";
import type { AdapterDescription } from "./engine.ts";
import { memoryTuning, type TuningStore } from "./tuning/record.ts";
import type { TuningReport } from "./tuning/tuner.ts";

export interface TuningMeasurement {
  readonly adapter: AdapterDescription;
  /** The heaviest first. `gain`: time of the default over the time of the variant, each alone on the device. */
  readonly workloads: readonly {
    readonly key: string;
    readonly tile: string;
    readonly gain: number;
    readonly known: boolean;
  }[];
  readonly faults: readonly string[];
  /** That measurements had the device, and from the first step to the last pipeline. */
  readonly deviceMs: number;
  readonly tookMs: number;
  readonly defaultStepMs: number;
  readonly tunedStepMs: number;
  /** Median of the default's time over the tuned one's, step by step. */
  readonly gain: number;
}

export interface TuningOptions {
  readonly model: ModelShape;
  readonly microbatch: number;
  readonly steps: number;
  readonly recomputedLayers?: number | undefined;
}

/** @param store default: nothing is known, and nothing is kept */
export async function measureTuning(
  { model, microbatch, steps, recomputedLayers }: TuningOptions,
  store: TuningStore = memoryTuning(),
): Promise<TuningMeasurement> {
  const made = { model, microbatch, ...(recomputedLayers !== undefined && { recomputedLayers }) };
  const tuned = await createWebGpuEngine(made);
  const { parameters, ids } = trainable(model, microbatch);
  tuned.load(parameters);
  const started = performance.now();
  let report: TuningReport | undefined;
  void tuned.tune(store).then((its) => {
    report = its;
  });
  while (!report) await tuned.step([ids], STEP);
  const tookMs = performance.now() - started;
  const { tuned: found, faults, deviceMs } = report;

  const plain = await createWebGpuEngine(made);
  plain.load(parameters);
  const times: { readonly plain: number; readonly tuned: number }[] = [];
  for (let i = 0; i <= steps; i++) {
    const [before, between, after] = [
      performance.now(),
      await plain.step([ids], STEP).then(() => performance.now()),
      await tuned.step([ids], STEP).then(() => performance.now()),
    ];
    if (i > 0) times.push({ plain: between - before, tuned: after - between }); // the first one compiles
  }
  plain.destroy();
  tuned.destroy();
  return {
    adapter: tuned.adapter,
    workloads: found.map(({ workload: { key }, tile, gain, known }) => ({ key, tile, gain, known })),
    ...{ faults, deviceMs, tookMs },
    defaultStepMs: median(times.map((time) => time.plain)),
    tunedStepMs: median(times.map((time) => time.tuned)),
    gain: median(times.map((time) => time.plain / time.tuned)),
  };
}
