// The second reader's codecs, written from docs/FORMATS.md alone as well: a body -> its values, and the sum of their squares that the norm is made of.
import { powerValues } from "./second-power-sgd.ts";

const { fround, imul, min, sqrt } = Math;

/** As the spec names it; settings by name. */
export type CodecSpec =
  | "int8-block"
  | {
      readonly name: string;
      readonly chunk?: number;
      readonly k?: number;
      readonly rotated?: boolean | undefined;
      readonly rank?: number;
      readonly every?: number;
      readonly entropy?: "rans" | undefined;
    };

/** Name, rows, columns: 1 of a norm's weights. */
export type Tensor = readonly [string, number, number];

interface Given {
  readonly bytes: Buffer; //                          the body
  readonly values: Float32Array; //                   zeros, to be set
  readonly tensors: readonly Tensor[]; //             in the order of the flat vector
  readonly section?: Float32Array | undefined; //     "codec" of the state before the round
}

interface SecondCodec {
  readonly id: number;
  readonly block: number;
  /** Sets the values. @returns the sum of their squares; undefined when the body does not read */
  readonly read: (given: Given) => number | undefined;
}

/** @param seed the run's */
export function secondCodec(codec: CodecSpec, seed: number, round: number): SecondCodec {
  if (codec === "int8-block") return { id: 1, block: 256, read: int8Blocks };
  const { name, chunk = 0, k = 0, rotated = false, rank = 1, every = 1, entropy } = codec;
  const known: Record<string, SecondCodec> = {
    "chunk-top-k": { id: 2, block: chunk, read: (given) => chunkTopK(given, chunk, k) },
    f32: { id: 3, block: 1, read: (given) => raw(given, 4, f32) },
    f16: { id: 4, block: 1, read: (given) => raw(given, 2, f16) },
    "int4-block": {
      id: 5,
      block: 64,
      read: (given) => {
        const squares = fewBits(given, { block: 64, bits: 4, unit: steps }, entropy);
        if (!rotated || squares === undefined) return squares;
        return sqrt(squares) < 1e38 ? rotatedBack(given, roundKey(seed, round), squares) : undefined;
      },
    },
    e3m0: { id: 6, block: 256, read: (given) => fewBits(given, { block: 256, bits: 4, unit: powers }, entropy) },
    sign: { id: 7, block: 1024, read: (given) => fewBits(given, { block: 1024, bits: 1, unit: [-1, 1] }) },
    "two-bit": { id: 8, block: 1024, read: (given) => fewBits(given, { block: 1024, bits: 2 }) },
    dynamic8: { id: 11, block: 256, read: (given) => fewBits(given, { block: 256, bits: 8, unit: dynamic() }) },
    "rand-k": { id: 9, block: every, read: (given) => randK(given, every, roundKey(seed, round)) },
    "top-k": { id: 10, block: every, read: (given) => topK(given, every) },
    "power-sgd": {
      id: 12,
      block: rank,
      read: ({ bytes, values, tensors, section = new Float32Array() }) =>
        powerValues(bytes, values, tensors, { rank, round, section }),
    },
  };
  const found = known[name];
  if (!found) throw new Error(`docs/FORMATS.md has no codec ${name}`);
  return found;
}

const f32 = (bytes: Buffer, at: number): number => bytes.readFloatLE(at);

function f16(bytes: Buffer, at: number): number {
  const half = bytes.readUInt16LE(at);
  const [sign, exponent, fraction] = [half >> 15, (half >> 10) & 31, half & 1023];
  const size =
    exponent === 0 ? fraction / 2 ** 24 : exponent === 31 ? Number.NaN : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return sign === 1 ? -size : size;
}

function raw(
  { bytes, values }: Given,
  width: number,
  valueAt: (bytes: Buffer, at: number) => number,
): number | undefined {
  if (bytes.length !== width * values.length) return undefined;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const value = valueAt(bytes, width * i);
    if (!Number.isFinite(value)) return undefined;
    values[i] = value;
    squares += value * value;
  }
  return squares;
}

const steps = Array.from({ length: 15 }, (_, code) => code - 7);
const powers = [-16, -8, -4, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2, 4, 8, 16];

function dynamic(): number[] {
  const levels = [0, 1];
  for (let i = 0; i <= 6; i++)
    for (let j = 0; j < 2 ** i; j++) {
      const size = fround((2 ** (i + 1) + 9 * (2 * j + 1)) / (10 * 2 ** (i + 1) * 10 ** (6 - i)));
      levels.push(size, -size);
    }
  return levels.sort((a, b) => a - b);
}

function bf16(bytes: Buffer, at: number): number {
  const word = Buffer.alloc(4);
  word.writeUInt16LE(bytes.readUInt16LE(at), 2);
  return word.readFloatLE(0);
}

