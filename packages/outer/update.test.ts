import { bytesToHex } from "@noble/hashes/utils.js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addTo, encodeUpdate, readUpdate, type Update, updateBytes, updateNorm } from "./index.ts";
import { BASE_HASH, noise } from "./test-given.ts";

const expected = (length: number) => ({ round: 3, baseHash: BASE_HASH, length, tokens: 1000 });
const encode = (delta: Float32Array) =>
  encodeUpdate({ round: 3, baseHash: BASE_HASH, tokens: 1000, delta, blockSize: 256 });
function read(delta: Float32Array): Update {
  const update = readUpdate(encode(delta), expected(delta.length));
  if (typeof update === "string") throw new Error(update);
  return update;
}
function decode(update: Update): Float32Array {
  const values = new Float32Array(update.length);
  addTo(update, values, 1, 0, update.length);
  return values;
}

test("the bytes are golden", () => {
  const bytes = encode(Float32Array.of(1, -0.5, 0, 0.25));
  expect(bytesToHex(bytes)).toBe(
    `47555044010001000300000004000000${"00010000"}${"e8030000"}${BASE_HASH}${"0402013c"}${"7fc00020"}`,
  );
  expect(bytes.length).toBe(updateBytes(4, 256));
});

describe("round trip", () => {
  const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 }), {
    maxLength: 600,
  });
  test("a decoded value is within half a step of its block", () => {
    fc.assert(
      fc.property(values, (given) => {
        const delta = Float32Array.from(given);
        const update = read(delta);
        const decoded = decode(update);
        for (let i = 0; i < delta.length; i++) {
          const scale = update.scales[Math.floor(i / 256)];
          const tolerance = scale < 1e-37 ? 64 * 1.5e-45 + scale : scale * 0.5001; // subnormal scales are coarse
          expect(Math.abs(decoded[i] - delta[i])).toBeLessThanOrEqual(tolerance);
        }
      }),
    );
  });
  test("zeros stay zeros, and the last block may be short", () => {
    for (const length of [1, 255, 256, 257, 1000]) {
      expect(decode(read(new Float32Array(length)))).toEqual(new Float32Array(length));
      expect(read(noise(1, length)).codes).toHaveLength(length);
    }
  });
  test("the blob may begin at an odd address", () => {
    const bytes = encode(noise(4, 300));
    const odd = new Uint8Array(bytes.length + 1);
    odd.set(bytes, 1);
    const update = readUpdate(odd.subarray(1), expected(300)) as Update;
    expect(decode(update)).toEqual(decode(read(noise(4, 300))));
  });
});

test("a diverged pseudo-gradient is not encoded", () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    for (const place of [0, 5, 299]) {
      const delta = noise(1, 300);
      delta[place] = bad;
      expect(() => encode(delta)).toThrow(RangeError);
    }
});

describe("what an update is refused for", () => {
  const bytes = () => encode(noise(9, 300)); // 56 header, 8 scales, 300 codes
  const refusal = (change: (view: DataView) => void, changed = bytes()) => {
    change(new DataView(changed.buffer));
    return readUpdate(changed, expected(300));
  };
  test.each([
    ["magic", (v: DataView) => v.setUint8(0, 0), "not an update: wrong magic"],
    ["version", (v: DataView) => v.setUint16(4, 2, true), "update version 2 is unknown"],
    ["codec", (v: DataView) => v.setUint16(6, 9, true), "codec 9 is unknown"],
    ["round", (v: DataView) => v.setUint32(8, 4, true), "made for round 4, not 3"],
    ["length", (v: DataView) => v.setUint32(12, 301, true), "has 301 parameters, not 300"],
    ["block size", (v: DataView) => v.setUint32(16, 128, true), "block size 128, not 256"],
    ["tokens", (v: DataView) => v.setUint32(20, 1001, true), "says 1001 tokens, its offer 1000"],
    ["base", (v: DataView) => v.setUint8(30, 0), "made from another anchor"],
    ["NaN scale", (v: DataView) => v.setFloat32(60, Number.NaN, true), "the scale of block 1 is NaN"],
    [
      "infinite scale",
      (v: DataView) => v.setFloat32(60, Number.POSITIVE_INFINITY, true),
      "the scale of block 1 is Infinity",
    ],
    ["scale that overflows", (v: DataView) => v.setFloat32(56, 2 ** 127, true), `the scale of block 0 is ${2 ** 127}`],
    ["negative scale", (v: DataView) => v.setFloat32(56, -0.5, true), "the scale of block 0 is -0.5"],
    ["scale -0", (v: DataView) => v.setFloat32(56, -0, true), "the scale of block 0 is -0"],
    ["code -128", (v: DataView) => v.setInt8(64 + 17, -128), "the code of parameter 17 is -128"],
  ])("%s", (_, change, reason) => expect(refusal(change)).toBe(reason));
  test("a byte too many or too few", () => {
    const whole = bytes();
    expect(readUpdate(whole.subarray(1), expected(300))).toBeTypeOf("string");
    expect(readUpdate(whole.subarray(0, -1), expected(300))).toBe("363 bytes, not 364");
    expect(readUpdate(Uint8Array.of(...whole, 0), expected(300))).toBe("365 bytes, not 364");
    expect(readUpdate(new Uint8Array(), expected(300))).toBe("0 bytes are too few for an update");
  });
  test("any bytes at all: an answer, never an exception, and what is accepted decodes to finite values", () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(363), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = bytes();
        for (const [place, value] of changes) changed[place] = value;
        const update = readUpdate(changed, expected(300));
        if (typeof update === "string") return;
        accepted++;
        expect(decode(update).every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 2000, seed: 1 },
    );
    expect(accepted).toBeGreaterThan(100); // most bytes are codes: the property is not vacuous
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (junk) => typeof readUpdate(junk, expected(300)) === "string"),
    );
  });
});

test("addTo over any split into ranges gives the bits of the whole", () => {
  const update = read(noise(5, 1000));
  const whole = noise(6, 1000);
  addTo(update, whole, 0.3, 0, 1000);
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 6 }), (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), 1000];
      const start = noise(6, 1000);
      for (const [i, end] of edges.slice(1).entries()) addTo(update, start.subarray(edges[i], end), 0.3, edges[i], end);
      expect(start).toEqual(whole);
    }),
  );
});

test("updateNorm is the norm of the decoded values", () => {
  const update = read(noise(7, 5000, 0.01));
  const naive = Math.sqrt(decode(update).reduce((sum, v) => sum + v * v, 0));
  expect(updateNorm(update) / naive).toBeCloseTo(1, 6);
  expect(updateNorm(read(new Float32Array(3)))).toBe(0);
});
