// What a host keeps, as ports: a run's log and its blobs. Adapters pass one suite (contract.ts): memory, the data directory, and a
// cluster's NATS server (nats.ts).
import type { LogEntry } from "#wire";
import type { BlobStore } from "./blob-store.ts";

/**
 * Another entry stands in that place already: somebody else appends to this log. Nothing was written; whoever gets this no longer orders
 * the run.
 */
export class LogConflictError extends Error {
  override readonly name = "LogConflictError";
}

/** The tail of a run's log. Nobody hears of an entry before `append` has resolved. [R1] */
export interface LogStore {
  /**
   * Resolves when the entry would survive a crash. Calls keep their order, and after one failure all further ones fail alike: what follows a
   * hole would not be a chain.
   * @throws LogConflictError when entry.seq is not the next place
   */
  append(entry: LogEntry): Promise<void>;
  /** After the entries under way; appending is over then. */
  close(): Promise<void>;
}

export interface OpenedLog {
  readonly log: LogStore;
  /** All that was acknowledged, verified: schema, chain, signatures. */
  readonly entries: LogEntry[];
  /** What the operator should hear of, if anything: for example a half-written entry that was cut off. */
  readonly notice?: string | undefined;
}

/** Why a stranger's bytes were not stored: too many of them, or not those of the name that they came under. */
export class BlobRefused extends Error {
  readonly code: "too-large" | "wrong-name";
  constructor(code: "too-large" | "wrong-name", message: string) {
    super(message);
    this.name = "BlobRefused";
    this.code = code;
  }
}

/** Blobs as a host needs them. Names must be blob names: a RangeError otherwise, since they may become paths. */
export interface HostBlobs extends BlobStore {
  /** At once and from this machine, for the core, which cannot wait: small blobs that the log names. */
  getNow(name: string): Uint8Array | undefined;
  /** Length of a blob, or undefined. */
  bytes(name: string): Promise<number | undefined>;
  /** Of a blob that is here: its bytes from start to end, both counted. */
  read(name: string, start: number, end: number): AsyncIterable<Uint8Array>;
  /** Of a blob that is here: reads all of it. */
  pieceList(name: string): Promise<Uint8Array>;
  /**
   * Stores a stranger's blob as it arrives, checks its name, and resolves when it would survive a crash.
   * @returns bytes of the blob
   * @throws BlobRefused for their mistakes, StorageError for ours, and the stream's own error
   */
  receive(name: string, chunks: AsyncIterable<Uint8Array>, bytesMax: number): Promise<number>;
  /** Bytes that may still be written where the blobs are. */
  freeBytes(): Promise<number>;
}
