import { expect, test } from "vitest";
import { lossOnly } from "#engine/reference";
import { installMeters } from "./meters.ts";
import { oursWebGpu } from "./ours.ts";
import { givenOf, SHAPES } from "./shapes.ts";

test("our engine on the bench's stand: the reference's first loss, a lower second, and what it asked of the device", async () => {
  const readings = installMeters();
  const given = givenOf(SHAPES.S);
  const trainee = await oursWebGpu.open(SHAPES.S, given);
  const before = readings();
  const first = await trainee.step();
  expect(first).toBeCloseTo(lossOnly(SHAPES.S.model, given.weights, given.ids, SHAPES.S.B), 4);
  expect(await trainee.step()).toBeLessThan(first - 0.1);
  const after = readings();
  expect(before.bytesLive).toBeGreaterThan(4 * 4 * given.weights.length); // weights, gradient and two moments
  expect(after.bytesCreated).toBe(before.bytesCreated); // a step allocates nothing
  expect(after.dispatches).toBeGreaterThan(before.dispatches);
  const matmul = await trainee.matmul!({ form: "tn", M: 12, N: 20, K: 8 });
  await matmul.run(3);
  expect(readings().dispatches).toBe(after.dispatches + 3);
  const live = readings().bytesLive;
  matmul.free();
  expect(readings().bytesLive).toBeLessThan(live);
  expect(readings().errors).toEqual([]);
});

test("tuned, it stands where it stood: one step from its start", async () => {
  const small = { vocabSize: 12, dModel: 16, layers: 1, heads: 4, kvHeads: 2, dFfn: 12, contextLength: 5 };
  const model = { ...SHAPES.S.model, ...small };
  const shape = { model, B: 2, nominalFlops: 0 };
  const trainee = await oursWebGpu.open(shape, givenOf(shape));
  await trainee.step();
  const second = await trainee.step();
  await trainee.settle!();
  expect(await trainee.step()).toBeCloseTo(second, 5);
});
