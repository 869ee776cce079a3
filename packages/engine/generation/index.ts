// A model that continues a text: generators, sampling. Apart from the training engine, so that who only generates loads nothing else.
import type { Generator } from "./generator.ts";
import { ProcessorGenerator } from "./processor-generator.ts";
import { createWebGpuGenerator, type WebGpuGeneratorOptions } from "./webgpu-generator.ts";

export { describeAdapter } from "../device/adapter.ts";
export { DeviceLostError, GpuError, ModelTooLargeError, OutOfMemoryError } from "../errors.ts";
export { type ContinuationOptions, continuation } from "./continuation.ts";
export type { Generator } from "./generator.ts";
export { logLikelihood, logProbability } from "./likelihood.ts";
export { planGeneration } from "./outline.ts";
export { checkSampling, LogitsError, type Sampling, SEED_MAX, TEMPERATURE_MAX } from "./sample.ts";

export interface GeneratorOptions extends WebGpuGeneratorOptions {
  /** "webgpu" (the default), or the processor. */
  readonly backend?: "webgpu" | "processor";
}

/** Parameters are to be loaded. Rejects as an engine does. */
export const createGenerator = async ({ backend = "webgpu", ...options }: GeneratorOptions): Promise<Generator> =>
  backend === "processor" ? new ProcessorGenerator(options.model) : createWebGpuGenerator(options);
