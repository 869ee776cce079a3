// Among how many members a model fits, as its islands share it.
import { expect, test } from "vitest";
import { presets } from "#wire";
import { MIB } from "../device/memory.ts";
import { planModel } from "../model/planner.ts";
import { fewestRanks, planIsland } from "./planner.ts";

/** As e2e/island.spec.ts trains it over four tabs. */
const long = { ...presets.nano.model, heads: 8, kvHeads: 2, contextLength: 256 };
const memoryBytes = 1.83 * MIB;

test("four members hold a context four times as long as one can alone, whatever that one does", () => {
  const alone = (contextLength: number) => {
    const thrifty = { recomputedLayers: long.layers - 1, moments: "8bit" } as const;
    return planModel({ model: { ...long, contextLength }, microbatch: 1, memoryBytes, ...thrifty }).problem;
  };
  expect(alone(64)).toBeUndefined();
  expect(alone(68)).toMatch(/may use 2 MiB/);
  expect(fewestRanks({ model: long, microbatch: 1, memoryBytes })).toBe(4);
});

test("where positions are shared, members are as many as can have two equal chunks of them", () => {
  const of = (contextLength: number, ranks: number) =>
    planIsland({ model: { ...long, contextLength }, microbatch: 1, ranks, recomputedLayers: 1 }).totalBytes;
  const fewest = (contextLength: number, memoryBytes: number) =>
    fewestRanks({ model: { ...long, contextLength }, microbatch: 1, memoryBytes });
  expect(fewest(252, of(252, 3))).toBe(3);
  expect(fewest(252, of(252, 3) - 1)).toBeUndefined(); // eight do not divide it
  expect(fewest(256, of(256, 2) - 1)).toBe(4); //         nor six this
});
