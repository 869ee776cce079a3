// The devices that kernels are tested on.
import { describe, test } from "vitest";
import { hasHalf } from "../device/adapter.ts";

interface TestDevice {
  readonly device: string;
  readonly defaultLimits: boolean;
  readonly half?: boolean;
  readonly tiled?: boolean;
}

const MIXED: TestDevice = { device: "WebGPU's default limits, mixed precision", defaultLimits: true, half: true };

/** For kernels that keep nothing in f16. */
export const F32_DEVICES: readonly TestDevice[] = [
  { device: "the adapter's limits", defaultLimits: false },
  { device: "WebGPU's default limits", defaultLimits: true },
];

export const DEVICES: readonly TestDevice[] = [
  ...F32_DEVICES,
  { ...MIXED, device: "the adapter's limits, mixed precision", defaultLimits: false },
  MIXED,
];

/** What a matrix product must run on besides: the tiles that real GPUs use. */
export const TILED_DEVICES: readonly TestDevice[] = [
  ...DEVICES,
  { device: "WebGPU's default limits, tiled", defaultLimits: true, tiled: true },
  { ...MIXED, device: "WebGPU's default limits, tiled, mixed precision", tiled: true },
];

const adapter = await navigator.gpu.requestAdapter();
/** SwiftShader has no f16 in shaders: what needs it is skipped there by its name, and runs on others (CONTRIBUTING.md). */
export const ADAPTER_HAS_HALF = adapter !== null && hasHalf(adapter);

/** One describe for each device; a device that this adapter cannot be is one skipped test, so that a report stays readable. */
export function describeOn(devices: readonly TestDevice[], name: string, body: (given: TestDevice) => void): void {
  for (const given of devices) {
    const title = `${name} on ${given.device}`;
    if (given.half === true && !ADAPTER_HAS_HALF) test.skip(`${title}: no shader-f16 here`);
    else describe(title, () => body(given));
  }
}
