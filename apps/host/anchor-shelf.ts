// The anchor of now, for who wants to try the model: its parameters as a checkpoint's section, in memory, made when somebody asks.
//
//   newest seal -> the witness's parameters, once a round -> {round, anchorHash, blobs} and the bytes
//
// Checkpoints come every so many rounds and stay; this is what lies between them.
import { sharedTable } from "#outer";
import { blobName, type CheckpointRow, type EntryOf, holdersOf, type LogEntry, type RunSpec } from "#wire";
import type { WitnessPort } from "./witness.ts";

/** It lies in memory: a model of 16 million parameters. Of larger ones there are checkpoints. */
const BYTES_MAX = 64 * 2 ** 20;
/** The one before is still being fetched when the next is made. */
const KEPT = 2;

interface Shelved {
  readonly row: CheckpointRow;
  readonly bytes: Uint8Array;
}

export interface AnchorShelfOptions {
  readonly spec: RunSpec;
  readonly entries: readonly LogEntry[];
  readonly witness: Pick<WitnessPort, "anchor">;
}

export class AnchorShelf {
  readonly #options: AnchorShelfOptions;
  readonly #kept: Shelved[] = []; // newest first
  #making: { readonly seal: EntryOf<"seal">; readonly row: Promise<CheckpointRow | undefined> } | undefined;

  constructor(options: AnchorShelfOptions) {
    this.#options = options;
  }

  /** Undefined: nothing is sealed yet, the witness is elsewhere, or the anchor is too large for this. */
  newest(): Promise<CheckpointRow | undefined> {
    const { spec, entries } = this.#options;
    const seal = entries.findLast((entry) => entry.type === "seal");
    const bytes = 4 * sharedTable(spec).length;
    if (seal === undefined || bytes > BYTES_MAX || holdersOf(spec) !== undefined) return Promise.resolve(undefined);
    if (this.#making?.seal !== seal) this.#making = { seal, row: this.#make(seal) };
    return this.#making.row;
  }

  bytes(hash: string): Uint8Array | undefined {
    return this.#kept.find(({ row }) => row.blobs[0].hash === hash)?.bytes;
  }

  async #make({ anchorHash, time }: EntryOf<"seal">): Promise<CheckpointRow | undefined> {
    const anchor = await this.#options.witness.anchor();
    if (anchor.anchorHash !== anchorHash) {
      this.#making = undefined; // it folds the next round already, or again: who asks later may get it
      return undefined;
    }
    const { round, bytes } = anchor;
    const row = {
      round,
      anchorHash,
      time,
      blobs: [{ name: "parameters", hash: blobName(bytes), bytes: bytes.length }],
    };
    this.#kept.unshift({ row, bytes });
    this.#kept.length = Math.min(KEPT, this.#kept.length);
    return row;
  }
}
