import { describe, expect, test } from "vitest";
import { genesisState, type Method, methods } from "#outer";
import { trainSharedAnchor } from "./shared-anchor.ts";
import { arithmeticCourse, arithmeticTrainers, setting } from "./test-given.ts";

const methodOf = (name: string): Method => methods.find((method) => method.name === name)!;
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
    expect(points.at(-1)!.loss).toBeCloseTo(before - 10 * 8 - 1, 3); // a step takes 1 off the mean value, the first one 2
  });

  test("the exchange is waited for, or takes place beside the training", async () => {
    const wide = { ...setting, link: { mbit: 0.2, delayMs: 20 } }; // an exchange takes 0.7 of a round's training
    const blocking = await trainSharedAnchor(arithmeticCourse(methodOf("diloco")), wide, arithmeticTrainers(4));
    const beside = await trainSharedAnchor(arithmeticCourse(methodOf("one-step-delay")), wide, arithmeticTrainers(4));
    expect(beside.points.at(-1)!.bytes).toBe(blocking.points.at(-1)!.bytes);
    expect(beside.utilization).toBe(1);
    expect(beside.points.at(-1)!.seconds).toBeCloseTo(8, 6);
    expect(blocking.utilization).toBeLessThan(0.7);
    expect(blocking.points.at(-1)!.seconds * blocking.utilization).toBeCloseTo(8, 6);
  });

  test("an exchange that is longer than a round's training holds the next one up", async () => {
    const narrow = { ...setting, link: { mbit: 0.06, delayMs: 20 } };
    const { utilization } = await trainSharedAnchor(
      arithmeticCourse(methodOf("one-step-delay")),
      narrow,
      arithmeticTrainers(4),
    );
    expect(utilization).toBeGreaterThan(0.4);
    expect(utilization).toBeLessThan(0.6);
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

/** Ten rounds of four peers that count: the same bits on every machine. A change here is another method for runs that are under way. */
const golden: Readonly<Record<string, string>> = {
  ddp: "876f52d5a24ec0302ce5e092a0738d6a55f8301748b61d769ee80c89cd3cd244",
  fedavg: "c85f1c572587f3070f52eef8b14df437cede280f57b29f87f644b38f525f746a",
  "local-adamw": "b6363cf4435851d44ed8f6b4d48dfacf68bc23a57fa584a11090fe7b4c96bab1",
  diloco: "64261257bf3b3d3f760e6b1c8043085a9a59279d654c6e4bd8577a2dc29bf448",
  "one-step-delay": "64261257bf3b3d3f760e6b1c8043085a9a59279d654c6e4bd8577a2dc29bf448", // the same: these steps do not depend on where they start
  sparseloco: "fff27ff0b04537b6743a9fa2a7ecc0eee4c02ecfe918f2019db97d9b316d90dc",
  fedadagrad: "f8f2bc692e208cfc19d78fbce9b6c76174d33143d59105086eeade686bda0654",
  fedadam: "12d03d1bf36d2d5ef1d917fa584b1a56db2f937594549f08fc67d889def9b30f",
  fedyogi: "9832e1bbace217ca9316b05bbf9f0a299c6db2bb6eac3d37c587fe28e9fb6556",
};

describe("golden trajectories", () => {
  test.each(methods.filter(({ parity }) => parity === "full"))("$name", async (method) => {
    const { anchorHash } = await trainSharedAnchor(arithmeticCourse(method), setting, arithmeticTrainers(4));
    expect(anchorHash).toBe(golden[method.name]);
  });
});
