import { expect, test } from "vitest";
import { fromHalf, roundedToHalf, toHalf } from "./half.ts";

test("every f16 there is comes back from f32 with its own bits", () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
  const back = toHalf(fromHalf(all));
  for (const bits of all) {
    const isNan = (bits & 0x7fff) > 0x7c00;
    expect(isNan ? (back[bits] & 0x7fff) > 0x7c00 : back[bits] === bits, bits.toString(16)).toBe(true);
  }
});

test.each([
  [1 + 2 ** -11, 1], //             a tie, to even
  [1 + 3 * 2 ** -11, 1 + 2 ** -9], // a tie, to even, upwards
  [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
  [2 - 2 ** -12, 2], //             a carry into the exponent
  [65_519, 65_504],
  [65_520, Number.POSITIVE_INFINITY],
  [-1e9, Number.NEGATIVE_INFINITY],
  [2 ** -25, 0], //                 a tie between nothing and the smallest
  [2 ** -25 * 1.01, 2 ** -24],
  [2 ** -14 - 2 ** -26, 2 ** -14], // a subnormal that becomes normal
  [-2.7001, -2.69921875],
])("%d becomes %d", (value, expected) => {
  expect(roundedToHalf([value])[0]).toBe(expected);
});
