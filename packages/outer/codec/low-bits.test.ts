import { bytesToHex } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import type { Codec } from "./codec.ts";
import { dynamic8 } from "./dynamic8.ts";
import { e3m0 } from "./e3m0.ts";
import { hadamard } from "./hadamard.ts";
import { int4Block } from "./int4-block.ts";
import { type Grid, lowBits } from "./low-bits.ts";
import { sign } from "./sign.ts";
import { decodedBy, normal, relativeError, student } from "./testing.ts";
import { twoBit } from "./two-bit.ts";

test.each<[string, Grid, string]>([
  ["int4-block", int4Block(), "123e" + "3e79"], //  1/7; 7, -4, 2, 0 steps of it
  ["e3m0", e3m0(), "803d" + "1e7c"], //             1/16; 16, -8, 4, 0 of it
  ["sign", sign(1), "e03e" + "05"], //              7/16; plus, minus, plus, minus
  ["two-bit", twoBit(1), "00bf00bf803e803f" + "a3"],
  ["dynamic8", dynamic8, "803f" + "ff23c97f"],
])("the bytes of %s are golden", (_, grid, hex) => {
  expect(bytesToHex(lowBits(4, grid).encode(Float32Array.of(1, -0.5, 0.25, 0)))).toBe(hex);
});

const LENGTH = 65_536;
const given = { normal: normal(1, LENGTH), student: student(2, LENGTH) };
const KEY = 7;
const codecOf = (grid: Grid): Codec => lowBits(LENGTH, grid);

test.each<[string, Codec, number, number, number]>([
  ["int4-block", codecOf(int4Block()), 0.531, 1.16e-2, 2.7e-2],
  ["int4-block, rotated", hadamard(codecOf(int4Block()), KEY), 0.531, 1.16e-2, 1.1e-2],
  ["e3m0", codecOf(e3m0()), 0.508, 3.8e-2, 3.2e-2],
  ["sign", codecOf(sign(1)), 0.127, 0.363, 0.51],
  ["two-bit", codecOf(twoBit(1)), 0.258, 0.117, 0.25],
  ["dynamic8", codecOf(dynamic8), 1.008, 1.2e-4, 2.2e-4],
])("%s: bytes a value and relative squared errors are those that its file states", (_, codec, bytes, ...errors) => {
  expect(codec.encode(given.normal).length / LENGTH).toBeCloseTo(bytes, 3);
  expect(relativeError(codec, given.normal) / errors[0]).toBeCloseTo(1, 1);
  expect(relativeError(codec, given.student) / errors[1]).toBeCloseTo(1, 1);
});

test("a value's own bound: half a step of int4, a third of the value in E3M0", () => {
  const values = student(3, 5000);
  const largest = (from: number, block: number) => Math.max(...values.subarray(from, from + block).map(Math.abs));
  const int4 = decodedBy(lowBits(5000, int4Block()), values);
  const e3 = decodedBy(lowBits(5000, e3m0()), values);
  for (const [i, value] of values.entries()) {
    const step = largest(i - (i % 64), 64) / 7;
    expect(Math.abs(int4[i] - value)).toBeLessThan(0.5 * step + 7 * step * 2 ** -8);
    const scale = largest(i - (i % 256), 256) / 16;
    expect(Math.abs(e3[i] - value)).toBeLessThan(Math.max(0.126 * scale, 0.34 * Math.abs(value)));
  }
});

