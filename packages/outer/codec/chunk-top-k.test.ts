import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { presets } from "#wire";
import { parameterTable } from "../parameters.ts";
import { Replica, rebase } from "../replica.ts";
import { noise, tinySpec } from "../test-given.ts";
import { ChunkTopK } from "./chunk-top-k.ts";
import { decodedBy, decodedFrom } from "./testing.ts";

const table = parameterTable({ ...tinySpec().model, dModel: 32, dFfn: 44, vocabSize: 60 }); // tensors of 32 to 1,920 values
const options = { chunk: 1024, k: 16, feedback: 0.95 };
const codec = new ChunkTopK(table, options);

/** The same choice by sorting. */
function sortedChoice(values: Float32Array): number[] {
  return codec.chunks.flatMap(({ start, length, k }) =>
    Array.from({ length }, (_, i) => start + i)
      .filter((i) => values[i] !== 0)
      .sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b)
      .slice(0, k)
      .sort((a, b) => a - b),
  );
}

const kept = (values: Float32Array): number[] => {
  const { counts, places } = codec.select(values);
  let n = 0;
  return codec.chunks.flatMap(({ start }, c) => {
    const own = places.subarray(n, n + counts[c]);
    n += counts[c];
    return [...own].map((place) => start + place);
  });
};

test("chunks cover every tensor, none lies in two, the last is shorter and keeps as large a part; vectors keep all", () => {
  expect(codec.chunks.reduce((sum, { length }) => sum + length, 0)).toBe(table.length);
  for (const { start, length, k, tensor } of codec.chunks) {
    const { shape, offset, length: floats } = table.tensors[tensor];
    expect(start >= offset && start + length <= offset + floats).toBe(true);
    expect(k).toBe(shape.length === 1 ? length : Math.ceil((16 * length) / 1024));
  }
});

test("of each chunk the k largest magnitudes; of equal ones the first; zeros never", () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(1, 0.5, 1 / 8, 1 / 64), (seed, step) => {
      const values = noise(seed, table.length).map((v) => Math.round(v / step) * step); // many ties
      expect(kept(values)).toEqual(sortedChoice(values));
    }),
    { numRuns: 60 },
  );
  const few = new Float32Array(table.length);
  few[3] = -1e-40; // a subnormal counts
  expect(kept(few)).toEqual([3]);
});

test("a place decodes to the level of its code: signs stay, and the error is far below leaving it out", () => {
  const values = noise(3, table.length).map((v) => v ** 3); // heavier tails than uniform
  const decoded = decodedBy(codec, values);
  const chosen = new Set(kept(values));
  let [error, energy] = [0, 0];
  for (const [i, value] of values.entries()) {
    if (!chosen.has(i)) {
      expect(decoded[i]).toBe(0);
      continue;
    }
    expect(Math.sign(decoded[i])).toBe(Math.sign(value));
    error += (decoded[i] - value) ** 2;
    energy += value ** 2;
  }
  expect(error / energy).toBeLessThan(0.05);
});

describe("against the published quantizer: four equal bins of 1.5 deviations around the mean, each decoded to its mean", () => {
  const published = (values: Float32Array): Float32Array => {
    const shift = values.reduce((sum, v) => sum + v, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - shift) ** 2, 0) / values.length);
    const binOf = (v: number) => Math.max(0, Math.min(3, Math.round((v - shift) / (1.5 * deviation)) + 2));
    const bins = [0, 1, 2, 3].map((bin) => values.filter((v) => binOf(v) === bin));
    const levels = bins.map((own) => own.reduce((sum, v) => sum + v, 0) / own.length);
    return values.map((v) => levels[binOf(v)]);
  };
  test("ours has less than half of its squared error on what top-k keeps", () => {
    const wide = new ChunkTopK(parameterTable(presets.micro.model), { chunk: 4096, k: 64, feedback: 0.95 });
    const values = noise(11, wide.length).map((v) => Math.tan(1.4 * v)); // tails as heavy as Student's t
    const { values: chosen } = wide.select(values);
    const squares = (a: Float32Array, b: Float32Array) => a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);
    const decoded = decodedBy(wide, values);
    const ours = decoded.filter((v) => v !== 0);
    expect(ours.length).toBe(chosen.length);
    expect(squares(chosen, ours)).toBeLessThan(0.5 * squares(chosen, published(chosen)));
  });
});

