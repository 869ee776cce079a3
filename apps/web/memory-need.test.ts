import { expect, test } from "vitest";
import { attemptsOf, markedAttemptsOf, memoryNeed } from "./memory-need.ts";
import { spec } from "./views/fixtures.ts";
import { runSizes } from "./watch/run-sizes.ts";

const MIB = 2 ** 20;
const limits = {
  maxBufferSize: 256 * MIB,
  maxStorageBufferBindingSize: 128 * MIB,
  maxComputeWorkgroupsPerDimension: 65_535,
};

test("an engine is tried with all sequences at once, then with fewer, then with activations computed again, moments in 8 bits, and those on disk", () => {
  const given = { ...spec, inner: { ...spec.inner, windowsPerStep: 6 }, model: { ...spec.model, layers: 4 } };
  const least = { microbatch: 1, recomputedLayers: 3 };
  const last = [least, { ...least, moments: "8bit" }, { ...least, moments: "8bit", cold: true }];
  const kept = [6, 3, 2, 1].map((microbatch) => ({ microbatch, recomputedLayers: 0 }));
  expect(attemptsOf(given, 6)).toEqual([...kept, ...last]);
  expect(attemptsOf(given, 2)).toEqual([...kept.slice(2), ...last]);
  expect(attemptsOf({ ...given, model: { ...given.model, layers: 1 } }, 1)).toEqual([
    kept[3],
    { ...kept[3], moments: "8bit" },
    { ...kept[3], moments: "8bit", cold: true },
  ]);
});

test("the device keeps the mark where it has room, before activations are computed again; another engine does as the one before", () => {
  const given = { ...spec, inner: { ...spec.inner, windowsPerStep: 2 }, model: { ...spec.model, layers: 4 } };
  const attempts = attemptsOf(given, 2);
  const marked = attempts.map((attempt) => ({ ...attempt, keepsMark: true }));
  expect(markedAttemptsOf(given, 2, undefined)).toEqual([...marked.slice(0, 2), ...attempts]);
  expect(markedAttemptsOf(given, 2, true)).toEqual(marked);
  expect(markedAttemptsOf(given, 2, false)).toEqual(attempts);
});

test("the need is told from the most to the least, within the adapter's limits", () => {
  const need = memoryNeed(spec, limits, true);
  expect(need.problem).toBeNull();
  expect(need.leastBytes).toBeLessThan(need.mostBytes);
  expect(memoryNeed(spec, limits, false).leastBytes).toBeGreaterThan(need.leastBytes); // no place for moments there
  const tight = memoryNeed(spec, { ...limits, maxStorageBufferBindingSize: 2 * MIB }, true);
  expect(tight.problem).toBeNull();
  expect(tight.mostBytes).toBeLessThan(need.mostBytes); // fewer sequences at once
});

test("a model that the adapter cannot hold alone is shared among the fewest that can, and a part of it is what is told", () => {
  const embedding = 4 * spec.model.vocabSize * spec.model.dModel;
  const gradient = 4 * runSizes(spec).parameters;
  const need = memoryNeed(spec, { ...limits, maxBufferSize: Math.ceil((embedding + 2 * gradient) / 3) }, true);
  expect(need).toMatchObject({ ranks: 2, problem: null });
  expect(need.mostBytes).toBeLessThan(memoryNeed(spec, limits, true).mostBytes);
});

test("a model that the adapter cannot hold is a problem with its numbers", () => {
  const { problem } = memoryNeed(spec, { ...limits, maxBufferSize: MIB }, true);
  expect(problem?.code).toBe("model-too-large");
  expect(problem?.message).toMatch(/at most about [\d,]+ parameters here/);
});