describe("stochastic rounding", () => {
  const rounded = (grid: Grid, key: number) => lowBits(LENGTH, grid, { stochasticKey: key });
  test.each<[string, Grid, number]>([
    ["int4-block", int4Block(), 2],
    ["e3m0", e3m0(), 2],
  ])("%s: the mean over rounds comes to the value, for about twice the squared error", (_, grid, times) => {
    const ROUNDS = 40;
    const mean = new Float32Array(LENGTH);
    for (let key = 0; key < ROUNDS; key++) {
      const codec = rounded(grid, key);
      const decoded = codec.read(codec.encode(given.normal));
      if (typeof decoded === "string") throw new Error(decoded);
      decoded.addTo(mean, 1 / ROUNDS, 0, LENGTH);
    }
    const squares = given.normal.reduce((sum, value) => sum + value * value, 0);
    const ofMean = given.normal.reduce((sum, value, i) => sum + (value - mean[i]) ** 2, 0) / squares;
    const once = relativeError(rounded(grid, 1), given.normal);
    const nearest = relativeError(codecOf(grid), given.normal);
    expect(once / nearest).toBeGreaterThan(times - 0.3);
    expect(once / nearest).toBeLessThan(times + 0.3);
    expect(ofMean / once).toBeLessThan(1.3 / ROUNDS); // to the nearest it would stay
  });

  test("one seed, one body; a value that is a level stays", () => {
    const codec = rounded(int4Block(), 3);
    expect(codec.encode(given.normal)).toEqual(codec.encode(given.normal));
    const levels = decodedBy(codecOf(int4Block()), given.normal);
    expect(relativeError(codec, levels)).toBeLessThan(1e-4);
  });
});

describe("rotation", () => {
  const rotated = (length: number, key = KEY) => hadamard(lowBits(length, int4Block()), key);

  test("is undone but for the error of few bits; a last short block stays as it is", () => {
    for (const length of [1, 255, 256, 700]) {
      const values = normal(5, length);
      expect(relativeError(rotated(length), values)).toBeLessThan(2e-2);
      const start = length - (length % 256);
      const plain = decodedBy(lowBits(length - start, int4Block()), values.subarray(start));
      expect(decodedBy(rotated(length), values).subarray(start)).toEqual(plain);
    }
  });

  test("another round draws other signs: the error of one is not the error of the next", () => {
    const values = normal(6, 1024);
    const errors = [1, 2, 3, 4].map((key) => decodedBy(rotated(1024, key), values).map((v, i) => v - values[i]));
    const mean = errors[0].map((_, i) => errors.reduce((sum, error) => sum + error[i] / errors.length, 0));
    const squares = (of: Float32Array) => of.reduce((sum, v) => sum + v * v, 0);
    expect(squares(mean) / squares(errors[0])).toBeLessThan(0.4);
  });

  test("what may overflow in the sums does not read", () => {
    expect(rotated(256).read(lowBits(256, int4Block()).encode(new Float32Array(256).fill(3e37)))).toMatch(/^a norm of/);
  });
});

describe("what a body is refused for", () => {
  const codec = lowBits(65, int4Block()); // two scales, 33 bytes of codes
  const body = () => codec.encode(normal(9, 65));
  test.each<[string, (view: DataView) => void, string]>([
    ["a negative scale", (view) => view.setUint16(2, 0xbf00, true), "the scale of block 1 has a sign"],
    ["scale -0", (view) => view.setUint16(0, 0x8000, true), "the scale of block 0 has a sign"],
    ["a NaN scale", (view) => view.setUint16(2, 0x7fc0, true), "a level of block 1 is not finite"],
    ["a scale that overflows", (view) => view.setUint16(0, 0x7f00, true), "a level of block 0 is not finite"],
    ["a code that names no level", (view) => view.setUint8(4 + 16, 0xf0), "the code of parameter 33 is 15"],
    ["bits after the last code", (view) => view.setUint8(4 + 32, 0x17), "bits are set after the last code"],
  ])("%s", (_, change, reason) => {
    const changed = body();
    change(new DataView(changed.buffer));
    expect(codec.read(changed)).toBe(reason);
  });
  test("a byte too many or too few", () => {
    expect(codec.read(body().subarray(1))).toBe("a body of 36 bytes, not 37");
    expect(codec.read(Uint8Array.of(...body(), 0))).toBe("a body of 38 bytes, not 37");
  });
  test("a level of two-bit that is not finite", () => {
    const bytes = lowBits(8, twoBit(1)).encode(normal(9, 8));
    new DataView(bytes.buffer).setUint16(4, 0xff80, true);
    expect(lowBits(8, twoBit(1)).read(bytes)).toBe("a level of block 0 is not finite");
  });
});
