// From an adapter to a device: which limits and features to ask for, and what to call the thing.
import type { AdapterDescription } from "../engine.ts";
import { GpuError } from "../errors.ts";

/** Software adapters pose as GPUs; not all of them set isFallbackAdapter. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render/i;
const QUADS_TRIED = /swiftshader|llvmpipe|lavapipe/i;

export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { vendor, architecture, description, device, isFallbackAdapter } = adapter.info;
  const isFallback = isFallbackAdapter || SOFTWARE.test(`${architecture} ${description} ${device}`);
  return { backend: "webgpu", vendor, architecture, description: description || device, isFallback };
}

/** What a training engine gains from: all else stays at WebGPU's defaults. */
const RAISED_LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;

async function requestAdapter(): Promise<GPUAdapter> {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu)
    throw new GpuError(
      "This browser has no WebGPU here: use a recent Chrome, Edge, Firefox or Safari, on https or localhost.",
    );
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new GpuError("WebGPU found no adapter: enable hardware acceleration in the browser's settings.");
  return adapter;
}

export const hasHalf = (adapter: GPUAdapter): boolean => adapter.features.has("shader-f16");

/** `defaultLimits` asks for what every WebGPU device has, and for no feature but `half`: the smallest machine we promise to run on. */
async function requestDevice(adapter: GPUAdapter, defaultLimits: boolean, half: boolean): Promise<GPUDevice> {
  if (half && !hasHalf(adapter))
    throw new GpuError("This adapter has no f16 in its shaders (shader-f16): train in f32 on it.");
  const requiredLimits: Record<string, number> = {};
  const requiredFeatures: GPUFeatureName[] = half ? ["shader-f16"] : [];
  if (!defaultLimits) {
    for (const name of RAISED_LIMITS) requiredLimits[name] = adapter.limits[name];
    if (adapter.features.has("subgroups")) requiredFeatures.push("subgroups");
  }
  try {
    return await adapter.requestDevice({ label: "gossamer", requiredLimits, requiredFeatures });
  } catch (cause) {
    throw new GpuError(`The adapter gave no device: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

export interface OpenDevice {
  readonly device: GPUDevice;
  readonly description: AdapterDescription;
  /**
   * Whether four neighbouring invocations are one quad of lanes and may share loads: true of the software adapters that were tried, promised by
   * none. Windows' own may arrange a quad as 2x2 of a workgroup that has two dimensions.
   */
  readonly quads: boolean;
  readonly tiled: boolean;
}

export const sameAdapter = (a: AdapterDescription, b: AdapterDescription): boolean =>
  a.vendor === b.vendor && a.architecture === b.architecture && a.description === b.description;

export interface DeviceWish {
  readonly adapter?: GPUAdapter | undefined; // default: the fast one
  readonly defaultLimits?: boolean | undefined;
  /** Asks for f16 in shaders; rejects where the adapter has none. */
  readonly half?: boolean | undefined;
}

export async function openDevice(wish: DeviceWish = {}): Promise<OpenDevice> {
  const { defaultLimits = false, half = false } = wish;
  const adapter = wish.adapter ?? (await requestAdapter());
  const description = describeAdapter(adapter);
  const device = await requestDevice(adapter, defaultLimits, half);
  const tried = QUADS_TRIED.test(`${description.architecture} ${description.description}`);
  return { device, description, quads: tried && device.features.has("subgroups"), tiled: !description.isFallback };
}
