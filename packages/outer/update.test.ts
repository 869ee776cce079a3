import { bytesToHex } from "@noble/hashes/utils.js";
import { describe, expect, test } from "vitest";
import { encodeUpdate, int8Block, readUpdate, updateBytesMax } from "./index.ts";
import { BASE_HASH, noise } from "./test-given.ts";

const header = (length: number) => ({ round: 3, baseHash: BASE_HASH, tokens: 1000, codec: int8Block(length, 256) });
const encode = (delta: Float32Array) => encodeUpdate({ ...header(delta.length), delta });

test("the bytes are golden", () => {
  const bytes = encode(Float32Array.of(1, -0.5, 0, 0.25));
  expect(bytesToHex(bytes)).toBe(
    `47555044010001000300000004000000${"00010000"}${"e8030000"}${BASE_HASH}${"0402013c"}${"7fc00020"}`,
  );
  expect(bytes.length).toBe(updateBytesMax(int8Block(4, 256)));
});

test("what was encoded reads", () => {
  const values = new Float32Array(300);
  const update = readUpdate(encode(noise(4, 300)), header(300));
  if (typeof update === "string") throw new Error(update);
  update.addTo(values, 1, 0, 300);
  expect(values[7]).toBeCloseTo(noise(4, 300)[7], 2);
});

describe("what an update is refused for", () => {
  const bytes = () => encode(noise(9, 300)); // 56 header, 8 scales, 300 codes
  const refusal = (change: (view: DataView) => void, changed = bytes()) => {
    change(new DataView(changed.buffer));
    return readUpdate(changed, header(300));
  };
  test.each([
    ["magic", (v: DataView) => v.setUint8(0, 0), "not an update: wrong magic"],
    ["version", (v: DataView) => v.setUint16(4, 2, true), "update version 2 is unknown"],
    ["codec", (v: DataView) => v.setUint16(6, 9, true), "made by codec 9, not 1"],
    ["round", (v: DataView) => v.setUint32(8, 4, true), "made for round 4, not 3"],
    ["length", (v: DataView) => v.setUint32(12, 301, true), "has 301 parameters, not 300"],
    ["block size", (v: DataView) => v.setUint32(16, 128, true), "blocks of 128, not 256"],
    ["tokens", (v: DataView) => v.setUint32(20, 1001, true), "says 1001 tokens, its offer 1000"],
    ["base", (v: DataView) => v.setUint8(30, 0), "made from another anchor"],
    ["its body", (v: DataView) => v.setFloat32(60, Number.NaN, true), "the scale of block 1 is NaN"],
  ])("%s", (_, change, reason) => expect(refusal(change)).toBe(reason));
  test("a byte too many or too few", () => {
    const whole = bytes();
    expect(readUpdate(whole.subarray(1), header(300))).toBeTypeOf("string");
    expect(readUpdate(whole.subarray(0, -1), header(300))).toBe("a body of 307 bytes, not 308");
    expect(readUpdate(Uint8Array.of(...whole, 0), header(300))).toBe("a body of 309 bytes, not 308");
    expect(readUpdate(new Uint8Array(), header(300))).toBe("0 bytes are too few for an update");
  });
});
