// The codecs that keep some values of many: rand-k and top-k. Chunked top-k has a file of its own.
import { describe, expect, test } from "vitest";
import { parameterTable } from "../parameters.ts";
import { bitsAt, roundKey } from "../random.ts";
import { noise, tinySpec } from "../test-given.ts";
import { int8Block } from "./int8-block.ts";
import { randK } from "./rand-k.ts";
import { decodedBy, decodedFrom, normal, relativeError, student } from "./testing.ts";
import { topK } from "./top-k.ts";

const table = parameterTable({ ...tinySpec().model, dModel: 32, dFfn: 44, vocabSize: 60 });
/** None of which int8 blocks make 0. */
const large = (seed: number) => noise(seed, table.length, 0.5).map((value) => value + 1);
const placesOf = (decoded: Float32Array) => [...decoded.keys()].filter((i) => decoded[i] !== 0);

describe("rand-k", () => {
  const codec = (round: number, every = 16) => randK(table.length, { every, feedback: 1 }, roundKey(1, round));

  test("one value of each group, which others know without being told, and other ones in the next round", () => {
    const values = large(1);
    const places = placesOf(decodedBy(codec(3), values));
    expect(places.map((place) => Math.floor(place / 16))).toEqual([...Array(Math.ceil(table.length / 16)).keys()]);
    expect(places[5]).toBe(80 + ((bitsAt(roundKey(1, 3), 5) >>> 0) % 16));
    expect(placesOf(decodedBy(codec(4), values))).not.toEqual(places);
    expect(placesOf(decodedBy(codec(3), large(2)))).toEqual(places);
    const body = codec(3).encode(values);
    expect(body.length).toBe(int8Block(places.length, 256).bodyBytesMax);
  });

  test("its error is (1 - 1 / every) of the squares on average", () => {
    const values = student(1, table.length);
    for (const every of [2, 16]) {
      const errors = Array.from({ length: 200 }, (_, round) => relativeError(codec(round, every), values));
      expect(errors.reduce((sum, error) => sum + error, 0) / 200).toBeCloseTo(1 - 1 / every, 1);
    }
  });

  test("every place has its turn", () => {
    const seen = new Set<number>();
    for (let round = 0; round < 200; round++)
      for (const place of placesOf(decodedBy(codec(round), large(3)))) seen.add(place);
    expect(seen.size / table.length).toBeGreaterThan(0.999);
  });

  test("a body reads as int8 blocks do, and a value that is not drawn may not be NaN either", () => {
    expect(codec(0).read(codec(0).encode(noise(1, table.length)).subarray(1))).toMatch(/^a body of \d+ bytes, not/);
    const values = normal(1, table.length);
    values[placesOf(decodedBy(codec(0), values))[0] === 0 ? 1 : 0] = Number.NaN;
    expect(() => codec(0).encode(values)).toThrow(/diverged/);
  });
});

describe("top-k", () => {
  const codec = topK(table, { every: 20, feedback: 1 });

  test("of each tensor the largest magnitudes, of equal ones the first; vectors keep all", () => {
    const values = normal(1, table.length).map((value) => Math.round(8 * value) / 8 || 0.125); // many ties, no zeros
    const expected = table.tensors.flatMap(({ offset, length, shape }) =>
      Array.from({ length }, (_, i) => offset + i)
        .sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b)
        .slice(0, shape.length === 1 ? length : Math.ceil(length / 20))
        .sort((a, b) => a - b),
    );
    expect(placesOf(decodedBy(codec, values))).toEqual(expected);
  });

  test("its error is at most (1 - 1 / every) of the squares, and much less where tails are heavy", () => {
    const [a, b] = [relativeError(codec, normal(2, table.length)), relativeError(codec, student(3, table.length))];
    expect(a).toBeLessThan(1 - 1 / 20);
    expect(b).toBeLessThan(a);
    expect(relativeError(codec, new Float32Array(table.length).fill(1))).toBeLessThan(1 - 1 / 20 + 1e-4);
  });

  test("bytes: 16 bits a value at one in 100 of a large tensor", () => {
    const wide = parameterTable({ ...tinySpec().model, dModel: 64, vocabSize: 4096, layers: 1 });
    const values = normal(4, wide.length);
    const sparse = topK(wide, { every: 100, feedback: 1 });
    const kept = placesOf(decodedBy(sparse, values)).length;
    expect((8 * sparse.encode(values).length) / kept).toBeLessThan(17.5);
    expect(sparse.bodyBytesMax / sparse.encode(values).length).toBeLessThan(1.3);
  });

  describe("what a body is refused for", () => {
    const body = () => codec.encode(normal(9, table.length));
    const view = (bytes: Uint8Array) => new DataView(bytes.buffer);
    test("more values than a tensor keeps", () => {
      const bytes = body();
      view(bytes).setUint32(0, 97, true);
      expect(codec.read(bytes)).toBe("tensor 0 keeps 97 values, more than 96");
    });
    test("too few bytes, too many, places beyond the tensor, a bad scale", () => {
      expect(codec.read(body().subarray(0, 8))).toMatch(/^a body of 8 bytes, fewer than/);
      expect(codec.read(body().subarray(0, 100))).toMatch(/too few for/);
      expect(codec.read(Uint8Array.of(...body(), 0))).toBe("the places end elsewhere than their bytes");
      const bytes = body();
      expect(codec.read(bytes.fill(255, bytes.length - 60))).toMatch(/lies beyond its/);
      const scaled = body();
      view(scaled).setFloat32(4 * table.tensors.length, Number.NaN, true);
      expect(codec.read(scaled)).toBe("the scale of block 0 is NaN");
    });
    test("nothing kept at all: zeros", () => {
      const decoded = codec.read(codec.encode(new Float32Array(table.length)));
      if (typeof decoded === "string") throw new Error(decoded);
      expect(decodedFrom(decoded, table.length)).toEqual(new Float32Array(table.length));
    });
  });
});
