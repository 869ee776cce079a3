// What a host keeps, in memory: fakes that pass the same suite as the data directory and a cluster's server.
import { blobName, chainFault, encodePieceList, type LogEntry, type RunId } from "#wire";
import { StorageError, type StorageUsage } from "./blob-store.ts";
import { BlobRefused, type HostBlobs, LogConflictError, type LogStore, type OpenedLog } from "./host-store.ts";

/** A log that several may open, as a server's: whoever appends second to one place is refused. */
export class MemoryLog {
  readonly #entries: LogEntry[] = [];

  /** @throws Error for a log that is not that host's */
  async open(run: RunId, hostKey: string): Promise<OpenedLog> {
    const entries = [...this.#entries];
    for (const [seq, entry] of entries.entries()) {
      const fault = chainFault(run, hostKey, entries[seq - 1], entry);
      if (fault !== undefined) throw new Error(`entry ${seq}: ${fault}`);
    }
    return { log: this.#tail(), entries };
  }

  #tail(): LogStore {
    let failure: Error | undefined;
    return {
      append: async (entry) => {
        if (failure === undefined && entry.seq !== this.#entries.length)
          failure = new LogConflictError(`the log takes entry ${this.#entries.length} next, not ${entry.seq}`);
        if (failure !== undefined) throw failure;
        this.#entries.push(entry);
      },
      async close() {
        failure ??= new Error("this log is closed");
      },
    };
  }
}

const NAME = /^[0-9a-f]{64}$/;

export class MemoryHostBlobs implements HostBlobs {
  readonly #blobByName = new Map<string, Uint8Array>();

  #stored(name: string): Uint8Array | undefined {
    if (!NAME.test(name)) throw new RangeError(`"${name.slice(0, 80)}" is no blob name`);
    return this.#blobByName.get(name);
  }

  #mustHave(name: string): Uint8Array {
    const blob = this.#stored(name);
    if (blob === undefined) throw new StorageError("broken", `blob ${name} is not here`);
    return blob;
  }

  getNow(name: string): Uint8Array | undefined {
    return this.#stored(name)?.slice();
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.getNow(name);
  }

  async has(name: string): Promise<boolean> {
    return this.#stored(name) !== undefined;
  }

  async bytes(name: string): Promise<number | undefined> {
    return this.#stored(name)?.length;
  }

  async *read(name: string, start: number, end: number): AsyncIterable<Uint8Array> {
    yield this.#mustHave(name).slice(start, end + 1);
  }

  async pieceList(name: string): Promise<Uint8Array> {
    return encodePieceList(this.#mustHave(name));
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    if (this.#stored(name) === undefined) this.#blobByName.set(name, bytes.slice());
  }

  async receive(name: string, chunks: AsyncIterable<Uint8Array>, bytesMax: number): Promise<number> {
    const received: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of chunks) {
      length += chunk.length;
      if (length > bytesMax) throw new BlobRefused("too-large", `a blob of this run has at most ${bytesMax} bytes`);
      received.push(chunk);
    }
    const blob = new Uint8Array(Buffer.concat(received));
    const actual = blobName(blob);
    if (actual !== name) throw new BlobRefused("wrong-name", `these bytes are blob ${actual}, not ${name}`);
    await this.put(name, blob);
    return length;
  }

  async delete(name: string): Promise<void> {
    this.#blobByName.delete(name);
  }

  async names(): Promise<string[]> {
    return [...this.#blobByName.keys()].sort();
  }

  async usage(): Promise<StorageUsage> {
    const bytes = [...this.#blobByName.values()].reduce((sum, blob) => sum + blob.length, 0);
    return { blobs: this.#blobByName.size, bytes };
  }

  async freeBytes(): Promise<number> {
    return Number.MAX_SAFE_INTEGER;
  }
}
