import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noise } from "../test-given.ts";
import { type Int8Blocks, int8Block } from "./int8-block.ts";
import { decodedBy, decodedFrom } from "./testing.ts";

const codecFor = (values: Float32Array) => int8Block(values.length, 256);
const blocksOf = (values: Float32Array) => codecFor(values).read(codecFor(values).encode(values)) as Int8Blocks;

test("the bytes are golden", () => {
  const body = int8Block(4, 256).encode(Float32Array.of(1, -0.5, 0, 0.25));
  expect(bytesToHex(body)).toBe(`${"0402013c"}${"7fc00020"}`);
  expect(body.length).toBe(int8Block(4, 256).bodyBytesMax);
});

const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 }), {
  maxLength: 600,
});

test("a decoded value is within half a step of its block", () => {
  fc.assert(
    fc.property(values, (given) => {
      const delta = Float32Array.from(given);
      const { scales } = blocksOf(delta);
      const decoded = decodedBy(codecFor(delta), delta);
      for (let i = 0; i < delta.length; i++) {
        const scale = scales[Math.floor(i / 256)];
        const tolerance = scale < 1e-37 ? 64 * 1.5e-45 + scale : scale * 0.5001; // subnormal scales are coarse
        expect(Math.abs(decoded[i] - delta[i])).toBeLessThanOrEqual(tolerance);
      }
    }),
  );
});

test("zeros stay zeros, and the last block may be short", () => {
  for (const length of [1, 255, 256, 257, 1000]) {
    expect(decodedBy(int8Block(length, 256), new Float32Array(length))).toEqual(new Float32Array(length));
    expect(blocksOf(noise(1, length)).codes).toHaveLength(length);
  }
});

describe("what a body is refused for", () => {
  const codec = int8Block(300, 256);
  const body = () => codec.encode(noise(9, 300)); // 8 scales, 300 codes
  test.each([
    ["NaN scale", (v: DataView) => v.setFloat32(4, Number.NaN, true), "the scale of block 1 is NaN"],
    [
      "infinite scale",
      (v: DataView) => v.setFloat32(4, Number.POSITIVE_INFINITY, true),
      "the scale of block 1 is Infinity",
    ],
    ["scale that overflows", (v: DataView) => v.setFloat32(0, 2 ** 127, true), `the scale of block 0 is ${2 ** 127}`],
    ["negative scale", (v: DataView) => v.setFloat32(0, -0.5, true), "the scale of block 0 is -0.5"],
    ["scale -0", (v: DataView) => v.setFloat32(0, -0, true), "the scale of block 0 is -0"],
    ["code -128", (v: DataView) => v.setInt8(8 + 17, -128), "the code of parameter 17 is -128"],
  ])("%s", (_, change, reason) => {
    const changed = body();
    change(new DataView(changed.buffer));
    expect(codec.read(changed)).toBe(reason);
  });
  test("a byte too many or too few", () => {
    expect(codec.read(body().subarray(0, -1))).toBe("a body of 307 bytes, not 308");
    expect(codec.read(Uint8Array.of(...body(), 0))).toBe("a body of 309 bytes, not 308");
  });
});

test("the norm is that of the decoded values", () => {
  const update = blocksOf(noise(7, 5000, 0.01));
  const naive = Math.sqrt(decodedFrom(update, 5000).reduce((sum, v) => sum + v * v, 0));
  expect(update.norm() / naive).toBeCloseTo(1, 6);
  expect(blocksOf(new Float32Array(3)).norm()).toBe(0);
});
