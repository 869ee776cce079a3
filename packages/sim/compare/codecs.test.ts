// Every codec in a swarm that peers leave and join: who joins by a checkpoint (with what the codec shares) folds the same anchors as those who were there.
import { expect, test } from "vitest";
import { methods } from "#outer";
import type { NamedCodecSpec } from "#wire";
import { trainSharedAnchor } from "./shared-anchor.ts";
import { arithmeticCourse, arithmeticTrainers, setting } from "./test-given.ts";

const method = methods.find(({ name }) => name === "one-step-delay")!;
const churned = { ...setting, tokens: 5 * setting.tokens, churn: 0.8 };

test.each<NamedCodecSpec>([
  { name: "f32" },
  { name: "f16" },
  { name: "dynamic8" },
  { name: "int4-block", rotated: true, entropy: "rans" },
  { name: "e3m0", rounding: "stochastic" },
  { name: "two-bit", feedback: 1 },
  { name: "sign", feedback: 1 },
  { name: "chunk-top-k", chunk: 1024, k: 32, feedback: 0.95 },
  { name: "rand-k", every: 4, feedback: 1, momentum: 0.5 },
  { name: "top-k", every: 4, feedback: 1 },
  { name: "power-sgd", rank: 2, feedback: 1 },
])("$name under churn, its commits arriving while the next round trains", async (codec) => {
  const { spec, ...course } = arithmeticCourse(method);
  const { blockSize: _, ...outer } = spec.outer;
  const given = { ...course, spec: { ...spec, outer: { ...outer, codec } } };
  const { joins, checks, diverged } = await trainSharedAnchor(given, churned, arithmeticTrainers(4));
  expect(diverged).toBe(false);
  expect(joins).toBeGreaterThan(1);
  expect(checks).toBeGreaterThan(1);
});
