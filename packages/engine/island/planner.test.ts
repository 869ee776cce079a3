// Among how many members a model fits, as its islands share it.
import { expect, test } from "vitest";
import { presets } from "#wire";
import { MIB } from "../device/memory.ts";
import { ModelTooLargeError } from "../errors.ts";
import { planModel } from "../model/planner.ts";
import { leadIsland } from "./leader.ts";
import { serveIsland } from "./member.ts";
import { fewestRanks, planIsland, planStage, stageLayersMax } from "./planner.ts";
import { islandPorts } from "./port.ts";

/** As e2e/island.spec.ts trains it over four tabs. */
const long = { ...presets.nano.model, heads: 8, kvHeads: 2, contextLength: 256 };
const memoryBytes = 1.83 * MIB;

test("four members hold a context four times as long as one can alone, whatever that one does within its GPU's memory", () => {
  const alone = (contextLength: number) => {
    const thrifty = { recomputedLayers: long.layers - 1, moments: "8bit" } as const;
    return planModel({ model: { ...long, contextLength }, microbatch: 1, memoryBytes, ...thrifty }).problem;
  };
  expect(alone(64)).toBeUndefined();
  expect(alone(68)).toMatch(/may use 1.83 MiB/);
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

test("stages hold as many layers as fit: fewer where more microbatches are under way, or the logits are; and no model of fewer layers than members", () => {
  const model = { ...presets.micro.model, layers: 12, vocabSize: 4096 };
  const given = { model, microbatch: 1 };
  const free = stageLayersMax(given);
  expect(free).toEqual([
    [11, 11],
    [10, 10, 10],
    [9, 9, 9, 9],
  ]);
  const { totalBytes } = planStage({ ...given, recomputedLayers: 4 }, "int8", { layers: 5, rank: 1, ranks: 4 });
  const most = stageLayersMax({ ...given, memoryBytes: totalBytes });
  expect(most[2][1]).toBe(5);
  expect(most[2][0]).toBeLessThan(most[2][1]);
  expect(most[2][3]).toBeLessThan(most[2][2]);
  for (const [i, stages] of most.entries())
    for (const [rank, layers] of stages.entries()) {
      const fits = (layers: number): boolean =>
        planStage({ ...given, memoryBytes: totalBytes }, "int8", { layers, rank, ranks: i + 2 }).problem === undefined;
      expect([fits(layers), fits(layers + 1) && layers < free[i][rank]]).toEqual([true, false]);
    }
  expect(stageLayersMax({ model: { ...model, layers: 3 }, microbatch: 1 })[2]).toEqual([0, 0, 0, 0]);
  expect(stageLayersMax({ model: { ...model, residual: "ladder" }, microbatch: 1 })[0]).toEqual([0, 0]);
});

test("a stage that does not fit its member is told on paper, before anybody has a device", async () => {
  const { model } = presets.nano;
  const plan = { kind: "pipeline", layers: [1, 1], exchange: "int8" } as const;
  const [first, second] = islandPorts(2);
  const member = serveIsland({ model, plan, memoryBytes: MIB }, second).catch(String); // in Node there is none
  await expect(leadIsland({ model, plan, microbatch: 2 }, first)).rejects.toBeInstanceOf(ModelTooLargeError);
  expect(await member).toMatch(/This island cannot hold the model. member 1: It needs [\d.]+ MiB .* and may use 1 MiB/);
});