function fewBits(
  { bytes, values }: Given,
  { block, bits, unit }: { block: number; bits: number; unit?: readonly number[] },
  entropy?: "rans",
): number | undefined {
  const { length } = values;
  const numbers = unit ? 1 : 2 ** bits;
  const codesAt = 2 * numbers * Math.ceil(length / block);
  const codes = entropy
    ? ransCodes(bytes.subarray(codesAt), length, unit?.length ?? numbers)
    : packedCodes(bytes.subarray(codesAt), length, bits);
  if (codes === undefined) return undefined;
  let squares = 0;
  for (let b = 0; b * block < length; b++) {
    const own = Array.from({ length: numbers }, (_, n) => bf16(bytes, 2 * (b * numbers + n)));
    if (unit && (own[0]! < 0 || Object.is(own[0], -0))) return undefined;
    const levels = unit ? unit.map((level) => fround(own[0]! * level)) : own;
    if (!levels.every(Number.isFinite)) return undefined;
    const howOften = levels.map(() => 0);
    for (let i = b * block; i < min(length, (b + 1) * block); i++) {
      const code = codes[i]!;
      if (levels[code] === undefined) return undefined;
      howOften[code]!++;
      values[i] = levels[code];
    }
    for (const [code, level] of levels.entries()) squares += howOften[code]! * (level * level);
  }
  return squares;
}

function packedCodes(bytes: Buffer, length: number, bits: number): number[] | undefined {
  if (bytes.length !== Math.ceil((length * bits) / 8)) return undefined;
  const stream = bitsOf(bytes);
  if (stream.slice(length * bits).includes("1")) return undefined;
  return Array.from({ length }, (_, i) => lowest(stream.slice(i * bits, (i + 1) * bits)));
}

function ransCodes(bytes: Buffer, length: number, levels: number): number[] | undefined {
  if (bytes.length < 2 * levels + 4 || bytes.length > 2 * levels + 4 + Math.ceil(length / 2) + Math.ceil(length / 512))
    return undefined;
  const often = Array.from({ length: levels }, (_, code) => bytes.readUInt16LE(2 * code));
  if (often.reduce((a, b) => a + b, 0) !== 4096) return undefined;
  const parts = often.flatMap((frequency, code) => new Array<number>(frequency).fill(code));
  let x = bytes.readUInt32LE(2 * levels);
  if (x < 2 ** 23 || x >= 2 ** 31) return undefined;
  let at = 2 * levels + 4;
  const codes: number[] = [];
  while (codes.length < length) {
    const code = parts[x % 4096]!;
    codes.push(code);
    x = often[code]! * Math.floor(x / 4096) + (x % 4096) - parts.indexOf(code);
    while (x < 2 ** 23 && at < bytes.length) x = 256 * x + bytes[at++]!;
    if (x < 2 ** 23) return undefined;
  }
  return x === 2 ** 23 && at === bytes.length ? codes : undefined;
}

export function mix(value: number): number {
  let x = value | 0;
  x = imul(x ^ (x >>> 16), 0x21f0aaad);
  x = imul(x ^ (x >>> 15), 0xd35a2d97);
  return x ^ (x >>> 15);
}

const roundKey = (seed: number, round: number): number => mix(mix(seed ^ 0x9e3779b9) + round + 1);

function randK({ bytes, values }: Given, every: number, key: number): number | undefined {
  const drawn = new Float32Array(Math.ceil(values.length / every));
  const squares = int8Blocks({ bytes, values: drawn, tensors: [] });
  for (const [group, value] of drawn.entries()) {
    const size = min(every, values.length - group * every);
    values[group * every + ((mix(mix(group) ^ key) >>> 0) % size)] = value;
  }
  return squares;
}

function topK({ bytes, values, tensors }: Given, every: number): number | undefined {
  if (bytes.length < 4 * tensors.length) return undefined;
  const counts = tensors.map((_, t) => bytes.readUInt32LE(4 * t));
  const sizes = tensors.map(([, rows, columns]) => rows * columns);
  const most = tensors.map(([name], t) => (name.endsWith("norm.weight") ? sizes[t]! : Math.ceil(sizes[t]! / every)));
  if (counts.some((count, t) => count > most[t]!)) return undefined;
  const kept = new Float32Array(counts.reduce((a, b) => a + b, 0));
  const placesAt = 4 * tensors.length + 4 * Math.ceil(kept.length / 256) + kept.length;
  const squares = int8Blocks({ bytes: bytes.subarray(4 * tensors.length, placesAt), values: kept, tensors });
  if (squares === undefined) return undefined;
  const bits = bitsOf(bytes.subarray(placesAt));
  let [bit, n, at] = [0, 0, 0];
  for (const [t, size] of sizes.entries()) {
    const r = riceOf(counts[t]!, size);
    let place = -1;
    for (let i = 0; i < counts[t]!; i++, n++) {
      const ones = bits.indexOf("0", bit) - bit;
      if (ones < 0) return undefined;
      place += 1 + ones * 2 ** r + lowest(bits.slice(bit + ones + 1, bit + ones + 1 + r));
      bit += ones + 1 + r;
      if (place >= size) return undefined;
      values[at + place] = kept[n]!;
    }
    at += size;
  }
  return bit > bits.length || bits.length - bit > 7 || bits.slice(bit).includes("1") ? undefined : squares;
}

