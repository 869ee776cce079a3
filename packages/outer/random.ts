// Numbers that everybody draws alike, from integers alone.

/** Bijective 32-bit hash with low bias (C. Wellons, hash-prospector: 16, 0x21f0aaad, 15, 0xd35a2d97, 15). */
export function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0_aaad);
  x = Math.imul(x ^ (x >>> 15), 0xd35a_2d97);
  return x ^ (x >>> 15);
}

/** 32 bits for each place: another sequence for each key. */
export const bitsAt = (key: number, place: number): number => mix(mix(place) ^ key);

/** What a round draws with. */
export const roundKey = (seed: number, round: number): number => mix(mix(seed ^ 0x9e37_79b9) + round + 1);
