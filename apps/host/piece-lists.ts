// Piece lists of the blobs on the disk, for whoever takes pieces from several sources: read once, then kept.

/** The list of a blob of 124 million parameters has 60 kB; a round's updates a kilobyte each. */
const CACHE_BYTES_MAX = 8 * 2 ** 20;

export class PieceLists {
  readonly #make: (name: string) => Promise<Uint8Array>;
  readonly #bytesMax: number;
  readonly #lists = new Map<string, Promise<Uint8Array>>(); // last asked for is newest
  readonly #bytesByName = new Map<string, number>();
  #bytes = 0;

  /** @param make rejects when there is no such blob */
  constructor(make: (name: string) => Promise<Uint8Array>, bytesMax = CACHE_BYTES_MAX) {
    this.#make = make;
    this.#bytesMax = bytesMax;
  }

  /** Several that ask at once wait for one reading. */
  get(name: string): Promise<Uint8Array> {
    const list = this.#lists.get(name) ?? this.#read(name);
    this.#lists.delete(name);
    this.#lists.set(name, list);
    return list;
  }

  async #read(name: string): Promise<Uint8Array> {
    try {
      const list = await this.#make(name);
      this.#bytesByName.set(name, list.length);
      this.#bytes += list.length;
      this.#shrink(name);
      return list;
    } catch (error) {
      this.#lists.delete(name);
      throw error;
    }
  }

  #shrink(keep: string): void {
    for (const name of [...this.#lists.keys()]) {
      if (this.#bytes <= this.#bytesMax) return;
      const bytes = this.#bytesByName.get(name);
      if (name === keep || bytes === undefined) continue;
      this.#lists.delete(name);
      this.#bytesByName.delete(name);
      this.#bytes -= bytes;
    }
  }
}
