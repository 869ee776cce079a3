// The mark on WebGPU: an update is made where the parameters are, and only the update crosses.
//
//   offer      gather own -> encode owed + (mark − own) into staging -> mark = own
//   sealed     gather own -> [encode] -> mark = own − mark -> upload anchor -> own = anchor + mark, mark = anchor -> scatter own
//
// Gather and scatter are copies between the engine's order and the swarm's; all of it uses the gradient's buffer, and leaves it zero.
// With error feedback an offer is chosen from own = owed + (mark − own) before the mark moves, and `owed` keeps that until the offer is sealed or
// withdrawn.
import { type ChunkTopK, readOwn } from "#outer";
import type { Crossing } from "./device/crossing.ts";
import type { Plan } from "./device/plan.ts";
import type { MadeOffer, Mark } from "./engine.ts";
import { UPDATE_BLOCK, UPDATE_BLOCK_WORDS } from "./kernels/mark.ts";
import type { Sizes } from "./model/buffers.ts";
import type { Layout } from "./model/layout.ts";
import { selectionStagingBytes, updateBlocks, updatePieces, updateStagingBytes } from "./model/mark-passes.ts";
import { decodedValues, selectionOf, selectionTable } from "./model/selection.ts";
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
  /** `owed` is what the offer in flight encoded; what that decodes to, once it is known. Only with error feedback. */
  #pending: { sent?: Float32Array<ArrayBuffer> } | undefined;

  constructor(parts: MarkParts) {
    this.#parts = parts;
    const { crossing, sizes } = parts;
    if (sizes.topK) crossing.write("table", selectionTable(sizes.topK).entries);
  }

  set(mark: Float32Array): void {
    const { crossing, sizes } = this.#parts;
    this.#uploading(mark, async (own) => {
      this.#pending = undefined;
      if (sizes.topK) crossing.clear("owed");
      const uploading = crossing.upload("mark", own);
      if (uploading) await uploading;
    });
  }

  withdraw(before: Float32Array): void {
    const { crossing, plans } = this.#parts;
    this.#uploading(before, async (own) => {
      if (!this.#pending) return crossing.upload("mark", own);
      this.#pending = undefined;
      const uploading = crossing.upload("gradient", own);
      if (uploading) await uploading;
      plans.withdraw.replay();
    });
  }

  offer(): Promise<MadeOffer> {
    const { crossing, turns, plans, sizes } = this.#parts;
    const { topK } = sizes;
    return turns.take(async () => {
      crossing.throwIfFailed();
      this.#commands((encoder) => this.#gather(encoder));
      const blocks = this.#encode();
      const chosen = topK && this.#select();
      plans.advance.replay();
      const pending = topK ? {} : undefined;
      this.#pending = pending;
      try {
        const unsent = await this.#taken(blocks);
        const body = topK && chosen ? await this.#packed(topK, chosen, pending) : unsent;
        return { body, unsent };
      } catch (error) {
        if (this.#pending === pending) this.#pending = undefined; // diverged: owed and mark stay as they were
        throw error;
      } finally {
        blocks.destroy();
        chosen?.destroy();
      }
    });
  }

  sealed(anchor: Float32Array, { carries }: { readonly carries: boolean }): Promise<Uint8Array | undefined> {
    const { crossing, turns, plans, uploadSlots } = this.#parts;
    this.#checkLength(anchor);
    return turns.take(async () => {
      crossing.throwIfFailed();
      if (this.#pending) this.#settle(this.#pending);
      this.#commands((encoder) => this.#gather(encoder));
      const blocks = carries ? this.#encode() : undefined;
      plans.carry.replay();
      const uploading = crossing.upload("gradient", anchor);
      if (uploading) await uploading; // else all of this is queued at once: a step that takes its turn now comes behind it
      plans.rebase.replay();
      this.#commands((encoder) => {
        this.#scatter(encoder);
        encoder.clearBuffer(crossing.buffer("gradient"));
      });
      try {
        return blocks && (await this.#taken(blocks));
      } finally {
        blocks?.destroy();
      }
    }, uploadSlots);
  }

  /** owed + (mark − own) in int8 blocks that will be in the staging buffer, with whether it diverged. */
  #encode(): GPUBuffer {
    const { crossing, layout, sizes, plans } = this.#parts;
    const staging = crossing.staging("update", updateStagingBytes(layout));
    crossing.clear("diverged");
    const [update, diverged] = [crossing.buffer("update"), crossing.buffer("diverged")];
    const blocks = updateBlocks(layout);
    for (const piece of updatePieces(layout, sizes)) {
      plans[`encode.${piece.first}`].replay((encoder) => {
        const copy = (from: number, to: number, bytes: number): void =>
          encoder.copyBufferToBuffer(update, from, staging, to, bytes);
        copy(0, 4 * piece.first, 4 * piece.blocks);
        copy(4 * piece.blocks, 4 * blocks + UPDATE_BLOCK * piece.first, UPDATE_BLOCK * piece.blocks);
        encoder.copyBufferToBuffer(diverged, 0, staging, 4 * blocks * UPDATE_BLOCK_WORDS, 4); // of the last piece, it stands for all
      });
    }
    return staging;
  }

  /** own becomes what is encoded, owed too; the selection will be in the staging buffer; then own is gathered again. */
  #select(): GPUBuffer {
    const { crossing, sizes, plans } = this.#parts;
    const bytes = selectionStagingBytes(sizes);
    const staging = crossing.staging("selection", bytes);
    plans.encoded.replay();
    plans.select.replay();
    this.#commands((encoder) => encoder.copyBufferToBuffer(crossing.buffer("selection"), 0, staging, 0, bytes));
    plans.keep.replay();
    this.#commands((encoder) => this.#gather(encoder));
    return staging;
  }

  async #packed(
    codec: ChunkTopK,
    chosen: GPUBuffer,
    pending: { sent?: Float32Array } | undefined,
  ): Promise<Uint8Array> {
    let words = new Uint32Array();
    await this.#parts.crossing.map(chosen, (mapped) => {
      words = new Uint32Array(mapped.slice(0));
    });
    const selection = selectionOf(codec, words);
    const body = codec.pack(selection);
    if (pending) pending.sent = decodedValues(codec, selection, readOwn(codec, body));
    return body;
  }

  /** The offer counts: what was left out of it is owed, and shrinks. */
  #settle({ sent }: { sent?: Float32Array<ArrayBuffer> }): void {
    const { crossing, plans, sizes } = this.#parts;
    this.#pending = undefined;
    if (!sent || !sizes.topK) return;
    const at = sizes.topK.chunks.length + sent.length;
    crossing.device.queue.writeBuffer(crossing.buffer("selection"), 4 * at, sent);
    plans.sent.replay();
    plans.shrink.replay();
  }

  async #taken(staging: GPUBuffer): Promise<Uint8Array> {
    const { crossing, layout } = this.#parts;
    const blocks = updateBlocks(layout);
    let body = new Uint8Array();
    await crossing.map(staging, (mapped) => {
      const [bad] = new Uint32Array(mapped, 4 * blocks * UPDATE_BLOCK_WORDS, 1);
      if (bad !== 0) throw divergedAt(bad - 1, layout);
      body = new Uint8Array(mapped.slice(0, 4 * blocks + layout.parameters));
    });
    return body;
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

  /** In its turn, unless the device has failed. */
  #uploading(flat: Float32Array, work: (own: Float32Array) => Promise<void>): void {
    const { crossing, turns, uploadSlots } = this.#parts;
    this.#checkLength(flat);
    const own = flat.slice();
    void turns.take(async () => {
      if (!crossing.hasFailed) await work(own);
    }, uploadSlots);
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
