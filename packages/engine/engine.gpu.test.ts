// The whole model on WebGPU against the reference, with the adapter's limits and with those that every device has; mixed-precision.gpu.test.ts has f16.
import { describe } from "vitest";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { sharedAdapter } from "./device/testing.ts";
import { F32, gradientsContract, learningContract } from "./engine-contract.ts";

const adapter = await sharedAdapter();

describe("the adapter's limits", () => {
  learningContract((given) => createWebGpuEngine({ ...given, adapter }));
});

describe("default limits", () => {
  gradientsContract((given) => createWebGpuEngine({ ...given, adapter, defaultLimits: true }), F32, [
    "larger than a tile",
  ]);
});
