// The device's choice against the codec's own, and what is owed against outer's rule of error feedback.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChunkTopK, parameterTable } from "#outer";
import { exactly } from "../conformance/check.ts";
import { f32, KernelRunner } from "../conformance/runner.ts";
import { selectionOf, selectionTable } from "../model/selection.ts";
import { normals, prng, tinyModel } from "../reference/testing.ts";
import { feedbackEncode, feedbackSent, feedbackShrink, feedbackWithdraw, selectTopK } from "./feedback.ts";
import { F32_DEVICES } from "./testing.ts";

const table = parameterTable(tinyModel({ dModel: 36, heads: 3, kvHeads: 1, dFfn: 100, vocabSize: 131 }));

describe.each(F32_DEVICES)("error feedback on $device", ({ defaultLimits }) => {
  let runner: KernelRunner;
  beforeAll(async () => {
    runner = await KernelRunner.open({ defaultLimits });
  });
  afterAll(() => runner.destroy());

  test.each([
    { name: "normal", k: 16, make: (x: number) => x },
    { name: "many ties and zeros", k: 16, make: (x: number) => Math.round(x) / 4 },
    { name: "few values that are not zero", k: 128, make: (x: number, i: number) => (i % 97 === 0 ? x : 0) },
    { name: "zeros", k: 1, make: () => 0 },
  ])("of each chunk the $k largest: $name", async ({ k, make }) => {
    const codec = new ChunkTopK(table, { chunk: 1024, k, feedback: 0.9 });
    const values = f32(normals(prng(k), table.length)).map(make);
    const { entries, kept } = selectionTable(codec);
    const selection = new Uint32Array(codec.chunks.length + 2 * kept);
    const shape = { chunks: codec.chunks.length, first: 0, base: 0, all: codec.chunks.length, kept };
    const made = await runner.run(selectTopK, shape, { table: entries, values, selection });
    expect(selectionOf(codec, new Uint32Array(made.selection.buffer))).toEqual(codec.select(values));
  });

  test.each([4, 252, 70_000])("what is encoded, withdrawn, sent and owed of %i floats", async (length) => {
    const random = prng(length);
    const [mark, owed, own] = [1, 2, 3].map(() => f32(normals(random, length)));
    const n = length / 4;
    const given = { mark, owed, own, diverged: new Uint32Array(1) };
    const { own: encoded, diverged } = await runner.run(feedbackEncode, { n, firstBlock: 0 }, given);
    const same = (given: Float32Array, as: Float32Array) =>
      exactly(
        feedbackEncode,
        "",
        given.map((x, i) => x - as[i]),
        0,
      ).error;
    expect(diverged[0]).toBe(0);
    expect(
      same(
        encoded,
        mark.map((x, i) => owed[i] + Math.fround(x - own[i])),
      ),
    ).toBe(0);
    const withdrawn = await runner.run(feedbackWithdraw, { n }, { mark: own, owed: encoded, own: mark });
    expect(same(withdrawn.mark, mark)).toBe(0);
    expect(same(withdrawn.own, new Float32Array(length))).toBe(0);
    expect(Math.max(...withdrawn.owed.map((x, i) => Math.abs(x - owed[i])))).toBeLessThan(2e-6); // as it was, but for rounding
    const shrunk = await runner.run(feedbackShrink, { n, beta: 0.5 }, { owed });
    expect(
      same(
        shrunk.owed,
        owed.map((x) => 0.5 * x),
      ),
    ).toBe(0);
  });

  test("a value that is not finite is found with its block", async () => {
    for (const [name, bad] of [
      ["own", Number.NaN],
      ["own", Number.POSITIVE_INFINITY],
      ["owed", 3.402e38],
    ] as const) {
      const vectors = { mark: new Float32Array(600), owed: new Float32Array(600), own: new Float32Array(600) };
      vectors[name][300] = bad;
      const shape = { n: 150, firstBlock: 4 };
      const { diverged } = await runner.run(feedbackEncode, shape, { ...vectors, diverged: new Uint32Array(1) });
      expect(new Uint32Array(diverged.buffer)[0]).toBe(4 + 1 + 1);
    }
  });

  test("what was sent is owed no more", async () => {
    const codec = new ChunkTopK(table, { chunk: 1024, k: 16, feedback: 0.9 });
    const owed = f32(normals(prng(5), table.length));
    const { entries, kept } = selectionTable(codec);
    const all = codec.chunks.length;
    const shape = { chunks: all, first: 0, base: 0, all, kept };
    const { selection } = await runner.run(selectTopK, shape, {
      ...{ table: entries, values: owed },
      selection: new Uint32Array(all + 2 * kept),
    });
    const sent = await runner.run(feedbackSent, shape, { table: entries, selection, owed });
    const chosen = new Set<number>();
    const { counts, places } = codec.select(owed);
    let n = 0;
    for (const [c, { start }] of codec.chunks.entries())
      for (const end = n + counts[c]; n < end; n++) chosen.add(start + places[n]);
    expect(sent.owed).toEqual(owed.map((value, i) => (chosen.has(i) ? 0 : value)));
  });
});
