// Adapters for tests of engines. A software adapter takes a second to compile an engine's kernels.
//
//   sharedAdapter()    engines on one device, on which each kernel is compiled once
//   hollowAdapter()    engines whose kernels compute nothing, each on a device of its own: for what lies around them

/** The real adapter, whose device a test changes before the engine has it. */
export async function adapterWith(change: (device: GPUDevice) => void = () => {}): Promise<GPUAdapter> {
  const adapter = await realAdapter();
  return posing(adapter, async (descriptor) => {
    const device = await adapter.requestDevice(descriptor);
    change(device);
    return device;
  });
}

/** @param change as adapterWith's */
export const hollowAdapter: typeof adapterWith = (change) =>
  adapterWith((device) => {
    const create = device.createShaderModule.bind(device);
    device.createShaderModule = (given) => create({ ...given, code: "@compute @workgroup_size(1) fn main() {}" });
    change?.(device);
  });

let shared: GPUAdapter | undefined;

/**
 * For any number of engines, which end like any others; buffers of one that has ended go with the garbage. An error that the device reports is reported
 * to all of them.
 */
export async function sharedAdapter(): Promise<GPUAdapter> {
  if (shared) return shared;
  const deviceBy = new Map<string, Promise<Shared>>();
  const open = async (descriptor?: GPUDeviceDescriptor): Promise<Shared> => {
    const adapter = await realAdapter(); // one gives one device
    return { device: await adapter.requestDevice(descriptor), moduleBy: new Map(), pipelineBy: new Map() };
  };
  shared = posing(await realAdapter(), async (descriptor) => {
    const key = JSON.stringify(descriptor);
    const opening = deviceBy.get(key) ?? open(descriptor);
    deviceBy.set(key, opening);
    return partOf(await opening);
  });
  return shared;
}

interface Shared {
  readonly device: GPUDevice;
  readonly moduleBy: Map<string, GPUShaderModule>; // by its code
  readonly pipelineBy: Map<GPUShaderModule, Promise<GPUComputePipeline>>;
}

/** What one engine has for its device: what the engine uses of one. */
function partOf({ device, moduleBy, pipelineBy }: Shared): GPUDevice {
  let lose: (info: GPUDeviceLostInfo) => void = () => {};
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    lose = resolve;
  });
  const { queue, limits, features } = device;
  const part: Partial<GPUDevice> = {
    ...{ queue, limits, features, lost },
    createBuffer: device.createBuffer.bind(device),
    createBindGroup: device.createBindGroup.bind(device),
    createBindGroupLayout: device.createBindGroupLayout.bind(device),
    createPipelineLayout: device.createPipelineLayout.bind(device),
    createCommandEncoder: device.createCommandEncoder.bind(device),
    pushErrorScope: device.pushErrorScope.bind(device),
    popErrorScope: device.popErrorScope.bind(device),
    addEventListener: device.addEventListener.bind(device),
    removeEventListener: device.removeEventListener.bind(device),
    createShaderModule: (descriptor) => {
      const made = moduleBy.get(descriptor.code) ?? device.createShaderModule(descriptor);
      moduleBy.set(descriptor.code, made);
      return made;
    },
    createComputePipelineAsync: (descriptor) => {
      const { module } = descriptor.compute;
      const making = pipelineBy.get(module) ?? device.createComputePipelineAsync(descriptor);
      pipelineBy.set(module, making);
      return making;
    },
    destroy: () => {
      lose({ reason: "destroyed", message: "the engine was destroyed" } as GPUDeviceLostInfo);
      return undefined;
    },
  };
  return part as GPUDevice;
}

const realAdapter = async (): Promise<GPUAdapter> => (await navigator.gpu.requestAdapter())!;

function posing({ info, limits, features }: GPUAdapter, requestDevice: GPUAdapter["requestDevice"]): GPUAdapter {
  return { info, limits, features, requestDevice } as unknown as GPUAdapter;
}