test("bytes: 0.019 a parameter at 64 of 4,096, 200 times fewer than f32", () => {
  const { model } = presets.micro;
  const wide = new ChunkTopK(parameterTable(model), { chunk: 4096, k: 64, feedback: 0.95 });
  const body = wide.encode(noise(5, wide.length));
  expect(body.length / wide.length).toBeLessThan(0.0205);
  expect(wide.bodyBytesMax / body.length).toBeLessThan(1.3);
});

describe("what a body is refused for", () => {
  const body = () => codec.encode(noise(9, table.length));
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer);
  test("more values than a chunk keeps", () => {
    const bytes = body();
    const c = codec.chunks.findIndex(({ length, k }) => k < length);
    view(bytes).setUint16(2 * c, codec.chunks[c].k + 1, true);
    expect(codec.read(bytes)).toBe(`chunk ${c} keeps ${codec.chunks[c].k + 1} values, more than ${codec.chunks[c].k}`);
  });
  test("a level that is not finite", () => {
    const bytes = body();
    view(bytes).setFloat32(2 * codec.chunks.length + 4 * 6, Number.NaN, true);
    expect(codec.read(bytes)).toBe("level 2 of tensor 1 is NaN");
  });
  test("too few bytes, too many, bits after the last code, places beyond the chunk", () => {
    expect(codec.read(body().subarray(0, 8))).toMatch(/^a body of 8 bytes, fewer than/);
    expect(codec.read(new Uint8Array(codec.bodyBytesMax + 1))).toMatch(/more than/);
    expect(codec.read(Uint8Array.of(...body().subarray(0, -1), 255, 255))).toBeTypeOf("string");
    const ones = body().fill(255, 2 * codec.chunks.length + 16 * table.tensors.length);
    expect(codec.read(ones)).toMatch(/beyond its|after the last code/);
    const shifted = Uint8Array.of(...body(), 0);
    expect(codec.read(shifted)).toBeTypeOf("string");
  });
});

describe("error feedback", () => {
  test("decoded + kept = encoded, offer after offer; an offer that is not named changes nothing", () => {
    let anchor = noise(1, table.length);
    let local: Float32Array = anchor.slice();
    const replica = new Replica(anchor, options.feedback);
    let feedback = new Float32Array(table.length);
    for (let round = 0; round < 6; round++) {
      const work = noise(round + 2, table.length, 0.01);
      local = local.map((v, i) => v - work[i]);
      const encoded = replica.toEncode(local);
      const delta = replica.pseudoGradient(local);
      for (let i = 0; i < encoded.length; i += 97) expect(encoded[i]).toBeCloseTo(0.95 * feedback[i] + delta[i], 6);
      const sent = codec.read(codec.encode(encoded));
      if (typeof sent === "string") throw new Error(sent);
      replica.offered(local);
      const named = round % 3 !== 1;
      const others = noise(round + 50, table.length, 0.1);
      anchor = anchor.map((v, i) => v - others[i]);
      local = rebase(local, anchor, replica.sealed(anchor, named, sent));
      const decoded = decodedFrom(sent, table.length);
      if (named) feedback = encoded.map((v, i) => v - decoded[i]);
      else expect(replica.pseudoGradient(local).every((v, i) => Math.abs(v - delta[i]) < 1e-6)).toBe(true); // the work carries
    }
  });

  test("what is left out comes later: a constant pseudo-gradient arrives whole, without feedback most of it never does", () => {
    const arrived = (feedback: number | undefined): number => {
      const work = noise(4, table.length, 0.01);
      const anchor = new Float32Array(table.length);
      const replica = new Replica(anchor, feedback);
      const sum = new Float32Array(table.length);
      const ROUNDS = 400;
      for (let round = 0; round < ROUNDS; round++) {
        const local = work.map((v) => -v);
        const encoded = replica.toEncode(local);
        const sent = codec.read(codec.encode(encoded));
        if (typeof sent === "string") throw new Error(sent);
        sent.addTo(sum, 1 / ROUNDS, 0, sum.length);
        replica.offered(local);
        replica.sealed(anchor, true, sent);
      }
      const error = sum.reduce((total, v, i) => total + (v - work[i]) ** 2, 0);
      return 1 - error / work.reduce((total, v) => total + v ** 2, 0);
    };
    expect(arrived(undefined)).toBeLessThan(0.3);
    expect(arrived(1)).toBeGreaterThan(0.9);
  });
});
