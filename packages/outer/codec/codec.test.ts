// What holds for every codec, whatever it keeps.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CodecSpec } from "#wire";
import { noise, tinySpec } from "../test-given.ts";
import { type Codec, codecOf, type Decoded } from "./index.ts";
import { decodedFrom } from "./testing.ts";

const model = { ...tinySpec().model, dModel: 32, dFfn: 44, vocabSize: 60 };
const settings: readonly CodecSpec[] = [
  "int8-block",
  { name: "chunk-top-k", chunk: 1024, k: 16, feedback: 0.95 },
  { name: "f32" },
  { name: "f16" },
  { name: "int4-block" },
  { name: "int4-block", rotated: true },
  { name: "int4-block", rotated: true, entropy: "rans" },
  { name: "e3m0" },
  { name: "e3m0", entropy: "rans" },
  { name: "sign", feedback: 1 },
  { name: "two-bit", feedback: 1 },
  { name: "dynamic8" },
  { name: "rand-k", every: 16, feedback: 1 },
  { name: "top-k", every: 50, feedback: 1 },
  { name: "power-sgd", rank: 4, feedback: 1 },
];
const codecs = settings.map((codec): [string, Codec] => {
  const ofRun = codecOf({ model, seed: 1, outer: { ...tinySpec().outer, codec } });
  return [JSON.stringify(codec), ofRun.at(3, ofRun.genesis?.())];
});

describe.each(codecs)("%s", (name, codec) => {
  const { length } = codec;
  const read = (values: Float32Array) => codec.read(codec.encode(values)) as Decoded;

  test("a body is never larger than it says, and the bytes may begin at an odd address", () => {
    for (const values of [noise(1, length), new Float32Array(length), new Float32Array(length).fill(1e-30)]) {
      const body = codec.encode(values);
      expect(body.length).toBeLessThanOrEqual(codec.bodyBytesMax);
      const odd = new Uint8Array(body.length + 1);
      odd.set(body, 1);
      expect(decodedFrom(codec.read(odd.subarray(1)) as Decoded, length)).toEqual(decodedFrom(read(values), length));
    }
    expect(decodedFrom(read(new Float32Array(length)), length)).toEqual(new Float32Array(length));
  });

  test("a diverged pseudo-gradient is not encoded", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      for (const place of [0, 5, 299, length - 1]) {
        const values = noise(1, length);
        values[place] = bad;
        expect(() => codec.encode(values)).toThrow(RangeError);
      }
  });

  test("any bytes at all: an answer, never an exception, and what is accepted decodes to finite values", () => {
    let accepted = 0;
    const body = codec.encode(noise(9, length));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (changes, cut) => {
          const changed = body.slice();
          for (const [place, value] of changes) changed[place] = value;
          const decoded = codec.read(cut ? changed.subarray(0, changes[0][0]) : changed);
          if (typeof decoded === "string") return;
          accepted++;
          expect(decodedFrom(decoded, length).every(Number.isFinite)).toBe(true);
          expect(decoded.norm()).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 2000, seed: 1 },
    );
    expect(accepted).toBeGreaterThan(name.includes("rans") ? 10 : 100); // not vacuous; a changed stream ends elsewhere
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (junk) => {
        const decoded = codec.read(junk);
        if (typeof decoded !== "string") expect(decodedFrom(decoded, length).every(Number.isFinite)).toBe(true);
      }),
    );
  });

  test("addTo over any split into ranges gives the bits of the whole", () => {
    const update = read(noise(5, length));
    const whole = noise(6, length);
    update.addTo(whole, 0.3, 0, length);
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: length - 1 }), { maxLength: 6 }), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), length];
        const start = noise(6, length);
        for (const [i, end] of edges.slice(1).entries())
          update.addTo(start.subarray(edges[i], end), 0.3, edges[i], end);
        expect(start.findIndex((value, i) => !Object.is(value, whole[i]))).toBe(-1);
      }),
    );
  });

  test("the norm is that of the decoded values", () => {
    const update = read(noise(7, length, 0.01));
    const naive = Math.sqrt(decodedFrom(update, length).reduce((sum, v) => sum + v * v, 0));
    expect(update.norm() / naive).toBeCloseTo(1, 6);
    expect(read(new Float32Array(length)).norm()).toBe(0);
  });
});
