// The engine's GPU memory: planned as a list first, checked against limits, then allocated, once.
//
//   want(name, elements, part) …  ->  blank(): views to rehearse a plan with  |  allocate(device): the buffers
import { alignFloats, elementBytes, type View } from "./plan.ts";
import { checked } from "./scopes.ts";

export const MIB = 2 ** 20;

/** What a buffer is for: the lines of a plan that a person reads. */
export const PARTS = [
  "parameters",
  "adapters",
  "gradient",
  "moments",
  "mark",
  "activations",
  "cache",
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
  /** It holds twice as many elements, of f16. */
  readonly half: boolean;
}

export class MemoryPlan {
  readonly #buffers: WantedBuffer[] = [];

  /** @param elements an even number where they are f16 */
  want(name: string, elements: number, part: Part, half = false): void {
    this.#buffers.push({ name, floats: alignFloats(half ? elements / 2 : elements), part, half });
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

  get #halves(): ReadonlySet<string> {
    return new Set(this.#buffers.filter(({ half }) => half).map(({ name }) => name));
  }

  /** Views of buffers that exist on paper only: what a pass binds can be looked at before anything is allocated. */
  blank(): Memory {
    return new Memory(
      new Map(this.#buffers.map(({ name, floats }) => [name, { label: name, size: floats * 4 } as GPUBuffer])),
      this.#halves,
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
    return new Memory(buffers, this.#halves);
  }
}

export class Memory {
  readonly #buffers: ReadonlyMap<string, GPUBuffer>;
  readonly #halves: ReadonlySet<string>;

  constructor(buffers: ReadonlyMap<string, GPUBuffer>, halves: ReadonlySet<string>) {
    this.#buffers = buffers;
    this.#halves = halves;
  }

  view(name: string): View {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new Error(`no buffer "${name}" was planned`);
    const half = this.#halves.has(name);
    return { buffer, offset: 0, length: buffer.size / elementBytes({ half }), half };
  }

  /** As this one, but where a buffer's name has `suffix` too, that one is meant. */
  with(suffix: string): Memory {
    const own = [...this.#buffers].filter(([name]) => name.endsWith(suffix));
    const plain = (name: string): string => name.slice(0, -suffix.length);
    const halves = own.filter(([name]) => this.#halves.has(name)).map(([name]) => plain(name));
    return new Memory(
      new Map([...this.#buffers, ...own.map(([name, buffer]) => [plain(name), buffer] as const)]),
      new Set([...this.#halves, ...halves]),
    );
  }
}
