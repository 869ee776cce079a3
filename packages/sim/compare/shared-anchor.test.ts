import { describe, expect, test } from "vitest";
import { genesisState, methods } from "#outer";
import { trainSharedAnchor } from "./shared-anchor.ts";
import { arithmeticCourse, arithmeticTrainers, fallingCourse, methodOf, setting } from "./test-given.ts";

/** What is sent is what comes, and the anchor is the mean of what the peers trained. */
const exact = { codec: { name: "f32" }, learningRate: 1, momentum: 0, clipToMedianNorm: false } as const;

describe("a shared anchor", () => {
  test.each(["diloco", "one-step-delay"])("%s: all that is trained is in the anchor, once", async (name) => {
    const course = arithmeticCourse(methodOf(name), exact);
    const { parameters } = genesisState(course.spec);
    const before = parameters.reduce((sum, value) => sum + value, 0) / parameters.length;
    const { points, rounds } = await trainSharedAnchor(course, setting, arithmeticTrainers(4));
    expect(rounds).toBe(10);
    expect(points.map(({ tokens }) => tokens)).toEqual([1_536, 2_560, 4_096, 5_120]); // the first round's end at or after each quarter
    expect(points.at(-1)!.loss).toBeCloseTo(before - 10 * 8 - 1, 2); // a step takes 1 off the mean value, the first one 2
  });

  test("the exchange is waited for, or takes place beside the training", async () => {
    const wide = { ...setting, link: { mbit: 0.4, delayMs: 20 } }; // an exchange takes 0.7 of a round's training
    const blocking = await trainSharedAnchor(arithmeticCourse(methodOf("diloco")), wide, arithmeticTrainers(4));
    const beside = await trainSharedAnchor(arithmeticCourse(methodOf("one-step-delay")), wide, arithmeticTrainers(4));
    expect(beside.points.at(-1)!.bytes).toBe(blocking.points.at(-1)!.bytes);
    expect(beside.utilization).toBe(1);
    expect(beside.points.at(-1)!.seconds).toBeCloseTo(8, 6);
    expect(blocking.utilization).toBeLessThan(0.7);
    expect(blocking.points.at(-1)!.seconds * blocking.utilization).toBeCloseTo(8, 6);
  });

  test("an exchange that is longer than a round's training holds the next one up", async () => {
    const narrow = { ...setting, link: { mbit: 0.12, delayMs: 20 } };
    const { utilization } = await trainSharedAnchor(
      arithmeticCourse(methodOf("one-step-delay")),
      narrow,
      arithmeticTrainers(4),
    );
    expect(utilization).toBeGreaterThan(0.4);
    expect(utilization).toBeLessThan(0.6);
  });

  test("rounds that grow take all of a run's tokens in fewer exchanges, under churn too", async () => {
    const long = { ...setting, tokens: 10 * setting.tokens };
    for (const churn of [0, 0.6]) {
      const trained = (name: string) =>
        trainSharedAnchor(fallingCourse(methodOf(name), long.tokens), { ...long, churn }, arithmeticTrainers(4));
      const [grown, even] = [await trained("qsr"), await trained("local-adamw")];
      expect(grown.points.at(-1)!.tokens).toBeGreaterThanOrEqual(long.tokens);
      expect(grown.rounds).toBeLessThan(0.7 * even.rounds);
      expect(grown.points.at(-1)!.bytes).toBeLessThan(0.7 * even.points.at(-1)!.bytes);
      expect(grown.joins > 0).toBe(churn > 0);
      expect(grown.checks).toBeGreaterThan(0);
    }
  });

  test.each(methods.filter(({ parity }) => parity === "full"))(
    "$name under churn: who joins by a checkpoint folds the same anchors",
    async (method) => {
      const course = arithmeticCourse(method);
      const churned = { ...setting, tokens: 10 * setting.tokens, churn: 0.6 };
      const { joins, leaves, checks, diverged } = await trainSharedAnchor(course, churned, arithmeticTrainers(4));
      expect(diverged).toBe(false);
      expect(joins).toBeGreaterThan(2);
      expect(leaves).toBeGreaterThanOrEqual(joins);
      expect(checks).toBeGreaterThanOrEqual(joins / 3);
    },
  );
});
