// A plan: the dispatches of one pass, recorded once, replayed every step in few submissions.
//
//   add(kernel, shape, views) …  ->  finish()  ->  replay() …
//
// Uniforms and bind groups are made once, in finish(). A submission ends when its work exceeds `flopsPerSubmit`: a page shares the
// adapter with its own compositor, and a driver's watchdog counts seconds per submission.
import { type CompiledKernel, type CompiledKernels, type Kernel, packShape, type Workgroups } from "./kernel.ts";

/** A range of a buffer, in floats (or other 4-byte words); in f16 where it is half. */
export interface View {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly length: number;
  readonly half?: boolean;
}

export const elementBytes = ({ half }: Pick<View, "half">): 2 | 4 => (half ? 2 : 4);

/** Elements [from, from + length) of a view; from must keep the binding aligned (64 floats are always enough, 128 of f16). */
export const slice = (view: View, from: number, length: number): View => ({
  ...view,
  offset: view.offset + from,
  length,
});

/** Every device accepts bindings and uniforms at multiples of 256 bytes (the largest minimum that WebGPU allows an adapter to have). */
export const ALIGN_BYTES = 256;
export const ALIGN_FLOATS = ALIGN_BYTES / 4;
export const alignFloats = (floats: number): number => Math.ceil(floats / ALIGN_FLOATS) * ALIGN_FLOATS;

/** Bytes of the uniforms of so many dispatches, each on a binding's boundary. */
export const shapesBytes = (dispatches: number): number => Math.max(1, dispatches) * ALIGN_BYTES;

/** A software adapter does 2 to 4 GFLOP/s: 0.1 s per submission keeps the page's own frames coming. A GPU is never busy that long. */
export const FLOPS_PER_SUBMIT = { software: 0.3e9, hardware: 2e10 };

/** Between two dispatches: what others have to add, or to say, must come first. */
export interface SumPoint {
  /** What the dispatches before it have left for the others; undefined: zeros. */
  readonly from: View | undefined;
  /** Where the answer lies when the dispatches behind it begin. */
  readonly to: View;
  /** When those behind the next point of this kind begin. */
  readonly late: boolean;
}

/** What the dispatches before it have left goes to other ranks; nothing waits for it. */
export interface SendPoint {
  /** The same of each of so many sequences. */
  readonly send: View;
  readonly sequences: number;
  /** Of each sequence the first so many elements. */
  readonly ranks: readonly { readonly rank: number; readonly elements: number }[];
}

/** The next that this rank has sent us must be there when the dispatches behind it begin. */
export interface ReceivePoint {
  readonly receive: View;
  readonly rank: number;
}

export type ExchangePoint = SumPoint | SendPoint | ReceivePoint;

/** What passes are written to: plans, or a rehearsal that only looks at what is bound. */
export interface Recorder extends Pick<Plan, "add"> {
  exchange(point: ExchangePoint): void;
}

/** Dispatches per timed submission: the round trip of one, 0.6 ms on SwiftShader, must not drown a short kernel. */
const PROFILE_REPEATS = 8;

/** All dispatches of a kernel in one replay. */
export interface KernelProfile {
  /** Each dispatch alone, the best of several rounds. */
  readonly ms: number;
  /** As its recorder counts them; 0 where nothing is counted. */
  readonly flops: number;
  /** What its bindings hold, once: what must cross at least where all of it is used. */
  readonly bytes: number;
}

/** One dispatch on paper. */
interface Entry {
  readonly kernel: Kernel;
  readonly shape: Readonly<Record<string, number>>;
  readonly views: readonly View[];
  readonly flops: number;
}

interface Dispatch {
  readonly entry: Entry;
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly workgroups: Workgroups;
}

export class Plan {
  readonly #device: GPUDevice;
  readonly #compiled: CompiledKernels;
  readonly #flopsPerSubmit: number;
  readonly #entries: Entry[] = [];
  #submissions: Dispatch[][] = [];
  #uniforms: GPUBuffer | undefined;

  constructor(device: GPUDevice, compiled: CompiledKernels, flopsPerSubmit: number) {
    this.#device = device;
    this.#compiled = compiled;
    this.#flopsPerSubmit = flopsPerSubmit;
  }

  get dispatches(): number {
    return this.#entries.length;
  }

  /** What was recorded, in order. */
  get entries(): readonly Pick<Entry, "kernel" | "shape" | "flops">[] {
    return this.#entries;
  }

  /** Records one dispatch. `flops` is its work, for the length of submissions only. */
  add<S extends string, B extends string>(
    kernel: Kernel<S, B>,
    shape: Readonly<Record<S, number>>,
    views: Readonly<Record<B, View>>,
    flops = 0,
  ): void {
    const names = Object.keys(kernel.bindings) as B[];
    this.#entries.push({ kernel: kernel as Kernel, shape, views: names.map((name) => views[name]), flops });
  }

