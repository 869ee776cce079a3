import { describe, expect, test } from "vitest";
import type { RunSpec } from "#wire";
import { encodeCheckpointSection, stateFrom } from "../checkpoint.ts";
import { foldCommit } from "../fold.ts";
import { parameterTable } from "../parameters.ts";
import { Replica } from "../replica.ts";
import { anchorHashOf, genesisState, sectionsOf } from "../state.ts";
import { commitOf, noise, peerOf, tinySpec } from "../test-given.ts";
import { codecOf, type Decoded } from "./index.ts";
import { raw } from "./raw.ts";
import { decodedFrom, normal } from "./testing.ts";

const { blockSize: _, ...outer } = tinySpec().outer;
const specOf = (rank: number, model: Partial<RunSpec["model"]> = {}): RunSpec => ({
  ...tinySpec(),
  version: 4,
  model: { ...tinySpec().model, ...model },
  outer: { ...outer, codec: { name: "power-sgd", rank, feedback: 1 } },
});
const spec = specOf(4, { dModel: 32, dFfn: 48, vocabSize: 60 });
const table = parameterTable(spec.model);
const genesis = () => codecOf(spec).genesis?.() as Float32Array;

test("the shared section of genesis: orthonormal directions for each matrix, the same for everybody, others for another seed", () => {
  expect(genesis()).toEqual(genesis());
  expect(codecOf({ ...spec, seed: 2 }).genesis?.()).not.toEqual(genesis());
  const matrices = table.tensors.filter(({ shape }) => shape.length === 2);
  expect(genesis().length).toBe(4 * matrices.reduce((sum, { shape }) => sum + shape[0] + shape[1], 0));
  const first = genesis().subarray(0, 60);
  expect(first.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 6);
});

test("bytes: r columns of one side, then of the other; vectors whole", () => {
  const bytes = (round: number) => codecOf(spec).at(round, genesis()).encode(new Float32Array(table.length)).length;
  const sides = [1, 0].map((side) =>
    table.tensors.reduce((sum, { shape, length }) => sum + (shape.length === 2 ? 4 * shape[side] : length), 0),
  );
  expect([bytes(0), bytes(1), bytes(2)]).toEqual([4 * sides[0], 4 * sides[1], 4 * sides[0]]);
  expect(codecOf(spec).bodyBytesMax).toBe(4 * Math.max(...sides));
  const narrow = specOf(16, { dModel: 8 }); // fewer than 32 rows or columns: sent as they are
  expect(codecOf(narrow).bodyBytesMax).toBe(4 * parameterTable(narrow.model).length);
});

/** Rounds of one peer whose pseudo-gradient is always the same. @returns what was decoded in each, and the codec's state */
function rounds(count: number, values: Float32Array, seed = 1): Float32Array[] {
  const shared = codecOf({ ...spec, seed }).genesis?.() as Float32Array;
  return Array.from({ length: count }, (_, round) => {
    const codec = codecOf({ ...spec, seed }).at(round, shared);
    const decoded = decodedFrom(codec.read(codec.encode(values)) as Decoded, table.length);
    codec.advance?.(decoded);
    return decoded;
  });
}

const squares = (values: Float32Array) => values.reduce((sum, value) => sum + value * value, 0);
const apart = (a: Float32Array, b: Float32Array) => squares(a.map((value, i) => value - b[i])) / squares(b);

/** Each matrix of rank 4, and a little noise. */
function planted(noisy: number): Float32Array {
  const values = normal(5, table.length).map((value) => noisy * value);
  for (const [t, { shape, offset }] of table.tensors.entries())
    for (let k = 0; k < 4; k++) {
      const [left, right] = [normal(10 * t + k + 1, shape[0]), normal(1000 + 10 * t + k, shape[1] ?? 1)];
      for (let i = 0; i < shape[0]; i++)
        for (let j = 0; j < (shape[1] ?? 1); j++) values[offset + i * (shape[1] ?? 1) + j] += left[i] * right[j];
    }
  return values;
}

test("half a power iteration a round: what is of rank r is decoded whole after two, and the r largest directions of anything soon", () => {
  const exact = planted(0);
  const decoded = rounds(3, exact);
  expect(apart(decoded[0], exact)).toBeGreaterThan(0.3);
  expect(apart(decoded[2], exact)).toBeLessThan(1e-9);
  const noisy = planted(0.3);
  expect(apart(rounds(12, noisy)[11], noisy)).toBeLessThan(0.3 ** 2 / 4); // a variance of 4.09, of which at most 0.09 is not of rank 4
});

