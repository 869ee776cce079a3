// What crosses between the CPU and one device: writes, uploads in pieces, mapped results; and what is known of the device's failure.
import { DeviceLostError, GpuError } from "../errors.ts";
import type { Memory } from "./memory.ts";
import { namedError } from "./scopes.ts";

/** A lost device rejects what it was asked first and says so a moment later. */
const LOSS_SHOWS_MS = 1000;

export const lostSoon = (device: GPUDevice): Promise<GPUDeviceLostInfo | undefined> =>
  Promise.race([device.lost, new Promise<undefined>((resolve) => setTimeout(resolve, LOSS_SHOWS_MS))]);

export class Crossing {
  readonly device: GPUDevice;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly #memory: Memory;
  readonly #pieceFloats: number;
  #failure: GpuError | DeviceLostError | undefined;
  #givenUp: { readonly reason: string; readonly message: string } | undefined;

  /** @param pieceFloats a larger vector crosses in pieces of so many */
  constructor(device: GPUDevice, memory: Memory, pieceFloats: number) {
    this.device = device;
    this.#memory = memory;
    this.#pieceFloats = pieceFloats;
    this.lost = device.lost.then((info) => {
      const { reason, message } = this.#givenUp ?? info;
      this.#failure = new DeviceLostError(reason, message);
      return { reason, message };
    });
    device.addEventListener("uncapturederror", ({ error }) => {
      this.#failure ??= namedError("The device refused work", error);
    });
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure;
  }

  /** What belongs to the device failed elsewhere: it is lost, for that reason. @returns what to throw */
  giveUp(reason: string, message: string): GpuError | DeviceLostError {
    if (this.#failure) return this.#failure;
    this.#givenUp = { reason, message };
    this.#failure = new DeviceLostError(reason, message);
    this.device.destroy();
    return this.#failure;
  }

  /** Waits for the loss that may be behind what failed, and throws that. */
  async throwLoss(): Promise<void> {
    await Promise.race([this.lost, lostSoon(this.device)]);
    this.throwIfFailed();
  }

  buffer(name: string): GPUBuffer {
    return this.#memory.view(name).buffer;
  }

  write(name: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): void {
    this.device.queue.writeBuffer(this.buffer(name), 0, data);
  }

  /**
   * A flat vector, from the buffer's begin on. Undefined when it is one piece: all of it is queued then, and what follows must not wait, since others
   * may take their turn meanwhile.
   */
  upload(name: string, flat: Float32Array): Promise<void> | undefined {
    if (flat.length > this.#pieceFloats) return this.#uploadPieces(name, flat);
    this.device.queue.writeBuffer(this.buffer(name), 0, flat as Float32Array<ArrayBuffer>);
    return undefined;
  }

  /** Vectors to places in buffers, in floats; waits whenever a piece's worth is queued, so that no copy of all of them is made on the way. */
  async uploadAll(
    parts: Iterable<{ readonly buffer: string; readonly to: number; readonly values: Float32Array }>,
  ): Promise<void> {
    const { queue } = this.device;
    let queued = 0;
    for (const { buffer, to, values } of parts)
      for (let from = 0; from < values.length; from += this.#pieceFloats) {
        const piece = values.subarray(from, from + this.#pieceFloats) as Float32Array<ArrayBuffer>;
        queue.writeBuffer(this.buffer(buffer), (to + from) * 4, piece);
        queued += piece.length;
        if (queued < this.#pieceFloats) continue;
        queued = 0;
        queue.submit([]);
        await queue.onSubmittedWorkDone().catch(() => {}); // a lost device says so elsewhere
      }
  }

  async #uploadPieces(name: string, flat: Float32Array): Promise<void> {
    const { queue } = this.device;
    for (let from = 0; from < flat.length; from += this.#pieceFloats) {
      const piece = flat.subarray(from, from + this.#pieceFloats) as Float32Array<ArrayBuffer>;
      queue.writeBuffer(this.buffer(name), from * 4, piece);
      queue.submit([]);
      await queue.onSubmittedWorkDone().catch(() => {}); // a lost device says so elsewhere
    }
  }

  /** Floats from `offset` on, in pieces through one staging buffer; each with its own place. */
  async read(
    name: string,
    { offset, length }: { readonly offset: number; readonly length: number },
    pieceFloats: number,
    take: (piece: Float32Array, from: number) => void,
  ): Promise<void> {
    this.throwIfFailed();
    const staging = this.staging(name, pieceFloats * 4);
    try {
      for (let from = offset; from < offset + length; from += pieceFloats) {
        const floats = Math.min(pieceFloats, offset + length - from);
        const encoder = this.device.createCommandEncoder();
        encoder.copyBufferToBuffer(this.buffer(name), from * 4, staging, 0, floats * 4);
        this.device.queue.submit([encoder.finish()]);
        await this.map(staging, (mapped) => take(new Float32Array(mapped, 0, floats), from));
      }
    } finally {
      staging.destroy();
    }
  }

  clear(...names: readonly string[]): void {
    const encoder = this.device.createCommandEncoder();
    for (const name of names) encoder.clearBuffer(this.buffer(name));
    this.device.queue.submit([encoder.finish()]);
  }

  staging(label: string, size: number): GPUBuffer {
    return this.device.createBuffer({ label, size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Waits for what is queued into `staging`, and unmaps it after `use`. */
  async map(staging: GPUBuffer, use: (mapped: ArrayBuffer) => void): Promise<void> {
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch (cause) {
      await this.throwLoss();
      this.#failure = new GpuError("The device could not return a result.", { cause });
      throw this.#failure;
    }
    this.throwIfFailed();
    use(staging.getMappedRange());
    staging.unmap();
  }
}
