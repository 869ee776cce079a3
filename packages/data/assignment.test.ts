import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { windowIndex, windowStart, windowsPerEpoch, windowsPerRound } from "./assignment.ts";
import { evaluationSet, evaluationStarts } from "./evaluation.ts";
import { hash32, permuted } from "./permutation.ts";
import { microbatchIds, TokenSource } from "./token-source.ts";

const key = fc.nat(0xffff_ffff);
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

describe("permutation", () => {
  test("is a bijection of every size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), key, (size, k) => {
        const images = range(size).map((i) => permuted(i, size, k));
        expect(images.toSorted((a, b) => a - b)).toEqual(range(size));
      }),
    );
  });

  test("stays inside of large sizes, and neighbours do not collide", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 2 ** 32 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        key,
        (size, at, k) => {
          const index = Math.min(size - 2, Math.floor(at * size));
          const [a, b] = [permuted(index, size, k), permuted(index + 1, size, k)];
          expect(a).not.toBe(b);
          expect(Math.max(a, b)).toBeLessThan(size);
          expect(Math.min(a, b)).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });

  test("hashes as MurmurHash3 does", () => {
    expect([hash32(), hash32(0x6161_6161)]).toEqual([0xebb6_c228, 0x5a97_808a]); // of "" and "aaaa", seed 9747b28c
  });

  // Pinned: a run that replays its log, or a peer with another build, must read the same windows.
  test("golden values", () => {
    expect(range(8).map((i) => permuted(i, 8, 42))).toEqual([3, 7, 1, 0, 4, 6, 5, 2]);
    expect([0, 1, 999_999].map((i) => permuted(i, 1_000_000, 42))).toEqual([91335, 227590, 187293]);
    expect(permuted(2 ** 32 - 1, 2 ** 32, 42)).toBe(3224041892);
  });

  test("every place is about as likely as any other", () => {
    const [size, keys] = [10, 4000];
    const counts = range(size).map(() => new Array<number>(size).fill(0));
    for (const k of range(keys)) for (const i of range(size)) counts[i][permuted(i, size, k)] += 1;
    // 400 expected, standard deviation 19: six of them is a bias, not chance
    for (const count of counts.flat()) expect(Math.abs(count - keys / size)).toBeLessThan(114);
  });

  test("an index outside is refused", () => {
    expect(() => permuted(5, 5, 0)).toThrow("index 5 of 5");
    expect(() => permuted(0, 2 ** 33, 0)).toThrow("2^32");
  });
});

const anyPlan = fc
  .record({
    seed: key,
    contextLength: fc.integer({ min: 1, max: 9 }),
    factor: fc.integer({ min: 2, max: 60 }),
    rest: fc.nat(8),
  })
  .map(({ seed, contextLength: T, factor, rest }) => ({
    seed,
    contextLength: T,
    trainTokens: factor * T + (rest % T),
  }));

describe("assignment", () => {
  test("an epoch reads every window once, inside of the text, at one offset", () => {
    fc.assert(
      fc.property(anyPlan, fc.nat(1000), (plan, epoch) => {
        const { contextLength: T, trainTokens } = plan;
        const windows = windowsPerEpoch(plan);
        const starts = range(windows).map((i) => windowStart(plan, epoch * windows + i));
        const sorted = starts.toSorted((a, b) => a - b);
        expect(sorted[0]).toBeLessThan(T);
        expect(sorted).toEqual(range(windows).map((i) => sorted[0] + i * T));
        expect(sorted[windows - 1] + T + 1).toBeLessThanOrEqual(trainTokens);
      }),
    );
  });

  test("epochs differ in order and offset, seeds too", () => {
    const plan = { seed: 5, trainTokens: 64 * 1001, contextLength: 64 };
    const epoch = (e: number, seed = 5) => range(1000).map((i) => windowStart({ ...plan, seed }, e * 1000 + i));
    expect(new Set(range(20).map((e) => epoch(e)[0] % 64)).size).toBeGreaterThan(10);
    expect(epoch(0)).not.toEqual(epoch(1));
    expect(epoch(0)).not.toEqual(epoch(0, 6));
    expect(epoch(1)).toEqual(epoch(1));
  });

  test("rounds of any roster hand out each index once, without a gap", () => {
    const anyRound = fc.record({
      rosterSize: fc.integer({ min: 1, max: 5 }),
      windowsPerStep: fc.integer({ min: 1, max: 4 }),
      steps: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(anyRound, { minLength: 1, maxLength: 4 }), (rounds) => {
        let cursor = 0;
        const given: number[] = [];
        for (const { steps, ...round } of rounds) {
          for (const position of range(round.rosterSize))
            for (const step of range(steps))
              for (const sequence of range(round.windowsPerStep))
                given.push(windowIndex({ ...round, cursor, position }, step, sequence));
          cursor += windowsPerRound({ ...round, steps });
        }
        expect(given.toSorted((a, b) => a - b)).toEqual(range(cursor));
      }),
    );
  });

  test("a place outside of the round, or a text without a window, is refused", () => {
    const place = { cursor: 0, rosterSize: 2, position: 1, windowsPerStep: 4 };
    expect(() => windowIndex({ ...place, position: 2 }, 0, 0)).toThrow("position 2 of 2");
    expect(() => windowIndex(place, 0, 4)).toThrow("sequence 4 of 4");
    expect(() => windowsPerEpoch({ seed: 0, trainTokens: 15, contextLength: 8 })).toThrow("give at least 16 tokens");
  });
});

