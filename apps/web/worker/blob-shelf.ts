// The blobs of this peer: a shelf in memory before the browser's store, so that what a round needs is here even when the store is full,
// evicted, or emptied by another tab of the same browser.
import type { BlobStore } from "#store";

/** A round's updates of a full commit for a model of 3 million parameters, and some to serve to others. */
const MEMORY_BYTES_MAX = 128 * 2 ** 20;

export class BlobShelf {
  readonly #store: BlobStore;
  readonly #memory = new Map<string, Uint8Array>(); // oldest first
  readonly #onFault: (error: unknown) => void;
  #memoryBytes = 0;

  /** @param onFault the store failed; the memory goes on */
  constructor(store: BlobStore, onFault: (error: unknown) => void) {
    this.#store = store;
    this.#onFault = onFault;
  }

  /** The caller must not change what it gets. */
  async get(name: string): Promise<Uint8Array | undefined> {
    return this.#memory.get(name) ?? (await this.#try(() => this.#store.get(name)));
  }

  async has(name: string): Promise<boolean> {
    return this.#memory.has(name) || ((await this.#try(() => this.#store.has(name))) ?? false);
  }

  /** Here at once; in the store when that has taken it. */
  async put(name: string, bytes: Uint8Array): Promise<void> {
    this.#shelve(name, bytes);
    await this.#try(() => this.#store.put(name, bytes));
  }

  /** Into the store alone: large data that its owner holds in another form. */
  async keep(name: string, bytes: Uint8Array): Promise<void> {
    await this.#try(() => this.#store.put(name, bytes));
  }

  async delete(name: string): Promise<void> {
    this.#memoryBytes -= this.#memory.get(name)?.length ?? 0;
    this.#memory.delete(name);
    await this.#try(() => this.#store.delete(name));
  }

  #shelve(name: string, bytes: Uint8Array): void {
    if (this.#memory.has(name)) return;
    this.#memory.set(name, bytes);
    this.#memoryBytes += bytes.length;
    for (const [oldest, { length }] of this.#memory) {
      if (this.#memoryBytes <= MEMORY_BYTES_MAX || oldest === name) break;
      this.#memory.delete(oldest);
      this.#memoryBytes -= length;
    }
  }

  async #try<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#onFault(error);
      return undefined;
    }
  }
}
