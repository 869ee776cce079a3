// A model's layers in stages that share one adapter, against the reference: gradients, steps, and what coded activations cost.
import { describe, expect, test } from "vitest";
import { parameterTable } from "#outer";
import type { LineShape } from "#wire/island-cost";
import type { Exchange } from "#wire/islands";
import { sharedAdapter } from "../device/testing.ts";
import { ReferenceTrainer, relativeError } from "../reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { leadIsland } from "./leader.ts";
import { serveIsland } from "./member.ts";
import { planStage } from "./planner.ts";
import { islandPorts } from "./port.ts";

const model = tinyModel({ dModel: 32, heads: 2, kvHeads: 1, layers: 4, dFfn: 44, vocabSize: 37, contextLength: 12 });
const random = prng(11);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const batches = Array.from({ length: 5 }, () => randomIds(random, 2 * 13, model.vocabSize));
const adapter = await sharedAdapter();
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 0.5 };

const between = { model, microbatch: 2, limits: adapter.limits };

const STEPS = 8;

interface Given {
  readonly shape?: LineShape;
  readonly memoryBytes?: number;
}

async function openPipeline(layers: readonly number[], exchange: Exchange, { shape, memoryBytes }: Given = {}) {
  const plan = { kind: "pipeline", layers, exchange } as const;
  const given = { model, plan, adapter, ...(memoryBytes !== undefined && { memoryBytes }) };
  const [first, ...rest] = islandPorts(layers.length, shape);
  const members = rest.map((port) => serveIsland(given, port));
  const leader = await leadIsland({ ...given, microbatch: 2 }, first);
  leader.load(flat);
  return { leader, members: await Promise.all(members) };
}

describe("exact activations", () => {
  test("three stages of unlike size, one of which computes a layer again: gradients of every tensor, evaluations and steps are the whole model's", async () => {
    const bytesOf = (recomputedLayers: number): number =>
      planStage({ ...between, recomputedLayers }, "f32", { layers: 2, rank: 1, ranks: 3 }).totalBytes;
    expect(bytesOf(0)).toBeGreaterThan(bytesOf(1)); // of one layer none is computed again
    const { leader } = await openPipeline([1, 2, 1], "f32", { memoryBytes: bytesOf(1) });
    const { loss, gradient } = await leader.gradient(batches);
    const truth = new ReferenceTrainer(model, Float64Array.from(flat));
    const expected = truth.gradient(batches);
    expect(Math.abs(loss - expected.loss)).toBeLessThan(1e-5);
    for (const { name, offset, length } of parameterTable(model).tensors) {
      const place = [offset, offset + length] as const;
      expect(relativeError(gradient.subarray(...place), expected.gradient.subarray(...place)), name).toBeLessThan(1e-4);
    }
    const windows = batches.flatMap((ids) => [ids.slice(0, 13), ids.slice(13)]);
    expect(Math.abs((await leader.evaluate(windows)) - expected.loss)).toBeLessThan(1e-4);
    for (let step = 0; step < 4; step++) {
      const [own, whole] = [await leader.step(batches, options), truth.step(batches, options)];
      expect(Math.abs(own.loss - whole.loss), `step ${step}`).toBeLessThan(1e-4);
      expect(Math.abs(own.gradNorm / whole.gradNorm - 1), `norm of step ${step}`).toBeLessThan(1e-3);
    }
    expect(relativeError(await leader.read(), truth.parameters)).toBeLessThan(1e-3);
    leader.destroy();
  });
});

describe("coded activations", () => {
  test("three stages over lines of 20 Mbit/s learn as far as the whole model does, within 2 %", async () => {
    const line = { latencyMs: 5, bytesPerSecond: 20e6 / 8 };
    const { leader, members } = await openPipeline([2, 1, 1], "int8", { shape: line });
    const truth = new ReferenceTrainer(model, Float64Array.from(flat));
    const losses: { own: number; whole: number }[] = [];
    for (let step = 0; step < STEPS; step++) {
      const { loss } = await leader.step(batches, options);
      losses.push({ own: loss, whole: truth.step(batches, options).loss });
    }
    expect(losses[STEPS - 1].whole).toBeLessThan(0.6 * losses[0].whole); // it did learn
    for (const { own, whole } of losses) expect(Math.abs(own / whole - 1)).toBeLessThan(0.02);
    const { exchanges, bytes } = members[0].totals;
    expect(exchanges).toBe(STEPS * 2 * batches.length); // the stage between: activations on, gradients back
    const each = 24 * 32 * (1 + 4 / 64);
    expect(bytes).toBe(STEPS * (2 * batches.length * each + 2 * 16 + 2 * 8)); // and, of each step, squares and losses
    leader.destroy();
    expect(await members[1].finished).toContain("the leader left it");
  });
});
