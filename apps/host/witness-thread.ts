// The witness in its own thread, seen from the host.
import { Worker } from "node:worker_threads";
import type { OpenedAt } from "#outer";
import { StorageError, type StorageFault } from "#store";
import type { BlobRef, EntryOf, LogEntry, RunSpec } from "#wire";
import {
  BlobDamagedError,
  BlobLostError,
  DivergenceError,
  type Folded,
  type WitnessPort,
  type WitnessStart,
} from "./witness.ts";

export interface WitnessThreadData {
  readonly spec: RunSpec;
  /** The data directory: the thread reads blobs itself. */
  readonly data: string;
}

type Call =
  | { type: "start"; log: readonly LogEntry[] }
  | { type: "fold"; commit: EntryOf<"commit">; opened: OpenedAt }
  | { type: "checkpoint"; round: number }
  | { type: "anchor" };
export type WitnessRequest = Call & { id: number };
interface Thrown {
  readonly name: string;
  readonly message: string;
  /** Of a StorageError. */
  readonly fault?: StorageFault;
}
export type WitnessAnswer = { id: number; value: unknown } | { id: number; error: Thrown };

function revive({ name, message, fault }: Thrown): Error {
  if (fault !== undefined) return new StorageError(fault, message);
  if (name === "BlobDamagedError") return new BlobDamagedError(message);
  if (name === "BlobLostError") return new BlobLostError(message);
  if (name === "DivergenceError") return new DivergenceError(message);
  return new Error(message);
}

export class WitnessThread implements WitnessPort {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #next = 0;
  #closed: Error | undefined;

  /** @param script the built witness-worker: Node runs no TypeScript */
  constructor(script: URL, data: WitnessThreadData) {
    this.#worker = new Worker(script, { workerData: data });
    this.#worker.on("message", (answer: WitnessAnswer) => {
      const call = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("error" in answer) call?.reject(revive(answer.error));
      else call?.resolve(answer.value as never);
    });
    const end = (error: Error) => {
      this.#closed ??= error;
      for (const { reject } of this.#waiting.values()) reject(this.#closed);
      this.#waiting.clear();
    };
    this.#worker.on("error", end);
    this.#worker.on("exit", () => end(new Error("the witness's thread has ended")));
  }

  #call<T>(call: Call): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise<T>((resolve, reject) => {
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...call, id });
    });
  }

  start(log: readonly LogEntry[]): Promise<WitnessStart> {
    return this.#call({ type: "start", log });
  }

  fold(commit: EntryOf<"commit">, opened: OpenedAt): Promise<Folded> {
    return this.#call({ type: "fold", commit, opened });
  }

  checkpoint(round: number): Promise<{ anchorHash: string; blobs: BlobRef[] }> {
    return this.#call({ type: "checkpoint", round });
  }

  anchor(): Promise<{ round: number; anchorHash: string; bytes: Uint8Array }> {
    return this.#call({ type: "anchor" });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
