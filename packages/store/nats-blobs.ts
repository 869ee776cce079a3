// A cluster's blobs in JetStream's object store: whole and named by their hash, or not there.
//
//   $O.<bucket>.C.<nuid>   the bytes, in messages of 128 KiB         $O.<bucket>.M.<name>   what makes them an object, written last
import { Readable } from "node:stream";
import { JetStreamApiError, type JetStreamManager } from "@nats-io/jetstream";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { type BlobStore, StorageError, type StorageUsage } from "./blob-store.ts";
import type { Nats } from "./nats-server.ts";

/** No answer, and no byte for so long: the object's messages were deleted under us, or the server is gone. */
const SILENCE_MS = 10_000;
/** Between two questions, and until none is asked any more: by then another host orders the run. */
const AGAIN_MS = 250;
const GIVE_UP_MS = 15_000;
/** JetStream's numbers for: no memory, no storage, the account's or the stream's limit is reached. */
const FULL: readonly number[] = [10023, 10028, 10047, 10077];
const CONFLICT = 10071;

function storageError(error: unknown, what: string): StorageError {
  if (error instanceof StorageError) return error;
  const { message } = error as Error;
  const full = error instanceof JetStreamApiError && FULL.includes(error.code);
  return new StorageError(full ? "full" : "broken", `the NATS server ${what}: ${message}`, error);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @throws StorageError when there is no byte for so long; what is late is not waited for */
async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StorageError("broken", `the NATS server ${what}: no answer`)), SILENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    throw storageError(error, what);
  } finally {
    clearTimeout(timer);
  }
}

/** A server that starts again is asked again: only what it says is an answer. @throws StorageError */
async function answered<T>(ask: () => Promise<T>, what: string): Promise<T> {
  for (const until = performance.now() + GIVE_UP_MS; ; await pause(AGAIN_MS)) {
    try {
      return await inTime(ask(), what);
    } catch (error) {
      const { cause } = error as StorageError;
      if (cause instanceof JetStreamApiError || performance.now() > until) throw error;
    }
  }
}

export class NatsBlobStore implements BlobStore {
  readonly #store: ObjectStore;
  readonly #manager: JetStreamManager;
  readonly #bucket: string;

  private constructor(store: ObjectStore, manager: JetStreamManager, bucket: string) {
    this.#store = store;
    this.#manager = manager;
    this.#bucket = bucket;
  }

  static async open({ js, manager, address }: Nats): Promise<NatsBlobStore> {
    const bucket = `gossamer_${address.name}_blobs`;
    const store = await new Objm(js).create(bucket, { replicas: address.replicas });
    return new NatsBlobStore(store, manager, bucket);
  }

  async bytes(name: string): Promise<number | undefined> {
    const info = await answered(() => this.#store.info(name), "does not say what it stores");
    return info === null || info.deleted ? undefined : info.size;
  }

  async has(name: string): Promise<boolean> {
    return (await this.bytes(name)) !== undefined;
  }

  /** As they arrive. Undefined: there is no such blob. @throws StorageError in the middle, too */
  async read(name: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const result = await answered(() => this.#store.get(name), "does not give a blob");
    if (result === null) return undefined;
    const { data, error } = result;
    error.catch(() => undefined); // the stream tells it too
    return (async function* () {
      const reader = data.getReader();
      try {
        for (;;) {
          const { done, value } = await inTime(reader.read(), "stopped in the middle of a blob");
          if (done) return;
          yield value;
        }
      } finally {
        await reader.cancel().catch(() => undefined);
      }
    })();
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const chunks = await this.read(name);
    if (chunks === undefined) return undefined;
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    return new Uint8Array(Buffer.concat(parts));
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.write(name, () => [bytes]);
  }

  /**
   * Resolves when it is stored. Of two hosts that write one name at once, one does.
   * @param chunks from the beginning, each time that it is asked for them
   */
  async write(name: string, chunks: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    await answered(async () => {
      const old = await this.#store.info(name);
      if (old !== null && !old.deleted) return;
      const stream = Readable.toWeb(Readable.from(chunks())) as ReadableStream<Uint8Array>;
      await this.#store.put({ name }, stream, { previousRevision: old?.revision ?? 0 }).catch((error: Error) => {
        const conflict = error instanceof JetStreamApiError && error.code === CONFLICT;
        if (!conflict) throw error; // else somebody has just stored it, and the next look says so
      });
      if (!(await this.has(name))) throw new Error("it was not stored");
    }, "takes no more blobs");
  }

  /** Leaves no mark of it: a run deletes some for each of its rounds. */
  async delete(name: string): Promise<void> {
    const gone = "does not delete a blob";
    const info = await answered(() => this.#store.info(name), gone);
    if (info === null) return;
    const key = Buffer.from(name).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
    for (const filter of [`$O.${this.#bucket}.M.${key}`, `$O.${this.#bucket}.C.${info.nuid}`])
      await answered(() => this.#manager.streams.purge(`OBJ_${this.#bucket}`, { filter }), gone);
  }

  async names(): Promise<string[]> {
    const infos = await answered(() => this.#store.list(), "does not list its blobs");
    return infos.map(({ name }) => name).sort();
  }

  /** Those that were stored before then; milliseconds since 1970, by the server's clock. */
  async namesBefore(time: number): Promise<string[]> {
    const infos = await answered(() => this.#store.list(), "does not list its blobs");
    return infos.flatMap(({ name, mtime }) => (Date.parse(mtime) < time ? [name] : []));
  }

  async usage(): Promise<StorageUsage> {
    const infos = await answered(() => this.#store.list(), "does not list its blobs");
    return { blobs: infos.length, bytes: infos.reduce((sum, { size }) => sum + size, 0) };
  }
}
