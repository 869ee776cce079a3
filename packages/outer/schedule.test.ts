import fc from "fast-check";
import { expect, test } from "vitest";
import { learningRateAt, stepsAt } from "./index.ts";
import { tinySpec } from "./test-given.ts";

const base = tinySpec();
const spec = {
  model: { ...base.model, contextLength: 10 },
  inner: {
    ...base.inner,
    windowsPerStep: 10,
    learningRate: 0.01,
    learningRateMin: 0.001,
    warmupTokens: 1000,
    decayTokens: 4000,
  },
  end: { tokensMax: 10_000 },
}; // 100 tokens a step and peer

test.each([
  ["the first step warms up, above 0", 0, 0, 1, 0.001],
  ["two peers warm up twice as fast", 0, 0, 2, 0.002],
  ["half-way up", 300, 1, 1, 0.005],
  ["the end of the warm-up", 900, 0, 1, 0.01],
  ["stable", 5000, 3, 1, 0.01],
  ["the decay begins", 6000, 0, 1, 0.01],
  ["half-way down", 7000, 10, 1, 0.0055],
  ["the end", 10_000, 0, 1, 0.001],
  ["past the end", 12_000, 5, 3, 0.001],
])("%s", (_, tokensBefore, step, roster, rate) => {
  expect(learningRateAt(spec, tokensBefore, step, roster)).toBeCloseTo(rate, 12);
});

test("no warm-up, no decay, no end: constant", () => {
  const inner = { ...spec.inner, warmupTokens: 0 };
  expect(learningRateAt({ ...spec, inner, end: {} }, 1e9, 7, 3)).toBe(0.01);
  expect(learningRateAt({ ...spec, inner: { ...inner, decayTokens: 0 } }, 10_000, 7, 3)).toBe(0.01);
});

test("always above 0 and never above the peak; rises, then never rises again", () => {
  fc.assert(
    fc.property(fc.nat(20_000), fc.nat(50), fc.integer({ min: 1, max: 40 }), (tokens, step, roster) => {
      const rate = learningRateAt(spec, tokens, step, roster);
      expect(rate).toBeGreaterThan(0);
      expect(rate).toBeLessThanOrEqual(0.01);
      const next = learningRateAt(spec, tokens, step + 1, roster);
      if (tokens < 800 && step === 0 && roster === 1) expect(next).toBeGreaterThan(rate);
      if (tokens > 1000) expect(next).toBeLessThanOrEqual(rate);
    }),
  );
});

test("rounds have one length, and with growth as many steps as the square of growth over the rate: at most what is left of the run", () => {
  expect(stepsAt(spec, undefined)).toBe(spec.inner.steps);
  const grown = { ...spec, inner: { ...spec.inner, steps: 4, growth: 0.02 } }; // (0.02 / 0.01)² = 4 at the peak
  const at = (tokensBefore: number, rosterSize = 1): number => stepsAt(grown, { tokensBefore, rosterSize });
  expect(at(0)).toBe(4); // the warm-up's rate is lower still
  expect(at(5_000)).toBe(4);
  expect(at(8_000)).toBe(13); // (0.02 / 0.0055)² = 13.2
  expect(at(9_200)).toBe(8); // 51 by the rule
  expect(at(9_200, 2)).toBe(4);
  expect(at(10_000)).toBe(1);
  expect(stepsAt({ ...grown, end: {} }, { tokensBefore: 1e9, rosterSize: 1 })).toBe(4); // no end, no decay
});

test("rounds grow rare towards the end, and their steps are those of a run whose rounds have one length", () => {
  const grown = { ...spec, inner: { ...spec.inner, steps: 2, growth: 0.015 } };
  const lengths: number[] = [];
  for (let tokens = 0; tokens < 10_000; tokens += 100 * lengths.at(-1)!)
    lengths.push(stepsAt(grown, { tokensBefore: tokens, rosterSize: 1 }));
  expect(lengths.reduce((sum, steps) => sum + steps, 0)).toBe(100);
  expect(lengths.length).toBeLessThan(45); // of 50
  expect(lengths.slice(0, 20).every((steps) => steps === 2)).toBe(true);
  expect(Math.max(...lengths)).toBeGreaterThan(8);
});

test("with late exchanges as many as without, most of them in the last tenth", () => {
  const concentrated = { ...spec, inner: { ...spec.inner, steps: 5, lateExchanges: 0.9 } };
  const starts: number[] = [];
  let tokens = 0;
  while (tokens < 10_000) {
    starts.push(tokens);
    tokens += 100 * stepsAt(concentrated, { tokensBefore: tokens, rosterSize: 1 });
  }
  expect(tokens).toBe(10_000);
  expect(starts.filter((start) => start < 9_000)).toEqual([0, 4_500]); // of 20 in all
  expect(starts.length).toBe(12); // a round of half a step is one of a whole one
});
