// Byte-pair merges: a word's tokens are joined, the pair that was learned first before all others, until no pair is known.
//
//   ids of a word's bytes -> the pair of the lowest rank, the leftmost of several -> its one id -> ... -> ids of the word
import { Heap } from "./heap.ts";

/** Words up to here are searched from end to end for each merge; beyond, a heap is quicker. */
const SHORT_WORD = 32;

export class MergeTable {
  readonly #bits: number;
  readonly #keys: Uint32Array; //  a · 65536 + b
  readonly #ranks: Int32Array; //  -1: nothing here
  readonly #joined: Uint16Array;

  /** @param merges a and b become `joined`; the first has the lowest rank, and of a pair that is there twice the last counts, as in the Hugging Face library */
  constructor(merges: readonly { readonly a: number; readonly b: number; readonly joined: number }[]) {
    this.#bits = Math.max(4, Math.ceil(Math.log2(2 * merges.length + 1)));
    const size = 2 ** this.#bits;
    this.#keys = new Uint32Array(size);
    this.#ranks = new Int32Array(size).fill(-1);
    this.#joined = new Uint16Array(size);
    for (const [rank, { a, b, joined }] of merges.entries()) {
      const slot = this.#slot(a, b);
      this.#keys[slot] = a * 65_536 + b;
      this.#ranks[slot] = rank;
      this.#joined[slot] = joined;
    }
  }

  /** Where the pair is, or would be. */
  #slot(a: number, b: number): number {
    const key = a * 65_536 + b;
    const mask = this.#keys.length - 1;
    let slot = Math.imul(key, 0x9e37_79b1) >>> (32 - this.#bits);
    while (this.#ranks[slot] !== -1 && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  /** @param ids is overwritten. @returns how many of its first values are the word's ids now */
  join(ids: number[]): number {
    return ids.length <= SHORT_WORD ? this.#joinShort(ids) : this.#joinLong(ids);
  }

  #joinShort(ids: number[]): number {
    let length = ids.length;
    for (;;) {
      let [best, at, slotOfBest] = [0x7fff_ffff, -1, 0];
      for (let i = 0; i + 1 < length; i++) {
        const slot = this.#slot(ids[i], ids[i + 1]);
        const rank = this.#ranks[slot];
        if (rank !== -1 && rank < best) [best, at, slotOfBest] = [rank, i, slot];
      }
      if (at === -1) return length;
      ids[at] = this.#joined[slotOfBest];
      length--;
      for (let i = at + 1; i < length; i++) ids[i] = ids[i + 1];
    }
  }

  /** The same for words without end, such as a megabyte of one letter: pairs wait in a heap, places are a list. */
  #joinLong(ids: number[]): number {
    const count = ids.length;
    const next = Int32Array.from(ids, (_, i) => (i + 1 < count ? i + 1 : -1));
    const before = Int32Array.from(ids, (_, i) => i - 1);
    const waiting = new Heap<{ rank: number; at: number; a: number; b: number }>(
      (x, y) => x.rank < y.rank || (x.rank === y.rank && x.at < y.at),
    );
    const push = (at: number): void => {
      if (at === -1 || next[at] === -1) return;
      const [a, b] = [ids[at], ids[next[at]]];
      const rank = this.#ranks[this.#slot(a, b)];
      if (rank !== -1) waiting.push({ rank, at, a, b });
    };
    for (let at = 0; at < count; at++) push(at);
    for (let found = waiting.pop(); found !== undefined; found = waiting.pop()) {
      const { at, a, b } = found;
      const second = next[at];
      if (ids[at] !== a || second === -1 || ids[second] !== b) continue; // it was joined otherwise meanwhile
      ids[at] = this.#joined[this.#slot(a, b)];
      ids[second] = -1; // no id: whatever waits for this place is void
      next[at] = next[second];
      if (next[at] !== -1) before[next[at]] = at;
      push(at);
      push(before[at]);
    }
    let length = 0;
    for (let at = 0; at !== -1; at = next[at]) ids[length++] = ids[at];
    return length;
  }
}
