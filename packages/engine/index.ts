// Batch -> training step in WGSL, or in WASM where no GPU is usable -> parameters. The CPU truth beside it is #engine/reference.

import { createWebGpuEngine } from "./create-webgpu.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import { createWasmEngine } from "./wasm/wasm-engine.ts";

export { type AllReduceCost, type AllReduceMeasurement, measureAllReduce } from "./all-reduce-bench.ts";
export {
  type EngineMeasurement,
  MatmulBench,
  type MatmulShape,
  type MeasureOptions,
  measureEngine,
  modelFlops,
} from "./bench.ts";
export { type Calibrated, calibrate } from "./calibrate.ts";
export { type ColdMeasurement, type MeasureColdOptions, measureCold } from "./cold-bench.ts";
export { COLD_LOST, type ColdStore, type OpenColdStore } from "./cold-moments.ts";
export type { ConformanceReport } from "./conformance/index.ts";
export { createWebGpuEngine } from "./create-webgpu.ts";
export { describeAdapter } from "./device/adapter.ts";
export { type DeviceMeasurement, type DeviceOptions, measureDevice } from "./device-bench.ts";
export type * from "./engine.ts";
export { DeviceLostError, DivergedError, GpuError, ModelTooLargeError, OutOfMemoryError } from "./errors.ts";
export { type FastestBackend, fastestBackend } from "./fastest.ts";
export { type IslandBenchOptions, type IslandMeasurement, type IslandStep, measureIsland } from "./island/bench.ts";
export type { ExchangeTotals } from "./island/lanes.ts";
export { type IslandEngine, type LeadOptions, leadIsland } from "./island/leader.ts";
export { type IslandOptions, type Pace, type Served, serveIsland } from "./island/member.ts";
export { sharesOf } from "./island/parts.ts";
export { fewestRanks, type IslandPlanOptions, planIsland, stageLayersMax } from "./island/planner.ts";
export { IslandLostError, type IslandPort } from "./island/port.ts";
export { productSpeed } from "./island/speed.ts";
export { DEFAULT_LIMITS, type MemoryLimits } from "./model/outline.ts";
export { type LargestFit, largestFit, type ModelPlan, type PlanOptions, planModel } from "./model/planner.ts";
export { memoryTuning, type TuningStore } from "./tuning/record.ts";
export { measureTuning, type TuningMeasurement, type TuningOptions } from "./tuning-bench.ts";
export { findCpu } from "./wasm/cpu.ts";
export { WasmMatmulBench } from "./wasm/matmul-bench.ts";

/**
 * A transformer on the adapter's device or on the CPU, parameters zero until load(). Rejects with ModelTooLargeError when the model or the
 * microbatch does not fit (the message says what would), with OutOfMemoryError when the device's memory is in use, with GpuError when the backend
 * is not usable here.
 */
export const createEngine = (options: EngineOptions): Promise<Engine> =>
  options.backend === "wasm" ? createWasmEngine(options) : createWebGpuEngine(options);
