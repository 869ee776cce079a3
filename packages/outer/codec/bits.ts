// Bits in a row, least significant first, and Rice codes of small numbers: what sparse codecs put their indices in.
//
//   Rice(k) of n = unary(n >> k): as many 1 bits and a 0, then the k low bits of n.     Rice, 1979; k near log2(0.69 · mean) is within
//                                                                                       0.1 bit of the entropy of geometric gaps

/** The parameter for `count` of `length` places. Exact in integers, so that every machine agrees: the largest r with 2^r at most 0.69 · length / count; 24 at most. */
export function riceOf(length: number, count: number): number {
  let r = 0;
  while (r < 24 && count * 2 ** (r + 1) * 100 <= length * 69) r++;
  return r;
}

export class BitWriter {
  #bytes: Uint8Array;
  #bits = 0;

  /** @param bytes its first size; it grows */
  constructor(bytes: number) {
    this.#bytes = new Uint8Array(Math.max(16, bytes));
  }

  /** The `count` low bits of `value`; count 0 to 24. */
  write(value: number, count: number): void {
    if ((this.#bits + count + 7) >>> 3 >= this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#bytes.length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    for (let left = count, rest = value; left > 0; ) {
      const at = this.#bits & 7;
      const taken = Math.min(8 - at, left);
      this.#bytes[this.#bits >>> 3] |= (rest & ((1 << taken) - 1)) << at;
      rest >>>= taken;
      left -= taken;
      this.#bits += taken;
    }
  }

  rice(n: number, k: number): void {
    for (let ones = n >>> k; ones > 0; ones -= 24) {
      const run = Math.min(ones, 24);
      this.write((1 << run) - 1, run);
    }
    this.write(0, 1);
    this.write(n & ((1 << k) - 1), k);
  }

  /** All bits so far, the last byte filled with zeros. */
  bytes(): Uint8Array {
    return this.#bytes.slice(0, (this.#bits + 7) >>> 3);
  }
}

/** Reads what is there, and 0 beyond it; `isDone` says whether all of it was read and nothing more, so a caller looks once at the end. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #bits = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** count 0 to 24 */
  read(count: number): number {
    let value = 0;
    for (let got = 0; got < count; ) {
      const at = this.#bits & 7;
      const taken = Math.min(8 - at, count - got);
      const byte = this.#bytes[this.#bits >>> 3] ?? 0;
      value |= ((byte >>> at) & ((1 << taken) - 1)) << got;
      got += taken;
      this.#bits += taken;
    }
    return value;
  }

  /** @param most the largest answer that makes sense: a run of ones that is longer ends there */
  rice(k: number, most: number): number {
    const onesMax = (most >>> k) + 1;
    let ones = 0;
    while (ones < onesMax && this.read(1) === 1) ones++;
    return ones * 2 ** k + this.read(k);
  }

  /** Every byte was read, none was missing, and the bits that fill the last one are zeros. */
  isDone(): boolean {
    const whole = 8 * this.#bytes.length;
    if (this.#bits > whole || whole - this.#bits > 7) return false;
    return this.#bits % 8 === 0 || this.#bytes[this.#bytes.length - 1] >>> (this.#bits & 7) === 0;
  }
}
