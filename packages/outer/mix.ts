// Integers that look random and are the same in every JavaScript engine.

/** Bijective 32-bit hash with low bias (C. Wellons, hash-prospector: 16, 0x21f0aaad, 15, 0xd35a2d97, 15). */
export function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0_aaad);
  x = Math.imul(x ^ (x >>> 15), 0xd35a_2d97);
  return x ^ (x >>> 15);
}
