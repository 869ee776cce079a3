import fc from "fast-check";
import { expect, test } from "vitest";
import { combineWeights, median } from "./index.ts";
import { peerOf } from "./test-given.ts";

const rules = { assignmentTokens: 1000, clipToMedianNorm: true };
const weights = (given: [tokens: number, norm: number][], changed: Partial<typeof rules> = {}) => [
  ...combineWeights(
    given.map(([tokens, norm], i) => ({ peer: peerOf(i), tokens, norm })),
    { ...rules, ...changed },
  ).values(),
];

test("weights are shares of the tokens", () => {
  expect(
    weights([
      [300, 1],
      [100, 1],
    ]),
  ).toEqual([0.75, 0.25]);
  expect(weights([[77, 3]])).toEqual([1]);
});

test("claimed tokens count up to the assignment, and up to twice the round's median", () => {
  expect(
    weights([
      [1000, 1],
      [4_000_000_000, 1],
    ]),
  ).toEqual([0.5, 0.5]);
  expect(
    weights([
      [100, 1],
      [100, 1],
      [900, 1],
    ]),
  ).toEqual([0.25, 0.25, 0.5]);
});

test("a norm above the round's median is clipped to it, when the spec says so", () => {
  expect(
    weights([
      [100, 1],
      [100, 1],
      [100, 1e30],
    ]),
  ).toEqual([1 / 3, 1 / 3, 1e-30 / 3].map(Math.fround));
  expect(
    weights(
      [
        [100, 1],
        [100, 1],
        [200, 8],
      ],
      { clipToMedianNorm: false },
    ),
  ).toEqual([0.25, 0.25, 0.5]);
});

test("norms of 0 divide nothing by 0", () => {
  expect(
    weights([
      [100, 0],
      [100, 0],
    ]),
  ).toEqual([0.5, 0.5]);
  expect(
    weights([
      [100, 0],
      [100, 0],
      [100, 2],
    ]),
  ).toEqual([1 / 3, 1 / 3, 0].map(Math.fround));
});

test("the order of the contributions changes nothing; the sum is over peers in byte order", () => {
  const contribution = fc.record({
    tokens: fc.integer({ min: 1, max: 5000 }),
    norm: fc.double({ min: 0, max: 1e9, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(contribution, { minLength: 1, maxLength: 32 }), fc.integer(), (given, seed) => {
      const inOrder = given.map((c, i) => ({ ...c, peer: peerOf(i) }));
      const shuffled = inOrder.map((c, i) => ({ c, key: Math.imul(i + 1, seed | 1) })).sort((a, b) => a.key - b.key);
      const expected = [...combineWeights(inOrder, rules)];
      expect([
        ...combineWeights(
          shuffled.map(({ c }) => c),
          rules,
        ),
      ]).toEqual(expected);
      expect(expected.map(([peer]) => peer)).toEqual(inOrder.map(({ peer }) => peer));
      expect(expected.reduce((sum, [, weight]) => sum + weight, 0)).toBeLessThan(1 + 1e-5);
    }),
  );
});

test("median", () => {
  expect([[], [4], [3, 1], [5, 1, 2]].map(median)).toEqual([0, 4, 2, 2]);
});
