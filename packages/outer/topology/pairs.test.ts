import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pairOf, pairsOf } from "./pairs.ts";

const roundOf = (peers: readonly string[], round = 0) => ({ round, contributors: peers.map((peer) => ({ peer })) });
const names = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `peer ${String(i).padStart(2, "0")}`);

describe("pairs", () => {
  test("everybody has one partner and is that one's; of an odd number one is alone; the order given does not matter", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 33 }), fc.nat(), fc.nat(), (count, round, seed) => {
        const peers = names(count);
        const given = roundOf(peers, round);
        const partners = peers.map((peer) => pairOf(given, peer, seed));
        expect(partners.filter((partner) => partner === undefined)).toHaveLength(count % 2);
        for (const [i, partner] of partners.entries())
          if (partner !== undefined) expect(pairOf(given, partner, seed)).toBe(peers[i]);
        expect(pairsOf(roundOf([...peers].reverse(), round), seed)).toEqual(pairsOf(given, seed));
      }),
    );
  });

  test("who does not contribute has no partner", () => {
    expect(pairOf(roundOf(names(4)), "somebody else", 1)).toBeUndefined();
  });

  test("every pair comes up as often as the next", () => {
    const peers = names(8);
    const countByPair = new Map<string, number>();
    const rounds = 7_000;
    for (let round = 0; round < rounds; round++)
      for (const pair of pairsOf(roundOf(peers, round), 3)) {
        const name = [...pair].sort().join();
        countByPair.set(name, (countByPair.get(name) ?? 0) + 1);
      }
    expect(countByPair.size).toBe(28);
    const expected = (rounds * 4) / 28;
    for (const count of countByPair.values()) expect(Math.abs(count / expected - 1)).toBeLessThan(0.12); // four standard deviations
  });

  test("halves the disagreement each round: (n/2 − 1)/(n − 1) of the variance stays", () => {
    const peers = names(64);
    const valueBy = new Map(peers.map((peer, i) => [peer, Math.sin(1 + i * 37)]));
    const variance = (): number => {
      const values = [...valueBy.values()];
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    };
    const before = variance();
    const rounds = 8;
    for (let round = 0; round < rounds; round++)
      for (const [a, b] of pairsOf(roundOf(peers, round), 5)) {
        const mean = (valueBy.get(a)! + valueBy.get(b)!) / 2;
        valueBy.set(a, mean).set(b, mean);
      }
    const each = (variance() / before) ** (1 / rounds);
    expect(each).toBeGreaterThan(0.42);
    expect(each).toBeLessThan(0.56); // 31/63 = 0.492 on average
  });
});
