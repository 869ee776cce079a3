// Which documents were there already: by the hash of their words, and by MinHash (Broder 1997) those that share most of them.
import { createHash } from "node:crypto";
import { CorpusError } from "./fault.ts";

/** 1.3 GB at most, at eight bytes a key and a load of a half to four fifths. */
const KEYS_MAX = 96 * 2 ** 20;

/** A set of 64-bit keys that takes eight bytes for each, however many documents there are. */
class KeySet {
  #keys = new BigUint64Array(2 ** 12);
  #size = 0;

  /** Whether it was not there. */
  add(key: bigint): boolean {
    if (this.#size > this.#keys.length * 0.8) this.#grow();
    const slot = this.#slot(key);
    if (this.#keys[slot] === key) return false;
    this.#keys[slot] = key;
    this.#size++;
    return true;
  }

  has(key: bigint): boolean {
    return this.#keys[this.#slot(key)] === key;
  }

  #slot(key: bigint): number {
    const mask = this.#keys.length - 1;
    let slot = Number(key & 0xffff_ffffn) & mask;
    while (this.#keys[slot] !== 0n && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    if (this.#size >= KEYS_MAX)
      throw new CorpusError(
        "corpus.deduplicate",
        `more documents than can be compared (${KEYS_MAX} keys)`,
        'Say "deduplicate": "exact" instead of "near", or "none"',
      );
    const old = this.#keys;
    this.#keys = new BigUint64Array(2 * old.length);
    for (const key of old) if (key !== 0n) this.#keys[this.#slot(key)] = key;
  }
}

/** What documents are compared by: small letters, single spaces. */
const comparable = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim();

export interface Fingerprint {
  /** Not 0. */
  readonly key: bigint;
  /** From 0 to 1, evenly, and independent of the key: which split a document belongs to. */
  readonly place: number;
}

export function fingerprintOf(text: string): Fingerprint {
  const digest = createHash("sha256").update(comparable(text)).digest();
  return { key: digest.readBigUInt64LE(0) || 1n, place: digest.readUInt32LE(8) / 2 ** 32 };
}

/** Of two documents that share four fifths of their shingles 92 of 100 are found, of those that share half 5: 1 − (1 − s^ROWS)^BANDS. */
const [BANDS, ROWS] = [14, 8];
/** Words of a shingle. */
const SHINGLE = 5;

export class SeenDocuments {
  readonly #exact = new KeySet();
  readonly #bands: KeySet | undefined;
  readonly #minima = new Uint32Array(BANDS * ROWS);

  /** @param near also those that are nearly the same */
  constructor(near: boolean) {
    this.#bands = near ? new KeySet() : undefined;
  }

  /** Whether it, or nearly it, was there before; it is from now on. */
  was(text: string, { key }: Fingerprint): "exact" | "near" | undefined {
    if (!this.#exact.add(key)) return "exact";
    const bands = this.#bands;
    if (bands === undefined) return undefined;
    const keys = this.#bandKeys(comparable(text));
    if (keys.some((band) => bands.has(band))) return "near";
    for (const band of keys) bands.add(band);
    return undefined;
  }

  /** A key for each band; none for a text of fewer words than a shingle, which only its like is compared with. */
  #bandKeys(text: string): bigint[] {
    const words = text.split(" ").map(hashOf);
    if (words.length < SHINGLE) return [];
    const minima = this.#minima.fill(0xffff_ffff);
    for (let i = 0; i + SHINGLE <= words.length; i++) {
      let shingle = 0;
      for (let j = i; j < i + SHINGLE; j++) shingle = mixed(Math.imul(shingle, 31) + words[j]);
      for (let n = 0; n < minima.length; n++) {
        const value = mixed(shingle ^ Math.imul(n + 1, 0x9e37_79b1)) >>> 0;
        if (value < minima[n]) minima[n] = value;
      }
    }
    return Array.from({ length: BANDS }, (_, band) => {
      let [low, high] = [band + 1, band + 77];
      for (let row = 0; row < ROWS; row++) {
        low = mixed(low ^ minima[band * ROWS + row]);
        high = mixed(Math.imul(high, 33) + minima[band * ROWS + row]);
      }
      return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0) || 1n;
    });
  }
}

/** MurmurHash3's finalizer. */
function mixed(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return h ^ (h >>> 16);
}

/** FNV-1a over the characters. */
function hashOf(word: string): number {
  let h = 0x811c_9dc5;
  for (let i = 0; i < word.length; i++) h = Math.imul(h ^ word.charCodeAt(i), 0x0100_0193);
  return h;
}
