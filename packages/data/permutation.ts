// A permutation of 0..size-1 that answers "what is at index i" without a table: a Feistel network over the next even power of two,
// walked until it lands inside (a bijection of the larger set, restricted to cycles that return, stays a bijection).
// Integer operations only: the same numbers on every machine, and in a log's replay.

/** MurmurHash3 (x86, 32 bits) of 32-bit words with a fixed seed: good enough to shuffle by, no secret is kept with it. */
export function hash32(...words: readonly number[]): number {
  let h = 0x9747_b28c;
  for (const word of words) {
    let k = Math.imul(word, 0xcc9e_2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593);
    h ^= k;
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe654_6b64) | 0;
  }
  h ^= 4 * words.length;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Four rounds make a pseudo-random permutation of a good round function; small domains are closer to uniform with more. */
const ROUNDS = 8;
/** Both halves of the network are 16 bits at most, which a 32-bit word holds. */
const SIZE_MAX = 2 ** 32;

/** index in [0, size) -> its image in [0, size), for the permutation that `key` (32 bits) names. */
export function permuted(index: number, size: number, key: number): number {
  if (
    !(Number.isInteger(size) && size >= 1 && size <= SIZE_MAX && Number.isInteger(index) && index >= 0 && index < size)
  )
    throw new RangeError(`permutation: index ${index} of ${size}; give 0 <= index < size <= 2^32`);
  let halfBits = 1;
  while (4 ** halfBits < size) halfBits += 1;
  let at = index;
  do at = feistel(at, halfBits, key);
  while (at >= size); // size > 4^(halfBits-1): fewer than four turns on average
  return at;
}

function feistel(value: number, halfBits: number, key: number): number {
  const mask = 2 ** halfBits - 1;
  let left = value >>> halfBits;
  let right = value & mask;
  for (let round = 0; round < ROUNDS; round++) {
    [left, right] = [right, left ^ (hash32(key, round, right) & mask)];
  }
  return ((left << halfBits) | right) >>> 0;
}
