// Everything random in a simulation comes from one seed.

/** Mulberry32: 32 bits of state are enough for a story, and it is the same in every engine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** In [0, 1). */
  unit(): number {
    this.state = (this.state + 0x6d2b_79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  between(min: number, max: number): number {
    return min + (max - min) * this.unit();
  }

  int(below: number): number {
    return Math.floor(this.unit() * below);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)];
  }
}

/** 64 hex digits that depend on every part: stands in for SHA-256 where only equality matters. */
export function fakeHash(...parts: readonly (string | number)[]): string {
  const text = parts.join("\u0000");
  let a = 0x811c_9dc5;
  let b = 0x1b87_3593;
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x0100_0193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x85eb_ca6b);
    b ^= b >>> 13;
  }
  let hex = "";
  for (let word = 0; word < 8; word++) {
    a = Math.imul(a ^ (b >>> 15) ^ word, 0xc2b2_ae35);
    b = Math.imul(b ^ (a >>> 13), 0x9e37_79b1);
    hex += ((a ^ b) >>> 0).toString(16).padStart(8, "0");
  }
  return hex;
}
