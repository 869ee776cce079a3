// Sampling by its properties, and texts that go on: seeds repeat, the window slides, a signal stops.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { logitsOf } from "../reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { continuation, createGenerator, planGeneration } from "./index.ts";
import { candidates, checkSampling, type Sampling, sample } from "./sample.ts";

const logits = fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 60 });
const sampling: fc.Arbitrary<Sampling> = fc.record({
  temperature: fc.oneof(fc.constant(0), fc.double({ min: 0.05, max: 2, noNaN: true })),
  topK: fc.integer({ min: 0, max: 70 }),
  topP: fc.double({ min: 0.01, max: 1, noNaN: true }),
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
});
const plain: Sampling = { temperature: 1, topK: 0, topP: 1, seed: 0 };

describe("sampling", () => {
  test("at temperature 0 the likeliest, of equals the lowest id", () => {
    expect(candidates([1, 3, 3, 2], { ...plain, temperature: 0, topK: 3 })).toEqual([{ id: 1, probability: 1 }]);
    expect(candidates([1, 1], { ...plain, topK: 1 })).toEqual([{ id: 0, probability: 1 }]);
  });

  test("top-k keeps k, and none that is less likely than one that it drops", () => {
    fc.assert(
      fc.property(logits, fc.integer({ min: 1, max: 70 }), (values, topK) => {
        const kept = candidates(values, { ...plain, topK }).map(({ id }) => id);
        expect(kept).toHaveLength(Math.min(topK, values.length));
        const least = Math.min(...kept.map((id) => values[id]));
        for (const [id, value] of values.entries()) if (!kept.includes(id)) expect(value).toBeLessThanOrEqual(least);
      }),
    );
  });

  test("top-p keeps the fewest that have so much together, out of those of top-k", () => {
    fc.assert(
      fc.property(logits, sampling, (values, given) => {
        const before = candidates(values, { ...given, topP: 1 });
        const kept = candidates(values, given);
        expect(kept.map(({ id }) => id)).toEqual(before.slice(0, kept.length).map(({ id }) => id));
        const share = (count: number): number => before.slice(0, count).reduce((sum, c) => sum + c.probability, 0);
        expect(share(kept.length)).toBeGreaterThanOrEqual(given.topP - 1e-9);
        if (kept.length > 1) expect(share(kept.length - 1)).toBeLessThan(given.topP + 1e-9);
        expect(kept.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9);
      }),
    );
  });

  test("a seed and a place decide", () => {
    fc.assert(
      fc.property(logits, sampling, fc.nat(5000), (values, given, place) => {
        expect(sample(values, given, place)).toEqual(sample(values, given, place));
        expect(candidates(values, given)).toContainEqual(sample(values, given, place));
      }),
    );
  });

  test("draws come as often as they are likely", () => {
    const values = [Math.log(0.5), Math.log(0.3), Math.log(0.2)];
    const counts = [0, 0, 0];
    for (let place = 0; place < 20_000; place++) counts[sample(values, plain, place).id]++;
    for (const [id, share] of [0.5, 0.3, 0.2].entries())
      expect(Math.abs(counts[id] / 20_000 - share)).toBeLessThan(0.01);
  });

  test("what is no setting is named, and so are logits that are none", () => {
    expect(() => checkSampling({ ...plain, temperature: -1 })).toThrow(/temperature/);
    expect(() => checkSampling({ ...plain, topK: 1.5 })).toThrow(/top-k/);
    expect(() => checkSampling({ ...plain, topP: 0 })).toThrow(/top-p/);
    expect(() => checkSampling({ ...plain, seed: 2 ** 32 })).toThrow(/seed/);
    expect(() => candidates([0, Number.NaN], plain)).toThrow(/not finite/);
  });
});

describe("a text goes on", () => {
  const model = tinyModel({ contextLength: 8 });
  const flat = Float32Array.from(randomParameters(prng(41), model, 0.4));
  const prompt = randomIds(prng(42), 5, model.vocabSize);
  const text = async (
    given: Partial<Sampling>,
    tokens: number,
    signal?: AbortSignal,
    from = prompt,
  ): Promise<number[]> => {
    const generator = await createGenerator({ model, backend: "processor" });
    await generator.load(flat);
    const ids: number[] = [];
    for await (const id of continuation(generator, from, { sampling: { ...plain, ...given }, tokens, signal }))
      ids.push(id);
    return ids;
  };

  test("the same prompt and seed give the same text, another seed another one", async () => {
    expect(await text({ seed: 7 }, 40)).toEqual(await text({ seed: 7 }, 40));
    expect(await text({ seed: 8 }, 40)).not.toEqual(await text({ seed: 7 }, 40));
    expect((await text({ seed: 7 }, 40)).slice(0, 12)).toEqual(await text({ seed: 7 }, 12));
  });

  test("past the context each token sees the last half context at least", async () => {
    const found = await text({ temperature: 0 }, 20);
    const ids = Array.from(prompt);
    let seen = ids.slice();
    for (const id of found) {
      const all = logitsOf(model, flat, seen);
      expect(sample(all.subarray(all.length - model.vocabSize), { ...plain, temperature: 0 }, 0).id).toBe(id);
      ids.push(id);
      seen = seen.length < 8 ? [...seen, id] : ids.slice(-4);
    }
    expect(found).toHaveLength(20);
  });

  test("of a long prompt the last context counts", async () => {
    const long = randomIds(prng(43), 30, model.vocabSize);
    expect(await text({}, 6, undefined, long)).toEqual(await text({}, 6, undefined, long.slice(-8)));
  });

  test("a signal stops it between two tokens, and an empty prompt is refused", async () => {
    const abort = new AbortController();
    const generator = await createGenerator({ model, backend: "processor" });
    await generator.load(flat);
    const ids: number[] = [];
    for await (const id of continuation(generator, prompt, { sampling: plain, tokens: 100, signal: abort.signal }))
      if (ids.push(id) === 3) abort.abort();
    expect(ids).toHaveLength(3);
    await expect(text({}, 1, undefined, new Uint16Array())).rejects.toThrow(/at least one token/);
  });
});

test("the plan says what the cache takes: 2·L·T·KVH·headSize floats", () => {
  const model = tinyModel({ dModel: 64, heads: 4, kvHeads: 2, layers: 3, contextLength: 128 });
  expect(planGeneration(model).bytesByPart.cache).toBe(4 * 2 * 3 * 128 * 2 * 16);
});
