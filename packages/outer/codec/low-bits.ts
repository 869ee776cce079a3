// Few bits a value: a code that names one of the levels of its block. What int4, E3M0, signs, two bits and dynamic 8 bits share.
//
//   | numbers bf16, as many per block as the grid takes | codes, `bits` each, from the lowest bit of a byte up; zeros fill the last byte |
//
//   decoded[i] = level of its block[code];  levels = fround(number · unit level), or the numbers themselves
//
// bf16 is the upper half of an f32: two bytes with all of its range, which a pseudo-gradient's scales need and f16 does not have.
import { assert } from "../assert.ts";
import { bitsAt } from "../random.ts";
import { type Codec, type Decoded, diverged } from "./codec.ts";
import { rans } from "./rans.ts";

export interface Grid {
  readonly id: number;
  readonly block: number;
  readonly bits: 1 | 2 | 4 | 8;
  /** Levels in ascending order, to be multiplied by the block's scale; or how many levels a block names itself. */
  readonly unit: Float32Array | number;
  /** Of a block's values: its scale, or its levels in ascending order. All values are finite. */
  readonly fit: (values: Float32Array) => readonly number[];
  readonly feedback?: number | undefined;
}

const { fround } = Math;
const word = new Float32Array(1);
const wordBits = new Uint32Array(word.buffer);

