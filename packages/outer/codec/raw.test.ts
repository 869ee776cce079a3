import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { raw } from "./raw.ts";
import { decodedBy } from "./testing.ts";

test("the bytes are golden", () => {
  const values = Float32Array.of(1, -0.5, 0);
  expect(bytesToHex(raw(3, "f32").encode(values))).toBe("0000803f000000bf00000000");
  expect(bytesToHex(raw(3, "f16").encode(values))).toBe("003c00b80000");
});

test("f32 loses nothing", () => {
  const any = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(any, (given) => {
      const values = Float32Array.from(given, (value) => value + 0); // -0 arrives as +0
      expect(decodedBy(raw(values.length, "f32"), values)).toEqual(values);
    }),
  );
});

test("f16 is within 2^-11 of its value, and within 2^-25 where that is less", () => {
  const any = fc.array(fc.float({ noNaN: true, min: -65_504, max: 65_504 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(any, (given) => {
      const values = Float32Array.from(given);
      const decoded = decodedBy(raw(values.length, "f16"), values);
      for (const [i, value] of values.entries())
        expect(Math.abs(decoded[i] - value)).toBeLessThanOrEqual(Math.max(Math.abs(value) * 2 ** -11, 2 ** -25));
    }),
  );
  expect(() => raw(2, "f16").encode(Float32Array.of(1, 70_000))).toThrow(/holds 70000 among parameters 1 to 1/);
});

test("what a body is refused for", () => {
  expect(raw(2, "f32").read(new Uint8Array(7))).toBe("a body of 7 bytes, not 8");
  expect(raw(2, "f32").read(new Uint8Array(Float32Array.of(1, Number.NaN).buffer))).toBe(
    "the value of parameter 1 is NaN",
  );
  expect(raw(1, "f16").read(Uint8Array.of(0, 0xfc))).toBe("the value of parameter 0 is -Infinity");
});
