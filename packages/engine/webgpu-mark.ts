// The mark on WebGPU: an update is made where the parameters are, and only the update crosses.
//
//   offer    gather own -> encode (mark − own), piece after piece, into staging -> mark = own
//   sealed   gather own -> [encode] -> mark = own − mark -> upload anchor -> own = anchor + mark, mark = anchor -> scatter own
//
// Gather and scatter are copies between the engine's order and the swarm's; all of it uses the gradient's buffer, and leaves it zero.
import type { Crossing } from "./device/crossing.ts";
import type { Plan } from "./device/plan.ts";
import type { Mark } from "./engine.ts";
import { UPDATE_BLOCK, UPDATE_BLOCK_WORDS } from "./kernels/mark.ts";
import type { Sizes } from "./model/buffers.ts";
import type { Layout } from "./model/layout.ts";
import { updateBlocks, updatePieces, updateStagingBytes } from "./model/mark-passes.ts";
import type { Turns } from "./turns.ts";

export interface MarkParts {
  readonly crossing: Crossing;
  readonly layout: Layout;
  readonly sizes: Sizes;
  readonly plans: Readonly<Record<string, Plan>>;
  readonly turns: Turns;
  /** Turns that what uploads a vector takes: all of them when it waits in between. */
  readonly uploadSlots: number;
}

export class WebGpuMark implements Mark {
  readonly #parts: MarkParts;

  constructor(parts: MarkParts) {
    this.#parts = parts;
  }

  set(mark: Float32Array): void {
    const { crossing, turns, uploadSlots } = this.#parts;
    this.#checkLength(mark);
    const own = mark.slice();
    void turns.take(async () => {
      if (!crossing.hasFailed) await crossing.upload("mark", own);
    }, uploadSlots);
  }

  offer(): Promise<Uint8Array> {
    const { crossing, turns, plans } = this.#parts;
    return turns.take(async () => {
      crossing.throwIfFailed();
      this.#commands((encoder) => this.#gather(encoder));
      const staging = this.#encode();
      plans.advance.replay();
      return this.#taken(staging);
    });
  }

  sealed(anchor: Float32Array, { carries }: { readonly carries: boolean }): Promise<Uint8Array | undefined> {
    const { crossing, turns, plans, uploadSlots } = this.#parts;
    this.#checkLength(anchor);
    return turns.take(async () => {
      crossing.throwIfFailed();
      this.#commands((encoder) => this.#gather(encoder));
      const staging = carries ? this.#encode() : undefined;
      plans.carry.replay();
      await crossing.upload("gradient", anchor);
      plans.rebase.replay();
      this.#commands((encoder) => {
        this.#scatter(encoder);
        encoder.clearBuffer(crossing.buffer("gradient"));
      });
      return staging && this.#taken(staging);
    }, uploadSlots);
  }

  /** mark − own, as an update that will be in the staging buffer. */
  #encode(): GPUBuffer {
    const { crossing, layout, sizes, plans } = this.#parts;
    const staging = crossing.staging("update", updateStagingBytes(layout));
    this.#commands((encoder) => encoder.clearBuffer(crossing.buffer("diverged")));
    const [update, diverged] = [crossing.buffer("update"), crossing.buffer("diverged")];
    const blocks = updateBlocks(layout);
    const codeBytes = UPDATE_BLOCK;
    for (const piece of updatePieces(layout, sizes)) {
      plans[`encode.${piece.first}`].replay((encoder) => {
        const copy = (from: number, to: number, bytes: number): void =>
          encoder.copyBufferToBuffer(update, from, staging, to, bytes);
        copy(0, 4 * piece.first, 4 * piece.blocks);
        copy(4 * piece.blocks, 4 * blocks + codeBytes * piece.first, codeBytes * piece.blocks);
        encoder.copyBufferToBuffer(diverged, 0, staging, 4 * blocks * UPDATE_BLOCK_WORDS, 4); // of the last piece, it stands for all
      });
    }
    return staging;
  }

  async #taken(staging: GPUBuffer): Promise<Uint8Array> {
    const { crossing, layout } = this.#parts;
    const blocks = updateBlocks(layout);
    try {
      let body = new Uint8Array();
      await crossing.map(staging, (mapped) => {
        const [bad] = new Uint32Array(mapped, 4 * blocks * UPDATE_BLOCK_WORDS, 1);
        if (bad === 0) body = new Uint8Array(mapped.slice(0, 4 * blocks + layout.parameters));
        else throw divergedAt(bad - 1, layout);
      });
      return body;
    } finally {
      staging.destroy();
    }
  }

  #gather(encoder: GPUCommandEncoder): void {
    const { crossing, layout } = this.#parts;
    const [parameters, own] = [crossing.buffer("parameters"), crossing.buffer("gradient")];
    for (const { from, to, length } of layout.places)
      encoder.copyBufferToBuffer(parameters, 4 * to, own, 4 * from, 4 * length);
  }

  #scatter(encoder: GPUCommandEncoder): void {
    const { crossing, layout } = this.#parts;
    const [parameters, own] = [crossing.buffer("parameters"), crossing.buffer("gradient")];
    for (const { from, to, length } of layout.places)
      encoder.copyBufferToBuffer(own, 4 * from, parameters, 4 * to, 4 * length);
  }

  #commands(record: (encoder: GPUCommandEncoder) => void): void {
    const { device } = this.#parts.crossing;
    const encoder = device.createCommandEncoder();
    record(encoder);
    device.queue.submit([encoder.finish()]);
  }

  #checkLength({ length }: Float32Array): void {
    const { parameters } = this.#parts.layout;
    if (length !== parameters) throw new RangeError(`the model has ${parameters} parameters, got ${length}`);
  }
}

function divergedAt(block: number, { parameters }: Layout): RangeError {
  const first = block * UPDATE_BLOCK;
  const last = Math.min(first + UPDATE_BLOCK, parameters) - 1;
  return new RangeError(
    `the pseudo-gradient holds what is no finite number among parameters ${first} to ${last}: training diverged`,
  );
}
