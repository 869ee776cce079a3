import { expect, test } from "vitest";
import { runSizes } from "../watch/run-sizes.ts";
import { donationCost, roundMsOf } from "./estimate.ts";
import { spec } from "./fixtures.ts";

const sizes = runSizes(spec);
const { updateBytes: update } = sizes;

test("alone: the update goes to the host, nothing comes from peers", () => {
  const cost = donationCost(spec, sizes, 0, 60_000);
  expect(cost.perHour).toEqual({ sent: update * 60, received: 0, roundMs: 60_000 });
});

test("with others: one update each way per other peer, and the host's copy", () => {
  const cost = donationCost(spec, sizes, 3, null);
  expect([cost.sentPerRound, cost.receivedPerRound, cost.perHour]).toEqual([4 * update, 3 * update, null]);
});

test("a commit names at most maxContributors, however many are here", () => {
  expect(donationCost(spec, sizes, 500, null).receivedPerRound).toBe(31 * update);
});

test("in pairs the partner's update alone comes", () => {
  const pairs = { ...spec, rounds: { ...spec.rounds, topology: "pairs" as const } };
  const cost = donationCost(pairs, sizes, 7, null);
  expect([cost.sentPerRound, cost.receivedPerRound]).toEqual([2 * update, update]);
});

test("with adapters beside a base: that is fetched once, and updates and checkpoints are of the adapters", () => {
  const base = {
    source: "a test",
    licence: "CC0-1.0",
    hash: "ab".repeat(32),
    blobs: [{ hash: "cd".repeat(32), bytes: 5_000_000 }],
  };
  const adapting = { ...spec, version: 5 as const, base, lora: { rank: 2, alpha: 2, targets: ["q" as const] } };
  const small = runSizes(adapting);
  expect(small.parameters).toBe(sizes.parameters);
  expect(small.updateBytes).toBeLessThan(update / 10);
  const more = donationCost(adapting, small, 0, null).onceBytes - donationCost(spec, sizes, 0, null).onceBytes;
  expect(more).toBe(5_000_000 - 8 * (sizes.shared - small.shared));
});

test("a round's time is the median: one night at rest does not count", () => {
  const times = [0, 30, 61, 90, 30_000, 30_030].map((seconds) => seconds * 1000);
  const points = times.map((time, round) => ({ round, tokens: round, time, value: 1 }));
  expect(roundMsOf(points)).toBe(30_000);
  expect(roundMsOf(points.slice(0, 1))).toBeNull();
});