test("it is linear: the mean of what peers send is what the mean of their pseudo-gradients would send", () => {
  const [a, b] = [normal(1, table.length), normal(2, table.length)];
  const read = (round: number, values: Float32Array) => {
    const codec = codecOf(spec).at(round, genesis());
    return decodedFrom(codec.read(codec.encode(values)) as Decoded, table.length);
  };
  for (const round of [0, 1]) {
    const [ofA, ofB] = [read(round, a), read(round, b)];
    const both = read(
      round,
      a.map((value, i) => (value + b[i]) / 2),
    );
    expect(
      apart(
        ofA.map((value, i) => (value + ofB[i]) / 2),
        both,
      ),
    ).toBeLessThan(1e-10);
  }
});

test("with error feedback a constant pseudo-gradient of full rank arrives whole", () => {
  const work = normal(4, table.length);
  const anchor = new Float32Array(table.length);
  const replica = new Replica(anchor, 1);
  const shared = genesis();
  const sum = new Float32Array(table.length);
  const COUNT = 200;
  for (let round = 0; round < COUNT; round++) {
    const codec = codecOf(spec).at(round, shared);
    const local = work.map((value) => -value);
    const sent = codec.read(codec.encode(replica.toEncode(local))) as Decoded;
    sent.addTo(sum, 1 / COUNT, 0, sum.length);
    codec.advance?.(decodedFrom(sent, table.length));
    replica.offered(local);
    replica.sealed(anchor, true, sent);
  }
  expect(apart(sum, work)).toBeLessThan(0.01);
});

describe("in the fold", () => {
  const run = specOf(2);
  const { length } = parameterTable(run.model);
  const commit = (round: number, shared: Float32Array | undefined, tamper?: (bytes: Uint8Array) => void) =>
    commitOf(
      round,
      [1, 2].map((n) => ({ peer: peerOf(n), tokens: 1280, delta: noise(10 * round + n, length, 0.01) })),
      tamper,
      run,
      shared,
    );

  test("the golden fold: four rounds, the directions move by turns, and the hash has them", () => {
    const state = genesisState(run);
    const hashes = [anchorHashOf(state)];
    for (let round = 0; round < 4; round++) {
      const given = commit(round, state.codec);
      hashes.push(foldCommit(state, run, given.commit, given.blob).anchorHash);
    }
    expect(hashes).toEqual([
      "2bac8ded39d7edc8469bd28cf7ab8ff1957c448860d40560571c92472b209811",
      "b61f6c742753d2ce19b5c8cae997d7f8418682d4c98bb8355741b494d0d79588",
      "2b7628ce85d47dc66a7f66b8d69b36df20a875d1a3f2262d4cbab7d9029849d3",
      "79a84ca7b839e462feb5adfd7e843613a3060a95fd7c67bad88859535c771614",
      "0254ea13a7b75a2c67812728ea4c0780ebc6dfb53d73c85c9f2c34b37f02dfcb",
    ]);
    const { codec: _, ...without } = state;
    expect(anchorHashOf(without)).not.toBe(hashes[4]);
  });

  test("a checkpoint brings the directions along; another run's do not fit", () => {
    const state = genesisState(run);
    const given = commit(0, state.codec);
    foldCommit(state, run, given.commit, given.blob);
    const blobs = sectionsOf(state).map(({ name, values }) => encodeCheckpointSection(name, 1, values));
    expect(stateFrom(run, 1, blobs)).toEqual(state);
    expect(stateFrom(specOf(1), 1, blobs)).toMatch(/^codec has \d+ floats, not \d+$/);
    expect(stateFrom(tinySpec(), 1, blobs)).toBe("this run has no codec, or it is there twice");
    expect(stateFrom(run, 1, blobs.slice(1))).toBe("codec is missing");
  });

  test("a commit of which nothing counts moves no direction", () => {
    const state = genesisState(run);
    const given = commit(0, state.codec, (bytes) => new DataView(bytes.buffer).setFloat32(56, Number.NaN, true));
    expect(foldCommit(state, run, given.commit, given.blob).refused).toHaveLength(2);
    expect(state.codec).toEqual(genesisState(run).codec);
  });

  test("numbers as large as they get: what may overflow has weight 0, and the state stays finite", () => {
    const codec = codecOf(run).at(0, genesisState(run).codec);
    expect(() => codec.encode(noise(1, length, 3e38))).toThrow(/norm is .* diverged/);
    expect(
      codec.read(raw(codec.bodyBytesMax / 4, "f32").encode(new Float32Array(codec.bodyBytesMax / 4).fill(1e37))),
    ).toMatch(/^a norm of/);
    const state = genesisState(run);
    const given = commitOf(
      0,
      [{ peer: peerOf(1), tokens: 1280, delta: noise(1, length, 1e35) }],
      undefined,
      run,
      state.codec,
    );
    expect(foldCommit(state, run, given.commit, given.blob).refused).toEqual([]);
    expect(state.codec?.every(Number.isFinite)).toBe(true);
  });
});
