import { describe, expect, test } from "vitest";
import { trainPairs } from "./gossip.ts";
import { trainSharedAnchor } from "./shared-anchor.ts";
import { arithmeticCourse, arithmeticTrainers, fallingCourse, methodOf, setting } from "./test-given.ts";

describe("pairs", () => {
  test("at rate 1 without momentum, all that is trained is in the merged anchor", async () => {
    const exact = { codec: { name: "f32" }, learningRate: 1, momentum: 0 } as const;
    const { points, rounds, checks } = await trainPairs(
      arithmeticCourse(methodOf("noloco"), exact),
      setting,
      arithmeticTrainers(4),
    );
    expect(rounds).toBe(10);
    expect(checks).toBe(40);
    expect(points.at(-1)!.loss).toBeCloseTo(-10 * 8 - 1, 1); // a step takes 1 off the mean value, the first one 2; genesis is about 0
  });

  test("nobody waits for a third: of peers whose speed varies, pairs train more of the time than a barrier lets them", async () => {
    const varied = { ...setting, peers: 8, tokens: 10 * setting.tokens, spread: 1, link: { mbit: 1_000, delayMs: 0 } };
    const pairs = await trainPairs(arithmeticCourse(methodOf("noloco")), varied, arithmeticTrainers(8));
    const barrier = await trainSharedAnchor(arithmeticCourse(methodOf("diloco")), varied, arithmeticTrainers(8));
    expect(pairs.utilization).toBeGreaterThan(barrier.utilization + 0.02);
  });

  test("bytes do not grow with the swarm", async () => {
    const of = async (peers: number) => {
      const given = { ...setting, peers, tokens: (setting.tokens * peers) / 4 };
      return (await trainPairs(arithmeticCourse(methodOf("noloco")), given, arithmeticTrainers(peers))).points.at(-1)!;
    };
    expect((await of(12)).bytes).toBe((await of(4)).bytes);
  });

  test("exchanges that come late are as many as evenly spread ones, and all that was trained is in the last mean; under churn too they are pairs", async () => {
    const long = { ...setting, tokens: 10 * setting.tokens };
    const trained = (name: string, churn: number) =>
      trainPairs(fallingCourse(methodOf(name), long.tokens), { ...long, churn }, arithmeticTrainers(4));
    const [late, even] = [await trained("late-merge", 0), await trained("noloco", 0)];
    const [few, many] = [0.85, 1.15]; // a round of 8 ninths of a step is one of a whole one
    for (const ratio of [late.rounds / even.rounds, late.points.at(-1)!.bytes / even.points.at(-1)!.bytes]) {
      expect(ratio).toBeGreaterThan(few);
      expect(ratio).toBeLessThan(many);
    }
    expect(late.points.at(-1)!.loss).toBeCloseTo(-100 * 8 - 1, 0);
    const churned = await trained("late-merge", 0.6);
    expect(churned.diverged).toBe(false);
    expect(churned.joins).toBeGreaterThan(2);
    expect(churned.checks).toBeGreaterThan(churned.rounds); // partners that chose each other
  });

  test.each(["noloco", "variance-corrected"])(
    "%s under churn: those who come start from the merged anchor, and the odd one out goes on alone",
    async (name) => {
      const churned = { ...setting, tokens: 10 * setting.tokens, churn: 0.6 };
      const { joins, leaves, diverged } = await trainPairs(
        arithmeticCourse(methodOf(name)),
        churned,
        arithmeticTrainers(4),
      );
      expect(diverged).toBe(false);
      expect(joins).toBeGreaterThan(2);
      expect(leaves).toBeGreaterThanOrEqual(joins);
    },
  );
});
