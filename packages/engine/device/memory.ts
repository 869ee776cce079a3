// The engine's GPU memory: planned as a list first, checked against the device's limits, then allocated, once.
import { ModelTooLargeError } from "../errors.ts";
import { alignFloats, type View } from "./plan.ts";
import { checked } from "./scopes.ts";

const MIB = 2 ** 20;

/** What a buffer is for decides what a refusal tells to make smaller. */
export type Purpose = "model" | "microbatch";

interface Request {
  readonly name: string;
  readonly floats: number;
  /** The widest range that one dispatch binds; a buffer may be larger than that. */
  readonly boundFloats: number;
  readonly purpose: Purpose;
}

export class MemoryPlan {
  readonly #requests: Request[] = [];

  want(name: string, floats: number, purpose: Purpose, boundFloats = floats): void {
    this.#requests.push({ name, floats: alignFloats(floats), boundFloats, purpose });
  }

  get bytes(): number {
    return this.#requests.reduce((sum, r) => sum + r.floats * 4, 0);
  }

  /** Throws ModelTooLargeError with the size that fits. `parameters` and `microbatch` are what the message scales. */
  check(limits: GPUSupportedLimits, parameters: number, microbatch: number): void {
    for (const { name, floats, boundFloats, purpose } of this.#requests) {
      const overBuffer = (floats * 4) / limits.maxBufferSize;
      const overBinding = (boundFloats * 4) / limits.maxStorageBufferBindingSize;
      const over = Math.max(overBuffer, overBinding);
      if (over <= 1) continue;
      const needs = Math.ceil(((over === overBuffer ? floats : boundFloats) * 4) / MIB);
      const allowed = Math.floor(
        (over === overBuffer ? limits.maxBufferSize : limits.maxStorageBufferBindingSize) / MIB,
      );
      const fits =
        purpose === "model"
          ? `a model of this form may have at most about ${Math.floor(parameters / over).toLocaleString("en")} parameters here (it has ${parameters.toLocaleString("en")})`
          : microbatch / over >= 1
            ? `use at most ${Math.floor(microbatch / over)} sequences per microbatch (asked: ${microbatch})`
            : `even one sequence does not fit: use a context at most ${Math.floor((100 * microbatch) / over)} % as long`;
      throw new ModelTooLargeError(
        `${name} needs ${needs} MiB in one piece and this device allows ${allowed} MiB: ${fits}.`,
      );
    }
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
          this.#requests.map(({ name, floats }) => [
            name,
            device.createBuffer({ label: name, size: floats * 4, usage }),
          ]),
        ),
    );
    return new Memory(buffers, this.bytes);
  }
}

export class Memory {
  readonly #buffers: ReadonlyMap<string, GPUBuffer>;
  readonly bytes: number;

  constructor(buffers: ReadonlyMap<string, GPUBuffer>, bytes: number) {
    this.#buffers = buffers;
    this.bytes = bytes;
  }

  view(name: string): View {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new Error(`no buffer "${name}" was planned`);
    return { buffer, offset: 0, length: buffer.size / 4 };
  }
}
