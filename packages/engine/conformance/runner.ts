// Runs one kernel on one device: typed arrays in, what it wrote out.

import { fromHalf, roundedToHalf, toHalf } from "#outer";
import { openDevice } from "../device/adapter.ts";
import { type CompiledKernels, compileKernels, type Kernel, type Variant, widthOf } from "../device/kernel.ts";
import { Plan } from "../device/plan.ts";

type Data = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Of the norm; twice what rounding alone allows: some kernels round what they go on with, and some devices round towards zero. */
const STORED_ERROR = 2 ** -10;

export class KernelRunner {
  readonly #device: GPUDevice;
  readonly #variant: Variant;
  readonly #compiled = new Map<Kernel, CompiledKernels>();
  readonly #errors: string[] = [];
  readonly #onError = ({ error }: GPUUncapturedErrorEvent): void => {
    this.#errors.push(error.message);
  };

  /** @param compiled pipelines that are there already; what else is run is compiled at its first run */
  constructor(device: GPUDevice, variant: Variant, compiled: CompiledKernels = new Map()) {
    this.#device = device;
    this.#variant = variant;
    for (const kernel of compiled.keys()) this.#compiled.set(kernel, compiled);
    device.addEventListener("uncapturederror", this.#onError);
  }

  /** On a device of its own, which ends with it. */
  static async open({
    defaultLimits,
    headSize = 4,
    tiled = false,
    half = false,
    vary = (variant) => variant,
  }: {
    defaultLimits: boolean;
    headSize?: number;
    tiled?: boolean;
    half?: boolean;
    /** Another variant than the device's own. */
    vary?: (variant: Variant) => Variant;
  }): Promise<KernelRunner> {
    const { device, quads } = await openDevice({ defaultLimits, half });
    return new KernelRunner(device, vary({ quads, headSize, tiled, half }));
  }

  /** Numbers for a binding that is stored in f16 in mixed precision: such as f16 can hold then, so that the reference sees the same. */
  stored(values: ArrayLike<number>): Float32Array<ArrayBuffer> {
    return this.#variant.half ? roundedToHalf(values) : f32(values);
  }

  /** How far what a kernel stored may be from the reference's: f16 has 11 bits, so rounding alone is at most 2^-11 of each number. */
  storedError(allowed: number): number {
    return this.#variant.half ? Math.max(allowed, STORED_ERROR) : allowed;
  }

  /** Dispatches the kernel once. Bindings that it writes come back as f32; they start from what is given. */
  async run<S extends string, B extends string>(
    kernel: Kernel<S, B>,
    shape: Readonly<Record<NoInfer<S>, number>>,
    data: Readonly<Record<NoInfer<B>, Data>>,
  ): Promise<Record<B, Float32Array<ArrayBuffer>>> {
    const untyped = kernel as Kernel;
    let compiled = this.#compiled.get(untyped);
    if (!compiled) {
      compiled = await compileKernels(this.#device, [untyped], this.#variant);
      this.#compiled.set(untyped, compiled);
    }
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const names = Object.keys(kernel.bindings) as B[];
    const buffers = names.map((name) => {
      const half = widthOf(kernel, name, this.#variant.half) === 2;
      const given = half ? toHalf(data[name]) : data[name];
      const buffer = this.#device.createBuffer({ size: given.byteLength, usage: STORAGE | COPY_SRC | COPY_DST });
      this.#device.queue.writeBuffer(buffer, 0, given);
      return { name, buffer, offset: 0, length: given.length, half };
    });
    const plan = new Plan(this.#device, compiled, Number.POSITIVE_INFINITY);
    plan.add(kernel, shape, Object.fromEntries(buffers.map((b) => [b.name, b])) as never);
    plan.finish();
    const written = buffers
      .filter(({ name }) => kernel.bindings[name] === "write")
      .map(({ name, buffer, half }) => {
        const staging = this.#device.createBuffer({ size: buffer.size, usage: MAP_READ | COPY_DST });
        return { name, buffer, staging, half };
      });
    plan.replay((encoder) => {
      for (const { buffer, staging } of written) encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
    });
    const results = {} as Record<B, Float32Array<ArrayBuffer>>;
    for (const { name, staging, half } of written) {
      await staging.mapAsync(GPUMapMode.READ);
      const bytes = staging.getMappedRange().slice(0);
      results[name] = half ? fromHalf(new Uint16Array(bytes)) : new Float32Array(bytes);
      staging.destroy();
    }
    for (const { buffer } of buffers) buffer.destroy();
    plan.destroy();
    if (this.#errors.length > 0) throw new Error(this.#errors.join("\n"));
    return results;
  }

  /** Leaves a device that somebody else goes on with. */
  end(): void {
    this.#device.removeEventListener("uncapturederror", this.#onError);
  }

  destroy(): void {
    this.#device.destroy();
  }
}

export const f32 = (values: ArrayLike<number>): Float32Array<ArrayBuffer> => Float32Array.from(values);

/** An output that a kernel must overwrite: NaN shows what it forgot. */
export const unwritten = (length: number): Float32Array<ArrayBuffer> => new Float32Array(length).fill(Number.NaN);
