// Batch -> training step in WGSL -> parameters. The CPU truth beside it is #engine/reference.
import type { Engine, EngineOptions } from "./engine.ts";
import { createWebGpuEngine } from "./webgpu-engine.ts";

export { type EngineMeasurement, type MeasureOptions, measureEngine, modelFlops } from "./bench.ts";
export type { ConformanceReport } from "./conformance/index.ts";
export { describeAdapter } from "./device/adapter.ts";
export type * from "./engine.ts";
export { DeviceLostError, GpuError, ModelTooLargeError, OutOfMemoryError } from "./errors.ts";
export type { MemoryLimits } from "./model/outline.ts";
export { type LargestFit, largestFit, type ModelPlan, type PlanOptions, planModel } from "./model/planner.ts";

/**
 * A transformer on the adapter's device, parameters zero until load(). Rejects with ModelTooLargeError when the model or the microbatch does
 * not fit (the message says what would), with OutOfMemoryError when the device's memory is in use, with GpuError when there is no usable WebGPU.
 */
export const createEngine = (options: EngineOptions): Promise<Engine> => createWebGpuEngine(options);
