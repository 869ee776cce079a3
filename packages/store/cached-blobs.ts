// Blobs that a cluster shares, with this host's own disk before them: read from the disk, stored in both.
//
//   get, read     the disk, else brought there from the shared store (its name is checked on the way)
//   put, receive  the disk, then the shared store; only then is it stored
import { type BlobStore, StorageError, type StorageUsage } from "./blob-store.ts";
import type { DiskBlobStore } from "./disk-blobs.ts";
import { BlobRefused, type HostBlobs } from "./host-store.ts";

/** What all hosts see, with streams: NatsBlobStore. */
export interface SharedBlobs extends BlobStore {
  bytes(name: string): Promise<number | undefined>;
  read(name: string): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Those that were stored before then; milliseconds since 1970. */
  namesBefore(time: number): Promise<string[]>;
  write(name: string, chunks: () => AsyncIterable<Uint8Array>): Promise<void>;
}

export class CachedBlobs implements HostBlobs {
  readonly #disk: DiskBlobStore;
  readonly #shared: SharedBlobs;
  readonly #coming = new Map<string, Promise<boolean>>();

  constructor(disk: DiskBlobStore, shared: SharedBlobs) {
    this.#disk = disk;
    this.#shared = shared;
  }

  getNow(name: string): Uint8Array | undefined {
    return this.#disk.getNow(name);
  }

  /** Onto the disk, if it is anywhere. Several that ask at once wait for one transfer. @throws StorageError */
  async bring(name: string): Promise<boolean> {
    if (await this.#disk.has(name)) return true;
    const coming = this.#coming.get(name) ?? this.#fetch(name).finally(() => this.#coming.delete(name));
    this.#coming.set(name, coming);
    return coming;
  }

  async #fetch(name: string): Promise<boolean> {
    const bytes = await this.#shared.bytes(name);
    const chunks = bytes === undefined ? undefined : await this.#shared.read(name);
    if (bytes === undefined || chunks === undefined) return false;
    try {
      await this.#disk.receive(name, chunks, bytes);
    } catch (error) {
      if (!(error instanceof BlobRefused)) throw error;
      throw new StorageError("broken", `the cluster's blob ${name} is damaged: ${error.message}`, error);
    }
    return true;
  }

  /** From the disk to all, if they do not have it yet. @returns false when it is nowhere. @throws StorageError */
  async share(name: string): Promise<boolean> {
    if ((await this.#shared.bytes(name)) !== undefined) return true;
    const bytes = await this.#disk.bytes(name);
    if (bytes === undefined) return false;
    await this.#shared.write(name, () => (bytes === 0 ? empty() : this.#disk.read(name, 0, bytes - 1)));
    return true;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return (await this.bring(name)) ? this.#disk.get(name) : undefined;
  }

  async has(name: string): Promise<boolean> {
    return (await this.bytes(name)) !== undefined;
  }

  async bytes(name: string): Promise<number | undefined> {
    return (await this.#disk.bytes(name)) ?? this.#shared.bytes(name);
  }

  async *read(name: string, start: number, end: number): AsyncIterable<Uint8Array> {
    await this.bring(name);
    yield* this.#disk.read(name, start, end);
  }

  async pieceList(name: string): Promise<Uint8Array> {
    await this.bring(name);
    return this.#disk.pieceList(name);
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#disk.put(name, bytes);
    await this.share(name);
  }

  async receive(name: string, chunks: AsyncIterable<Uint8Array>, bytesMax: number): Promise<number> {
    const bytes = await this.#disk.receive(name, chunks, bytesMax);
    await this.share(name);
    return bytes;
  }

  async delete(name: string): Promise<void> {
    await this.#shared.delete(name);
    await this.#disk.delete(name);
  }

  names(): Promise<string[]> {
    return this.#shared.names();
  }

  namesBefore(time: number): Promise<string[]> {
    return this.#shared.namesBefore(time);
  }

  usage(): Promise<StorageUsage> {
    return this.#shared.usage();
  }

  freeBytes(): Promise<number> {
    return this.#disk.freeBytes();
  }
}

async function* empty(): AsyncIterable<Uint8Array> {}
