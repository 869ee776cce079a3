// Token shards as gzip, for whoever takes it: half of a shard of bytes is zeros. Packed when first asked for, then kept.
//
//   2 MiB of u16 ids, of bytes of English -> 0.41 MB in 120 ms of one thread of the pool
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** 150 shards: ten times the presets' text, less memory than one browser. */
const CACHE_BYTES_MAX = 64 * 2 ** 20;

export class GzipCache {
  readonly #read: (name: string) => Promise<Uint8Array | undefined>;
  readonly #bytesMax: number;
  readonly #packed = new Map<string, Promise<Buffer | undefined>>(); // last asked for is newest
  readonly #bytesByName = new Map<string, number>();
  #bytes = 0;

  /** @param read undefined: there is no such blob */
  constructor(read: (name: string) => Promise<Uint8Array | undefined>, bytesMax = CACHE_BYTES_MAX) {
    this.#read = read;
    this.#bytesMax = bytesMax;
  }

  /** Several that ask at once wait for one packing. */
  get(name: string): Promise<Buffer | undefined> {
    const packed = this.#packed.get(name) ?? this.#pack(name);
    this.#packed.delete(name);
    this.#packed.set(name, packed);
    return packed;
  }

  async #pack(name: string): Promise<Buffer | undefined> {
    try {
      const bytes = await this.#read(name);
      if (bytes === undefined) {
        this.#packed.delete(name);
        return undefined;
      }
      const packed = await promisify(gzip)(bytes);
      this.#bytesByName.set(name, packed.length);
      this.#bytes += packed.length;
      this.#dropOldest(name);
      return packed;
    } catch (error) {
      this.#packed.delete(name);
      throw error;
    }
  }

  #dropOldest(keep: string): void {
    for (const name of [...this.#packed.keys()]) {
      const bytes = this.#bytesByName.get(name);
      if (this.#bytes <= this.#bytesMax) return;
      if (name === keep || bytes === undefined) continue; // still being packed
      this.#packed.delete(name);
      this.#bytesByName.delete(name);
      this.#bytes -= bytes;
    }
  }
}
