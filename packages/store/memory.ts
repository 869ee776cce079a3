// Blobs and settings in memory: for tests, and for a browser that refuses storage (then they live as long as the tab).
import { type BlobStore, type Settings, StorageError, type StorageUsage } from "./blob-store.ts";

/** @param bytesMax quota; a put beyond it rejects with fault "full". */
export class MemoryBlobStore implements BlobStore {
  readonly #blobByName = new Map<string, Uint8Array>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = Number.POSITIVE_INFINITY) {
    this.#bytesMax = bytesMax;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.#blobByName.get(name)?.slice();
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    if (this.#blobByName.has(name)) return;
    if (this.#bytes + bytes.length > this.#bytesMax) {
      throw new StorageError(
        "full",
        `blob ${name} of ${bytes.length} bytes does not fit: ${this.#bytes} of ${this.#bytesMax} bytes are used`,
      );
    }
    this.#blobByName.set(name, bytes.slice());
    this.#bytes += bytes.length;
  }

  async has(name: string): Promise<boolean> {
    return this.#blobByName.has(name);
  }

  async delete(name: string): Promise<void> {
    this.#bytes -= this.#blobByName.get(name)?.length ?? 0;
    this.#blobByName.delete(name);
  }

  async names(): Promise<string[]> {
    return [...this.#blobByName.keys()].sort();
  }

  async usage(): Promise<StorageUsage> {
    return { blobs: this.#blobByName.size, bytes: this.#bytes };
  }
}

export class MemorySettings implements Settings {
  readonly #valueByKey = new Map<string, unknown>();

  async get(key: string): Promise<unknown> {
    return structuredClone(this.#valueByKey.get(key));
  }

  async set(key: string, value: unknown): Promise<void> {
    this.#valueByKey.set(key, structuredClone(value));
  }

  async update(key: string, change: (value: unknown) => unknown): Promise<unknown> {
    await this.set(key, change(structuredClone(this.#valueByKey.get(key))));
    return this.get(key);
  }
}