/** As a text of 0 and 1, each byte from the lowest bit up. */
const bitsOf = (bytes: Buffer): string =>
  [...bytes].map((byte) => byte.toString(2).padStart(8, "0").split("").reverse().join("")).join("");

/** The number whose lowest bit comes first. */
const lowest = (bits: string): number => Number.parseInt(`0${bits.split("").reverse().join("")}`, 2);

function riceOf(count: number, length: number): number {
  let r = 0;
  while (r < 24 && 2 ** (r + 1) * Math.max(1, count) * 100 <= 69 * length) r++;
  return r;
}

/** @returns squares */
function rotatedBack({ values }: Given, key: number, squares: number): number {
  for (let start = 0; start + 256 <= values.length; start += 256) {
    const block = values.subarray(start, start + 256);
    for (let i = 0; i < 256; i++) block[i] = block[i]! / 16;
    for (let apart = 1; apart < 256; apart *= 2)
      for (let i = 0; i < 256; i++) {
        if (Math.floor(i / apart) % 2 === 1) continue;
        const [a, b] = [block[i]!, block[i + apart]!];
        block[i] = a + b;
        block[i + apart] = a - b;
      }
    for (let i = 0; i < 256; i++)
      if ((mix(mix(Math.floor((start + i) / 32)) ^ key) >>> (i % 32)) % 2 === 1) block[i] = -block[i]!;
  }
  return squares;
}

function int8Blocks({ bytes, values }: Given): number | undefined {
  const { length } = values;
  const blocks = Math.ceil(length / 256);
  if (bytes.length !== 4 * blocks + length) return undefined;
  let squares = 0;
  for (let block = 0; block < blocks; block++) {
    const scale = bytes.readFloatLE(4 * block);
    if (!Number.isFinite(fround(scale * 127)) || scale < 0 || Object.is(scale, -0)) return undefined;
    let sum = 0;
    for (let i = block * 256; i < min(length, (block + 1) * 256); i++) {
      const code = bytes.readInt8(4 * blocks + i);
      if (code === -128) return undefined;
      sum += code * code;
      values[i] = scale * code;
    }
    squares += scale * scale * sum;
  }
  return squares;
}

function chunkTopK({ bytes, values, tensors: list }: Given, chunk: number, k: number): number | undefined {
  const chunks: { at: number; length: number; most: number; tensor: number }[] = [];
  let at = 0;
  for (const [tensor, [name, rows, columns]] of list.entries())
    for (let left = rows * columns; left > 0; left -= chunk) {
      const length = min(chunk, left);
      const most = name.endsWith("norm.weight") ? length : Math.ceil((k * length) / chunk);
      chunks.push({ at, length, most, tensor });
      at += length;
    }
  const counts = chunks.map((_, c) => bytes.readUInt16LE(2 * c));
  if (counts.some((count, c) => count > chunks[c]!.most)) return undefined;
  const kept = counts.reduce((a, b) => a + b, 0);
  const levels = Array.from({ length: 4 * list.length }, (_, i) => bytes.readFloatLE(2 * chunks.length + 4 * i));
  if (!levels.every(Number.isFinite)) return undefined;
  const bits = bitsOf(bytes.subarray(2 * chunks.length + 4 * levels.length, bytes.length - Math.ceil(kept / 4)));
  const codes = bytes.subarray(bytes.length - Math.ceil(kept / 4));
  const howOften = levels.map(() => 0);
  let [bit, n] = [0, 0];
  for (const [c, { at, length, tensor }] of chunks.entries()) {
    const r = riceOf(counts[c]!, length);
    let place = -1;
    for (let i = 0; i < counts[c]!; i++, n++) {
      const ones = bits.indexOf("0", bit) - bit;
      if (ones < 0) return undefined;
      place += 1 + ones * 2 ** r + lowest(bits.slice(bit + ones + 1, bit + ones + 1 + r));
      bit += ones + 1 + r;
      if (place >= length) return undefined;
      const level = 4 * tensor + ((codes[n >> 2]! >> (2 * (n % 4))) & 3);
      howOften[level]!++;
      values[at + place] = levels[level]!;
    }
  }
  if (bit > bits.length || bits.length - bit > 7 || bits.slice(bit).includes("1")) return undefined;
  if (kept % 4 > 0 && codes.at(-1)! >> (2 * (kept % 4)) > 0) return undefined;
  return levels.reduce((squares, level, i) => squares + howOften[i]! * (level * level), 0);
}