/** To the nearest, ties to even. */
function toBf16(value: number): number {
  word[0] = value;
  const bits = wordBits[0];
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function fromBf16(bits: number): number {
  wordBits[0] = bits << 16;
  return word[0];
}

export interface LowBitsOptions {
  /** How the codes are packed: by how often each occurs; undefined: in all of their bits. */
  readonly entropy?: "rans" | undefined;
  /**
   * Rounds to one of the two levels beside a value, the nearer the likelier: the mean over many updates is the value, for about twice the squared error. Drawn by
   * this key, the value's place and its own bits, so that peers draw apart without a source of chance. Undefined: to the nearest.
   */
  readonly stochasticKey?: number | undefined;
}

export function lowBits(length: number, grid: Grid, { entropy, stochasticKey }: LowBitsOptions = {}): Codec {
  const { id, block, bits, feedback } = grid;
  const shape = new Shape(length, grid);
  const bodyBytes = shape.codesAt + Math.ceil((length * bits) / 8);
  const codec: Codec = {
    id,
    block,
    length,
    bodyBytesMax: bodyBytes,
    sums: bits >= 4, // with fewer the error of a group's aggregate, which no feedback keeps, is as large as the aggregate
    ...(feedback !== undefined && { feedback }),
    encode: (values) => encode(values, shape, new Uint8Array(bodyBytes), stochasticKey),
    read: (body) =>
      body.length === bodyBytes ? read(body, shape) : `a body of ${body.length} bytes, not ${bodyBytes}`,
  };
  return entropy ? rans(codec, { headBytes: shape.codesAt, bits, levels: shape.levels }) : codec;
}

/** Where things lie in a body. */
class Shape {
  readonly length: number;
  readonly grid: Grid;
  readonly blocks: number;
  /** Of a block. */
  readonly numbers: number;
  /** Of a block: fewer than its codes could name, or as many. */
  readonly levels: number;
  readonly codesAt: number;

  constructor(length: number, grid: Grid) {
    this.length = length;
    this.grid = grid;
    this.blocks = Math.ceil(length / grid.block);
    this.numbers = typeof grid.unit === "number" ? grid.unit : 1;
    this.levels = typeof grid.unit === "number" ? grid.unit : grid.unit.length;
    this.codesAt = 2 * this.numbers * this.blocks;
  }

  /** The levels that a block's numbers stand for. */
  setLevels(levels: Float32Array, numbers: Float32Array, block: number): void {
    const { unit } = this.grid;
    for (let code = 0; code < this.levels; code++)
      levels[code] = typeof unit === "number" ? numbers[block * unit + code] : fround(numbers[block] * unit[code]);
  }
}

function encode(values: Float32Array, shape: Shape, body: Uint8Array, stochasticKey: number | undefined): Uint8Array {
  const { grid, numbers, levels: count, codesAt } = shape;
  const { block, bits } = grid;
  assert(values.length === shape.length, "one value per parameter");
  const view = new DataView(body.buffer);
  const own = new Float32Array(numbers);
  const levels = new Float32Array(count);
  for (let b = 0; b < shape.blocks; b++) {
    const start = b * block;
    const end = Math.min(start + block, values.length);
    const bad = values.subarray(start, end).findIndex((value) => !Number.isFinite(value));
    if (bad !== -1) throw diverged(values[start + bad], start, end);
    for (const [n, fitted] of grid.fit(values.subarray(start, end)).entries()) {
      const half = toBf16(fitted);
      own[n] = fromBf16(half);
      view.setUint16(2 * (b * numbers + n), half, true);
    }
    shape.setLevels(levels, own.subarray(0, numbers), 0);
    if (!levels.every(Number.isFinite)) throw diverged(own[0], start, end);
    for (let i = start; i < end; i++) {
      const bit = i * bits;
      const code =
        stochasticKey === undefined ? nearest(levels, values[i]) : drawn(levels, values[i], bitsAt(stochasticKey, i));
      body[codesAt + Math.floor(bit / 8)] |= code << (bit % 8);
    }
  }
  return body;
}

/** The code of the nearest of ascending levels; of two as near, the lower one. */
function nearest(levels: Float32Array, value: number): number {
  let [low, high] = [0, levels.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value > (levels[middle] + levels[middle + 1]) / 2) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One of the two levels around the value; beyond the last ones, that one. */
function drawn(levels: Float32Array, value: number, salt: number): number {
  let [low, high] = [0, levels.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (value >= levels[middle]) low = middle;
    else high = middle;
  }
  word[0] = value;
  const chance = (bitsAt(salt, wordBits[0]) >>> 0) / 2 ** 32;
  return chance * (levels[high] - levels[low]) < value - levels[low] ? high : low;
}

function read(body: Uint8Array, shape: Shape): LowBits | string {
  const { grid, numbers, codesAt, levels: count } = shape;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const all = new Float32Array(numbers * shape.blocks);
  const levels = new Float32Array(count);
  for (let b = 0; b < shape.blocks; b++) {
    for (let n = 0; n < numbers; n++) {
      const half = view.getUint16(2 * (b * numbers + n), true);
      if (typeof grid.unit !== "number" && half >= 0x8000) return `the scale of block ${b} has a sign`;
      all[b * numbers + n] = fromBf16(half);
    }
    shape.setLevels(levels, all, b);
    if (!levels.every(Number.isFinite)) return `a level of block ${b} is not finite`;
  }
  const codes = body.subarray(codesAt);
  const { bits } = grid;
  const used = (shape.length * bits) % 8;
  if (used > 0 && codes[codes.length - 1] >>> used !== 0) return "bits are set after the last code";
  const decoded = new LowBits(shape, all, codes);
  if (count < 1 << bits)
    for (let i = 0; i < shape.length; i++)
      if (decoded.codeAt(i) >= count) return `the code of parameter ${i} is ${decoded.codeAt(i)}`;
  return decoded;
}

class LowBits implements Decoded {
  readonly #shape: Shape;
  readonly #numbers: Float32Array;
  readonly #codes: Uint8Array; // a view of the body
  readonly #levels: Float32Array; // of the block in work

  constructor(shape: Shape, numbers: Float32Array, codes: Uint8Array) {
    this.#shape = shape;
    this.#numbers = numbers;
    this.#codes = codes;
    this.#levels = new Float32Array(shape.levels);
  }

  codeAt(i: number): number {
    const { bits } = this.#shape.grid;
    const bit = i * bits;
    return (this.#codes[Math.floor(bit / 8)] >>> (bit % 8)) & ((1 << bits) - 1);
  }

  /** sqrt of the sum, over blocks and codes in order, of how often · level². */
  norm(): number {
    const { blocks, length, grid } = this.#shape;
    const howOften = new Uint32Array(this.#levels.length);
    let squares = 0;
    for (let b = 0; b < blocks; b++) {
      howOften.fill(0);
      const end = Math.min((b + 1) * grid.block, length);
      for (let i = b * grid.block; i < end; i++) howOften[this.codeAt(i)]++;
      this.#shape.setLevels(this.#levels, this.#numbers, b);
      for (const [code, level] of this.#levels.entries()) squares += howOften[code] * (level * level);
    }
    return Math.sqrt(squares);
  }

  addTo(accumulator: Float32Array, weight: number, start: number, end: number): void {
    const { length, grid } = this.#shape;
    assert(start >= 0 && end <= length && accumulator.length >= end - start, "the range lies in both");
    const w = fround(weight);
    const levels = this.#levels;
    for (let from = start; from < end; ) {
      const b = Math.floor(from / grid.block);
      const to = Math.min((b + 1) * grid.block, end);
      this.#shape.setLevels(levels, this.#numbers, b);
      for (let i = from; i < to; i++)
        accumulator[i - start] = fround(accumulator[i - start] + fround(w * levels[this.codeAt(i)]));
      from = to;
    }
  }
}

/** For scales. */
export function largestOf(values: Float32Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return largest;
}
