// A kernel: one WGSL entry point `main`, what it binds and how many workgroups cover a shape.
//
//   kernel({ label, source, shape, bindings, workgroups })  --compileKernels-->  pipelines  --Plan.add-->  dispatches
//
// Binding 0 is always the uniform `shape` (the fields in order, 4 bytes each); the others follow in the order of `bindings`.

import { GpuError } from "../errors.ts";

/** What a kernel's text depends on besides the kernel: what the device offers, what the model fixes, and how the work is cut. */
export interface Variant {
  /** Four neighbouring invocations share loads through subgroups: the largest gain found on software adapters. */
  readonly quads: boolean;
  /** Matrix products share tiles in workgroup memory: right for GPUs, wrong for CPUs. */
  readonly tiled: boolean;
  /** Activations and weights lie in memory as f16; sums are f32 all the same. */
  readonly half: boolean;
  /** Channels per attention head, a multiple of 4. */
  readonly headSize: number;
  /** Default: the kernel's own choice for such a device. */
  readonly tile?: Tile;
}

/** What one invocation owns of a result, and the invocations of a workgroup. */
export interface Tile {
  readonly rows: number;
  readonly cols: number;
  readonly groupX: number;
  readonly groupY: number;
}

/** A name for people, and for what was measured elsewhere. */
export const tileName = ({ tiled, tile }: Variant): string =>
  tile ? `${tiled ? "shared " : ""}${tile.rows}x${tile.cols} by ${tile.groupX}x${tile.groupY}` : "default";

export type Access = "read" | "write";
export type Workgroups = readonly [x: number, y: number, z: number];

export interface Kernel<Shape extends string = string, Binding extends string = string> {
  readonly label: string;
  readonly source: (variant: Variant) => string;
  readonly shape: Readonly<Record<Shape, "u32" | "f32">>;
  readonly bindings: Readonly<Record<Binding, Access>>;
  /** Bindings of activations and weights: f16 in mixed precision. All others keep 4 bytes an element. */
  readonly stored?: readonly NoInfer<Binding>[];
  readonly workgroups: (shape: Readonly<Record<NoInfer<Shape>, number>>, variant: Variant) => Workgroups;
  /** Where no one cut is best on every device and for every shape: what is worth measuring. */
  readonly tuning?: Tuning<Shape, Binding>;
}

/** How a kernel is measured on a device. */
export interface Tuning<Shape extends string = string, Binding extends string = string> {
  /** Beside `variant`, which is the kernel's own choice; all of them give the same result, but for rounding. */
  readonly candidates: (variant: Variant) => readonly Variant[];
  /** The same shape, or a smaller one that is cut alike: a measurement takes little memory and time. */
  readonly trial: (shape: Readonly<Record<NoInfer<Shape>, number>>) => Readonly<Record<NoInfer<Shape>, number>>;
  /** What each binding holds at such a shape. */
  readonly floats: (
    shape: Readonly<Record<NoInfer<Shape>, number>>,
    variant: Variant,
  ) => Readonly<Record<NoInfer<Binding>, number>>;
}

/** Only fixes the types: a kernel is data. */
export const kernel = <Shape extends string, Binding extends string>(
  description: Kernel<Shape, Binding>,
): Kernel<Shape, Binding> => description;

/** In the order of the bindings. */
export const accessesOf = <S extends string, B extends string>({ bindings }: Kernel<S, B>): readonly [B, Access][] =>
  Object.entries(bindings) as [B, Access][];

/** Bytes of an element of that binding. */
export const widthOf = <S extends string, B extends string>({ stored }: Kernel<S, B>, name: B, half: boolean): 2 | 4 =>
  half && stored?.includes(name) ? 2 : 4;

export interface CompiledKernel {
  readonly kernel: Kernel;
  readonly variant: Variant;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export type CompiledKernels = ReadonlyMap<Kernel, CompiledKernel>;

/** Compiles all at once: the first loss waits for the slowest pipeline instead of for the sum. Rejects with the kernel's name. */
export async function compileKernels(
  device: GPUDevice,
  kernels: readonly Kernel[],
  variant: Variant,
): Promise<CompiledKernels> {
  const compiled = await Promise.all(kernels.map((k) => compileKernel(device, k, variant)));
  return new Map(compiled.map((c) => [c.kernel, c]));
}

/** Rejects with the kernel's name. */
export async function compileKernel(device: GPUDevice, kernel: Kernel, variant: Variant): Promise<CompiledKernel> {
  const { label } = kernel;
  const buffers: GPUBufferBindingType[] = [
    "uniform",
    ...accessesOf(kernel).map(
      ([, access]): GPUBufferBindingType => (access === "read" ? "read-only-storage" : "storage"),
    ),
  ];
  const layout = device.createBindGroupLayout({
    label,
    entries: buffers.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
  });
  const module = device.createShaderModule({ label, code: kernel.source(variant) });
  try {
    const pipeline = await device.createComputePipelineAsync({
      label: variant.tile ? `${label} ${tileName(variant)}` : label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    return { kernel, variant, pipeline, layout };
  } catch (cause) {
    const { messages } = await module.getCompilationInfo();
    const first = messages.find((m) => m.type === "error");
    const where = first ? ` (line ${first.lineNum}: ${first.message})` : "";
    throw new GpuError(`kernel "${label}" does not compile${where}`, { cause });
  }
}

/** Packs a shape into the 4-byte fields of the kernel's uniform. */
export function packShape(
  kernel: Kernel,
  shape: Readonly<Record<string, number>>,
  into: DataView,
  offset: number,
): void {
  let at = offset;
  for (const [field, type] of Object.entries(kernel.shape)) {
    const value = shape[field];
    if (value === undefined) throw new Error(`kernel "${kernel.label}": shape lacks "${field}"`);
    if (type === "u32") into.setUint32(at, value, true);
    else into.setFloat32(at, value, true);
    at += 4;
  }
}
