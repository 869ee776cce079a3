// Moments that lie outside of the device, where its memory is short. A step touches each of them once: so at its end they come block by block, and leave again.
//
//   block i    store -> momentum, variance -> AdamW of its parameters -> staging -> store        while the device computes it the next is read, and the one before leaves
//   store      block after block, each | momentum | variance |
//
// A block that was not written since the moments were zeroed is zero, and never read. The bits are those of moments in memory.
import type { Crossing } from "./device/crossing.ts";
import { MIB } from "./device/memory.ts";
import type { Plan } from "./device/plan.ts";
import { ModelTooLargeError } from "./errors.ts";
import { coldBlocksOf, momentWords } from "./model/buffers.ts";
import { COLD_BLOCKS_LEAVING } from "./model/outline.ts";
import type { Context } from "./model/passes.ts";

/** Bytes on a disk, or elsewhere; one block at a time, from begin to end, again and again. What it throws ends the engine. */
export interface ColdStore {
  /** Fills `into` with what was written from byte `at` on. Throws where that is not all there. */
  read(at: number, into: Uint8Array<ArrayBuffer>): void;
  write(at: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** Nobody needs the bytes any more. */
  close(): void;
}

/** A store of so many bytes, of which none is written. Rejects where there is no place for it, with the reason. */
export type OpenColdStore = (bytes: number) => Promise<ColdStore>;

/** Rejects with ModelTooLargeError: whoever needs a store does not fit without. */
export async function openCold(open: OpenColdStore, bytes: number): Promise<ColdStore> {
  try {
    return await open(bytes);
  } catch (cause) {
    const mib = Math.ceil(bytes / MIB).toLocaleString("en");
    throw new ModelTooLargeError(
      `It fits only with its moments outside of the GPU's memory, and there is no place for them (${mib} MiB): ${messageOf(cause)}`,
      { cause },
    );
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Why an engine is lost whose store failed: its device did not. */
export const COLD_LOST = "moments";

/** Where the moments are, if not on the device, and the passes that update a block each. */
export interface ColdParts {
  readonly store: ColdStore;
  readonly blocks: readonly ColdBlock[];
}

interface ColdBlock {
  /** AdamW of the block's parameters. */
  readonly plan: Plan;
  /** Of its momentum, and of its variance. */
  readonly words: number;
}

/** @param plans of the blocks, in their order */
export const coldPartsOf = (context: Context, store: ColdStore, plans: readonly Plan[]): ColdParts => ({
  store,
  blocks: coldBlocksOf(context, context.sizes).map(({ length }, i) => ({
    plan: plans[i],
    words: momentWords(length, context.sizes.moments),
  })),
});

export class ColdMoments {
  readonly #crossing: Crossing;
  readonly #store: ColdStore;
  readonly #blocks: readonly ColdBlock[];
  readonly #staging: readonly GPUBuffer[];
  readonly #read: Uint8Array<ArrayBuffer>;
  /** Blocks from the first on that the store has. */
  #written = 0;
  #updating: Promise<void> = Promise.resolve();

  constructor(crossing: Crossing, { store, blocks }: ColdParts) {
    const bytes = 8 * blocks[0].words; // the last may be shorter
    this.#crossing = crossing;
    this.#store = store;
    this.#blocks = blocks;
    this.#read = new Uint8Array(bytes);
    this.#staging = Array.from({ length: COLD_BLOCKS_LEAVING }, () => crossing.staging("moments", bytes));
  }

  /** All are zero. */
  zero(): void {
    this.#written = 0;
  }

  /** Queues and waits for the update of every block. Rejects with DeviceLostError, also where the store fails: parameters are then of no step. */
  update(): Promise<void> {
    this.#updating = this.#eachBlock();
    return this.#updating;
  }

  /** When the update under way, if any, has ended: it does with the device. */
  close(): void {
    void this.#updating.catch(() => {}).then(() => this.#store.close());
  }

  async #eachBlock(): Promise<void> {
    const leaving: Promise<void>[] = [];
    try {
      for (const [i, block] of this.#blocks.entries()) {
        await leaving[i - COLD_BLOCKS_LEAVING]; // its staging buffer is free
        this.#crossing.throwIfFailed();
        this.#bring(i, block);
        leaving.push(this.#leave(i, block));
      }
      await Promise.all(leaving);
    } finally {
      await Promise.allSettled(leaving);
    }
    this.#written = this.#blocks.length;
  }

  #bring(i: number, { words }: ColdBlock): void {
    if (i >= this.#written) return this.#crossing.clear("momentum", "variance");
    const bytes = this.#read.subarray(0, 8 * words);
    this.#told(i, "read", () => this.#store.read(this.#placeOf(i), bytes));
    const { queue } = this.#crossing.device;
    ["momentum", "variance"].forEach((name, j) => {
      queue.writeBuffer(this.#crossing.buffer(name), 0, bytes, 4 * words * j, 4 * words);
    });
  }

  async #leave(i: number, { plan, words }: ColdBlock): Promise<void> {
    const staging = this.#staging[i % COLD_BLOCKS_LEAVING];
    plan.replay((encoder) =>
      ["momentum", "variance"].forEach((name, j) => {
        encoder.copyBufferToBuffer(this.#crossing.buffer(name), 0, staging, 4 * words * j, 4 * words);
      }),
    );
    await this.#crossing.map(staging, (mapped) =>
      this.#told(i, "written", () => this.#store.write(this.#placeOf(i), new Uint8Array(mapped, 0, 8 * words))),
    );
  }

  #placeOf(block: number): number {
    return 8 * this.#blocks[0].words * block;
  }

  #told(block: number, done: "read" | "written", work: () => void): void {
    try {
      work();
    } catch (error) {
      const which = `block ${block + 1} of ${this.#blocks.length} of the moments could not be ${done}: ${messageOf(error)}`;
      throw this.#crossing.giveUp(COLD_LOST, which);
    }
  }
}