describe("mixing a few shards at a time", () => {
  const anyMixed = fc.record({
    seed: key,
    contextLength: fc.integer({ min: 1, max: 9 }),
    trainTokens: fc.integer({ min: 20, max: 2000 }),
    mixing: fc.record({ shardTokens: fc.integer({ min: 1, max: 300 }), shards: fc.integer({ min: 2, max: 6 }) }),
  });

  test("an epoch reads every window once", () => {
    fc.assert(
      fc.property(anyMixed, fc.nat(100), (plan, epoch) => {
        const { contextLength: T } = plan;
        const windows = windowsPerEpoch(plan);
        const sorted = range(windows)
          .map((i) => windowStart(plan, epoch * windows + i))
          .toSorted((a, b) => a - b);
        expect(sorted).toEqual(range(windows).map((i) => sorted[0] + i * T));
        expect(sorted[windows - 1] + T + 1).toBeLessThanOrEqual(plan.trainTokens);
      }),
    );
  });

  test("windows that follow one another lie in few shards, and those are from all over the text", () => {
    const plan = { seed: 3, contextLength: 64, trainTokens: 200 * 4096, mixing: { shardTokens: 4096, shards: 8 } };
    const windows = windowsPerEpoch(plan);
    const group = 8 * 64;
    const shardsOf = (from: number, count: number) =>
      new Set(range(count).map((i) => Math.floor(windowStart(plan, from + i) / 4096)));
    for (let from = 0; from + group <= windows; from += group)
      expect(shardsOf(from, group).size).toBeLessThanOrEqual(16);
    const first = [...shardsOf(0, group)];
    expect(Math.max(...first) - Math.min(...first)).toBeGreaterThan(60);
    expect(shardsOf(0, windows).size).toBe(200);
    expect(shardsOf(0, 60).size).toBeGreaterThan(7); // from the beginning
    // Pinned, as the order of everybody.
    expect(range(5).map((i) => windowStart(plan, i))).toMatchInlineSnapshot(`
      [
        743534,
        371182,
        801326,
        744942,
        372014,
      ]
    `);
    expect(windowStart(plan, windows - 1)).toMatchInlineSnapshot(`819054`);
  });
});

describe("TokenSource", () => {
  test("reads across shards as from one row", () => {
    const anyShards = fc.array(fc.uint16Array({ maxLength: 12 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(anyShards, fc.nat(100), fc.nat(100), (shards, a, b) => {
        const row = shards.flatMap((shard) => [...shard]);
        const [start, end] = [a % (row.length + 1), b % (row.length + 1)].toSorted((x, y) => x - y);
        expect([...new TokenSource(shards).windowAt(start, end - start)]).toEqual(row.slice(start, end));
      }),
    );
  });

  test("refuses what is not there", () => {
    const source = new TokenSource([Uint16Array.of(1, 2), Uint16Array.of(3)]);
    expect(() => source.windowAt(1, 3)).toThrow("tokens 1 to 4: there are 3");
    expect(() => source.windowAt(-1, 1)).toThrow(RangeError);
  });

  test("a microbatch is its sequences' windows, row by row", () => {
    const row = Uint16Array.from(range(100));
    const source = new TokenSource([row.subarray(0, 37), row.subarray(37)]);
    const plan = { seed: 9, trainTokens: 100, contextLength: 8 };
    const place = { cursor: 3, rosterSize: 2, position: 1, windowsPerStep: 4 };
    const ids = microbatchIds(source, plan, place, { innerStep: 2, firstSequence: 1, count: 2 });
    const start = (sequence: number) => windowStart(plan, 3 + (2 * 2 + 1) * 4 + sequence);
    expect([...ids]).toEqual([...row.subarray(start(1), start(1) + 9), ...row.subarray(start(2), start(2) + 9)]);
  });
});

describe("evaluation set", () => {
  test("windows are evenly spaced, do not overlap but for the shared id, and stay inside", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 3000 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 80 }),
        (tokens, T, n) => {
          fc.pre(tokens > T);
          const starts = evaluationStarts(tokens, T, n);
          expect(starts.length).toBe(Math.min(n, Math.floor((tokens - 1) / T)));
          expect(starts[0]).toBe(0);
          expect(starts.at(-1)! + T + 1).toBeLessThanOrEqual(tokens);
          const gaps = starts.slice(1).map((start, i) => start - starts[i]);
          for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(T);
          if (gaps.length > 0) expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test("its hash names shards, context length and windows", () => {
    const source = new TokenSource([Uint16Array.from(range(50))]);
    const size = { contextLength: 8, windows: 3 };
    const { windows, setHash } = evaluationSet(source, ["aa"], size);
    expect(windows.map((window) => [window[0], window.length])).toEqual([
      [0, 9],
      [20, 9],
      [41, 9],
    ]);
    expect(setHash).toBe("6d4961da5722391567dbcfe7e532f34ec2e3043bedb1b56aace44fc81f1c14f2");
    expect(evaluationSet(source, ["bb"], size).setHash).not.toBe(setHash);
    expect(evaluationSet(source, ["aa"], { ...size, windows: 2 }).setHash).not.toBe(setHash);
    expect(evaluationSet(source, ["aa"], { ...size, contextLength: 9 }).setHash).not.toBe(setHash);
  });

  test("a text without a window is refused", () => {
    expect(() => evaluationStarts(8, 8, 1)).toThrow("larger evaluationPart");
  });
});
