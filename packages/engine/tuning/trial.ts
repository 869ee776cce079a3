// One workload on a device of its own: operands once, then each variant as often as asked, timed.

import { toHalf } from "#outer";
import { type CompiledKernel, widthOf } from "../device/kernel.ts";
import { alignFloats, Plan, type View } from "../device/plan.ts";
import { checked } from "../device/scopes.ts";
import type { Workload } from "./workload.ts";

/** A round trip to the device takes half a millisecond: so much work at once drowns it, and a step that waits for it is not late. */
const SLICE_MS = 8;
const REPEATS_MAX = 32;
/** A variant that takes so many times the default's time in its first run is not timed any further. */
const HOPELESS = 2;

export class Trial {
  readonly #device: GPUDevice;
  readonly #workload: Workload;
  readonly #views: Readonly<Record<string, View>>;
  readonly #plans = new Map<CompiledKernel, Plan>();

  private constructor(device: GPUDevice, workload: Workload, views: Readonly<Record<string, View>>) {
    this.#device = device;
    this.#workload = workload;
    this.#views = views;
  }

  /** Rejects with OutOfMemoryError. */
  static async open(device: GPUDevice, workload: Workload, variant: CompiledKernel["variant"]): Promise<Trial> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const floatsByName = Object.entries(workload.tuning.floats(workload.shape, variant));
    const views = await checked(device, "The device could not allocate what a kernel is timed with", () =>
      floatsByName.map(([name, length]) => {
        const buffer = device.createBuffer({ label: name, size: alignFloats(length) * 4, usage });
        const half = widthOf(workload.kernel, name, variant.half) === 2;
        return [name, { buffer, offset: 0, length, half }] as const;
      }),
    );
    for (const [, { buffer, length, half }] of views)
      device.queue.writeBuffer(buffer, 0, half ? toHalf(noise(length)) : noise(length));
    return new Trial(device, workload, Object.fromEntries(views));
  }

  /** Runs each once, and then once for its time: which of them are worth rounds, and how often each is to run in one. */
  async size(first: CompiledKernel, others: readonly CompiledKernel[]): Promise<readonly CompiledKernel[]> {
    const onceMs = async (compiled: CompiledKernel): Promise<number> => {
      this.#plan(compiled, 1);
      await this.run(compiled);
      return this.run(compiled);
    };
    const firstMs = await onceMs(first);
    const repeats = Math.max(1, Math.min(REPEATS_MAX, Math.round(SLICE_MS / firstMs)));
    const kept = [first];
    for (const other of others) if ((await onceMs(other)) < HOPELESS * firstMs) kept.push(other);
    for (const compiled of kept) this.#plan(compiled, repeats);
    return kept;
  }

  /** Milliseconds of as many runs as were sized. */
  async run(compiled: CompiledKernel): Promise<number> {
    const plan = this.#plans.get(compiled);
    if (!plan) throw new Error("a variant is run before it was sized");
    const before = performance.now();
    plan.replay();
    await this.#device.queue.onSubmittedWorkDone();
    return performance.now() - before;
  }

  free(): void {
    for (const plan of this.#plans.values()) plan.destroy();
    for (const { buffer } of Object.values(this.#views)) buffer.destroy();
  }

  #plan(compiled: CompiledKernel, times: number): void {
    this.#plans.get(compiled)?.destroy();
    const { kernel, shape } = this.#workload;
    const plan = new Plan(this.#device, new Map([[kernel, compiled]]), Number.POSITIVE_INFINITY);
    for (let i = 0; i < times; i++) plan.add(kernel, shape, this.#views);
    plan.finish();
    this.#plans.set(compiled, plan);
  }
}

/** Small numbers that are no special case of anything. */
const noise = (length: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, i) => 0.1 * Math.sin(12.9898 * i));
