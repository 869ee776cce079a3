import fc from "fast-check";
import { expect, test } from "vitest";
import { BitReader, BitWriter } from "./bits.ts";

test("what was written is read, and then all of it was read", () => {
  const item = fc.oneof(
    fc.record({ bits: fc.integer({ min: 0, max: 24 }), value: fc.nat(2 ** 24 - 1) }),
    fc.record({ rice: fc.integer({ min: 0, max: 11 }), value: fc.nat(4095) }),
  );
  fc.assert(
    fc.property(fc.array(item, { maxLength: 100 }), (items) => {
      const writer = new BitWriter(4);
      for (const given of items)
        if ("rice" in given) writer.rice(given.value, given.rice);
        else writer.write(given.value, given.bits);
      const bytes = writer.bytes();
      const reader = new BitReader(bytes);
      for (const given of items)
        if ("rice" in given) expect(reader.rice(given.rice, 4095)).toBe(given.value);
        else expect(reader.read(given.bits)).toBe(given.value % 2 ** given.bits);
      expect(reader.isDone()).toBe(true);
      expect(new BitReader(Uint8Array.of(...bytes, 0)).isDone()).toBe(false);
    }),
  );
});

test("golden: 5 by Rice(2) is a one, a zero and the low bits 01; then the byte is filled with zeros", () => {
  const writer = new BitWriter(1);
  writer.rice(5, 2);
  expect([...writer.bytes()]).toEqual([0b0101]);
});

test("bytes that end too soon, too late or with set bits are not done; a run of ones ends where no answer could be", () => {
  const short = new BitReader(Uint8Array.of(255));
  expect(short.rice(0, 100)).toBe(8); // beyond the end there are zeros
  expect(short.isDone()).toBe(false);
  const filled = new BitReader(Uint8Array.of(0b1000_0001));
  filled.read(4);
  expect(filled.isDone()).toBe(false);
  expect(new BitReader(new Uint8Array(1000).fill(255)).rice(3, 63)).toBeGreaterThan(63);
});
