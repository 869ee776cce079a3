import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Codec } from "./codec.ts";
import { e3m0 } from "./e3m0.ts";
import { int4Block } from "./int4-block.ts";
import { lowBits } from "./low-bits.ts";
import { decodedBy, normal, student } from "./testing.ts";

const coded = (length: number, of = e3m0()) => lowBits(length, of, { entropy: "rans" });
const same = (a: Float32Array, b: Float32Array) => a.length === b.length && a.every((v, i) => Object.is(v, b[i]));

test("the bytes are golden: a scale, fifteen frequencies, a state", () => {
  const body = coded(4).encode(Float32Array.of(1, -0.5, 0.25, 0));
  const frequencies = new Uint16Array(15).fill(0);
  frequencies.set([1024], 1);
  frequencies.set([1024], 7);
  frequencies.set([1024], 12);
  frequencies.set([1024], 14);
  expect(bytesToHex(body.subarray(0, 32))).toBe(`803d${bytesToHex(new Uint8Array(frequencies.buffer))}`);
  expect(bytesToHex(body.subarray(32))).toBe("600c8000" + "00");
});

test("lossless: what was packed decodes as without it, whatever the codes", () => {
  const values = fc.array(fc.oneof(fc.constant(0), fc.float({ noNaN: true, min: -1, max: 1 })), {
    minLength: 1,
    maxLength: 700,
  });
  fc.assert(
    fc.property(values, (given) => {
      const vector = Float32Array.from(given);
      for (const of of [e3m0(), int4Block()])
        expect(same(decodedBy(coded(vector.length, of), vector), decodedBy(lowBits(vector.length, of), vector))).toBe(
          true,
        );
    }),
  );
});

const LENGTH = 65_536;
test.each<[string, Codec, Float32Array, number]>([
  ["E3M0 of normal values", coded(LENGTH), normal(1, LENGTH), 3.54],
  ["E3M0 of Student's t(4)", coded(LENGTH), student(1, LENGTH), 3.67],
  ["int4 of normal values", coded(LENGTH, int4Block()), normal(1, LENGTH), 3.76],
  ["int4 of Student's t(4)", coded(LENGTH, int4Block()), student(1, LENGTH), 3.36],
])("%s: bits a value", (_, codec, values, bits) => {
  expect((8 * codec.encode(values).length) / LENGTH).toBeCloseTo(bits, 1);
});

test("codes that are all as frequent take no more than the most that a body may have; one code alone next to nothing", () => {
  for (const length of [1, 15, 16, 300, 4096, 100_000]) {
    const levels = [-16, -8, -4, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 2, 4, 8, 16];
    const every = Float32Array.from({ length }, (_, i) => levels[i % 15]);
    const rare = Float32Array.from({ length }, (_, i) => (i < 15 ? levels[i] : 16));
    for (const values of [every, rare]) {
      const codec = coded(length);
      expect(codec.encode(values).length).toBeLessThanOrEqual(codec.bodyBytesMax);
      expect(same(decodedBy(codec, values), decodedBy(lowBits(length, e3m0()), values))).toBe(true);
    }
    expect(coded(length).encode(new Float32Array(length)).length).toBe(2 * Math.ceil(length / 256) + 30 + 4);
  }
});

describe("what a body is refused for", () => {
  const codec = coded(300); // two scales, fifteen frequencies, a state at byte 34
  const body = () => codec.encode(normal(3, 300));
  const changed = (change: (view: DataView) => void) => {
    const bytes = body();
    change(new DataView(bytes.buffer));
    return codec.read(bytes);
  };
  test("frequencies that are not 4,096 in all", () => {
    expect(changed((view) => view.setUint16(4, 4000, true))).toMatch(/^frequencies of \d+ in all, not 4096$/);
  });
  test("a state that no stream begins with", () => {
    expect(changed((view) => view.setUint32(34, 2 ** 23 - 1, true))).toBe("a state of 8388607");
    expect(changed((view) => view.setUint32(34, 2 ** 31, true))).toBe("a state of 2147483648");
  });
  test("too few bytes, too many, others", () => {
    expect(codec.read(body().subarray(0, 37))).toBe("a body of 37 bytes, fewer than 38");
    expect(codec.read(body().subarray(0, -1))).toMatch(/^the codes end/);
    expect(codec.read(Uint8Array.of(...body(), 0))).toBe("the codes end elsewhere than their bytes");
    expect(codec.read(new Uint8Array(codec.bodyBytesMax + 1))).toMatch(/more than/);
    expect(changed((view) => view.setUint8(view.byteLength - 1, view.getUint8(view.byteLength - 1) ^ 1))).toMatch(
      /^the codes end/,
    );
  });
  test("a scale, as without it", () => {
    expect(changed((view) => view.setUint16(2, 0xbf00, true))).toBe("the scale of block 1 has a sign");
  });
});