  /** A plan runs through. @throws always: who waits for others records segments (segments.ts) */
  exchange(): never {
    throw new Error("a plan does not wait for others: its passes are those of a model that is not cut");
  }

  finish(): void {
    const device = this.#device;
    const bytes = new DataView(new ArrayBuffer(shapesBytes(this.#entries.length)));
    for (const [i, { kernel, shape }] of this.#entries.entries()) packShape(kernel, shape, bytes, i * ALIGN_BYTES);
    const uniforms = device.createBuffer({
      label: "shapes",
      size: bytes.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(uniforms, 0, bytes.buffer);
    this.#uniforms = uniforms;

    let submission: Dispatch[] = [];
    let flops = 0;
    this.#entries.forEach((entry, i) => {
      if (submission.length > 0 && flops + entry.flops > this.#flopsPerSubmit) {
        this.#submissions.push(submission);
        submission = [];
        flops = 0;
      }
      submission.push(this.#dispatch(entry, uniforms, i * ALIGN_BYTES));
      flops += entry.flops;
    });
    if (submission.length > 0) this.#submissions.push(submission);
  }

  #dispatch(entry: Entry, uniforms: GPUBuffer, offset: number): Dispatch {
    const { kernel, shape, views } = entry;
    const compiled = this.#compiled.get(kernel);
    if (!compiled) throw new Error(`kernel "${kernel.label}" was not compiled`);
    const fields = Object.keys(kernel.shape).length;
    const shapeBinding = { buffer: uniforms, offset, size: Math.ceil(fields / 4) * 16 };
    const bindGroup = this.#device.createBindGroup({
      label: kernel.label,
      layout: compiled.layout,
      entries: [
        { binding: 0, resource: shapeBinding },
        ...views.map((view, i) => {
          const bytes = elementBytes(view);
          return {
            binding: i + 1,
            resource: { buffer: view.buffer, offset: view.offset * bytes, size: view.length * bytes },
          };
        }),
      ],
    });
    return { entry, pipeline: compiled.pipeline, bindGroup, workgroups: kernel.workgroups(shape, compiled.variant) };
  }

  /** From the next replay on: other pipelines of the same kernels, where `pick` has one. Their bindings are the same. */
  use(pick: (kernel: Kernel, shape: Entry["shape"]) => CompiledKernel | undefined): void {
    this.#submissions = this.#submissions.map((dispatches) =>
      dispatches.map((dispatch) => {
        const { kernel, shape } = dispatch.entry;
        const other = pick(kernel, shape);
        if (!other) return dispatch;
        return { ...dispatch, pipeline: other.pipeline, workgroups: kernel.workgroups(shape, other.variant) };
      }),
    );
  }

  /** Queues every dispatch, in order. `last` may append copies to the final command buffer. */
  replay(last?: (encoder: GPUCommandEncoder) => void): void {
    this.#submissions.forEach((dispatches, i) => {
      const encoder = this.#device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (const { pipeline, bindGroup, workgroups } of dispatches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...workgroups);
      }
      pass.end();
      if (i === this.#submissions.length - 1) last?.(encoder);
      this.#device.queue.submit([encoder.finish()]);
    });
  }

  /** What each kernel takes of one replay, and what it does in it. For the bench; what is in place is overwritten. */
  async profile(rounds: number): Promise<Record<string, KernelProfile>> {
    const byKernel: Record<string, KernelProfile> = {};
    for (const [i, { pipeline, bindGroup, workgroups }] of this.#submissions.flat().entries()) {
      let best = Number.POSITIVE_INFINITY;
      for (let round = 0; round < rounds; round++) {
        const encoder = this.#device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        for (let r = 0; r < PROFILE_REPEATS; r++) pass.dispatchWorkgroups(...workgroups);
        pass.end();
        const commands = encoder.finish();
        const before = performance.now();
        this.#device.queue.submit([commands]);
        await this.#device.queue.onSubmittedWorkDone();
        best = Math.min(best, (performance.now() - before) / PROFILE_REPEATS);
      }
      const { kernel, views, flops } = this.#entries[i];
      const held = views.reduce((sum, view) => sum + view.length * elementBytes(view), 0);
      const { ms, ...sums } = byKernel[kernel.label] ?? { ms: 0, flops: 0, bytes: 0 };
      byKernel[kernel.label] = { ms: ms + best, flops: sums.flops + flops, bytes: sums.bytes + held };
    }
    return byKernel;
  }

  destroy(): void {
    this.#uniforms?.destroy();
  }
}
