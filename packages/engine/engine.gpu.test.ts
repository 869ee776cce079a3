// The whole model on WebGPU against the reference, with the adapter's limits and with those that every device has; mixed-precision.gpu.test.ts has f16.
import { describe } from "vitest";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { learningContract } from "./engine-contract.ts";

describe.each([false, true])("default limits: %s", (defaultLimits) => {
  learningContract((given) => createWebGpuEngine({ ...given, defaultLimits }));
});
