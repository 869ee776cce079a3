// The engine's GPU memory: planned as a list first, checked against limits, then allocated, once.
//
//   want(name, floats, part) …  ->  blank(): views to rehearse a plan with  |  allocate(device): the buffers
import { alignFloats, type View } from "./plan.ts";
import { checked } from "./scopes.ts";

export const MIB = 2 ** 20;

/** What a buffer is for: the lines of a plan that a person reads. */
export const PARTS = [
  "parameters",
  "gradient",
  "moments",
  "mark",
  "activations",
  "logits",
  "scratch",
  "staging",
] as const;
export type Part = (typeof PARTS)[number];
export type BytesByPart = Readonly<Record<Part, number>>;

export interface WantedBuffer {
  readonly name: string;
  readonly floats: number;
  readonly part: Part;
}

export class MemoryPlan {
  readonly #buffers: WantedBuffer[] = [];

  want(name: string, floats: number, part: Part): void {
    this.#buffers.push({ name, floats: alignFloats(floats), part });
  }

  get buffers(): readonly WantedBuffer[] {
    return this.#buffers;
  }

  get bytes(): number {
    return this.#buffers.reduce((sum, { floats }) => sum + floats * 4, 0);
  }

  bytesOf(part: Part): number {
    return this.#buffers.reduce((sum, buffer) => sum + (buffer.part === part ? buffer.floats * 4 : 0), 0);
  }

  /** Views of buffers that exist on paper only: what a pass binds can be looked at before anything is allocated. */
  blank(): Memory {
    return new Memory(
      new Map(this.#buffers.map(({ name, floats }) => [name, { label: name, size: floats * 4 } as GPUBuffer])),
    );
  }

  /** Allocates everything (zeroed, as WebGPU promises). Rejects with OutOfMemoryError when the device has too little memory. */
  async allocate(device: GPUDevice): Promise<Memory> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    const what = `The device could not allocate ${Math.ceil(this.bytes / MIB)} MiB`;
    const buffers = await checked(
      device,
      what,
      () =>
        new Map(
          this.#buffers.map(({ name, floats }) => [
            name,
            device.createBuffer({ label: name, size: floats * 4, usage }),
          ]),
        ),
    );
    return new Memory(buffers);
  }
}

export class Memory {
  readonly #buffers: ReadonlyMap<string, GPUBuffer>;

  constructor(buffers: ReadonlyMap<string, GPUBuffer>) {
    this.#buffers = buffers;
  }

  view(name: string): View {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new Error(`no buffer "${name}" was planned`);
    return { buffer, offset: 0, length: buffer.size / 4 };
  }
}
