// What the planner says is what the engine allocates; activations that are recomputed change nothing but that.
import { describe, expect, test } from "vitest";
import { ChunkTopK, parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { Exchange } from "#wire/islands";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { hollowAdapter, sharedAdapter } from "./device/testing.ts";
import { planModel } from "./index.ts";
import { Lanes } from "./island/lanes.ts";
import { planSequence } from "./island/planner.ts";
import { islandPorts } from "./island/port.ts";
import { SequenceRank } from "./island/sequence-rank.ts";
import type { StageCut } from "./model/buffers.ts";
import { prng, randomIds, randomParameters, storeInMemory, tinyModel } from "./reference/testing.ts";

const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const model = tinyModel({ dModel: 24, heads: 6, kvHeads: 2, layers: 4, dFfn: 36, vocabSize: 37, contextLength: 19 });

const adapter = await sharedAdapter();

/** The most bytes of buffers that lived at once; of an engine that computes nothing. */
async function peakOf(use: (adapter: GPUAdapter) => Promise<unknown>): Promise<number> {
  let [live, peak] = [0, 0];
  const counting = await hollowAdapter((device) => {
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      const buffer = create(descriptor);
      live += descriptor.size;
      peak = Math.max(peak, live);
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        live -= descriptor.size;
        destroy();
      };
      return buffer;
    };
  });
  await use(counting);
  return peak;
}

const codec = new ChunkTopK(parameterTable(model), { chunk: 1024, k: 16, feedback: 0.9 });
const SHAPES = [
  { name: "kept", model, microbatch: 2, recomputedLayers: 0 },
  { name: "recomputed", model, microbatch: 2, recomputedLayers: 3 },
  { name: "moments in 8 bits", model, microbatch: 2, recomputedLayers: 3, moments: "8bit" as const },
  { name: "the mark", model, microbatch: 2, recomputedLayers: 0, keepsMark: true },
  { name: "error feedback", model, microbatch: 2, recomputedLayers: 0, keepsMark: true, codec },
  {
    name: "adapters",
    model,
    microbatch: 2,
    recomputedLayers: 0,
    lora: { rank: 6, alpha: 6, targets: ["q" as const, "v" as const, "down" as const] },
  },
  { name: "one layer", model: tinyModel({ layers: 1 }), microbatch: 1, recomputedLayers: 0 },
  {
    name: "a thousandth of GPT-2 small, several chunks of logits",
    model: tinyModel({ dModel: 96, heads: 6, kvHeads: 6, layers: 3, dFfn: 256, vocabSize: 2052, contextLength: 1024 }),
    microbatch: 4,
    recomputedLayers: 2,
  },
];

test("predicted is allocated, to the byte: moments elsewhere", async () => {
  const given = { model, microbatch: 2, recomputedLayers: 3, moments: "8bit" as const };
  const plan = planModel({ ...given, cold: true });
  const peak = await peakOf(async (adapter) => {
    const engine = await createWebGpuEngine({ ...given, adapter, cold: storeInMemory });
    await engine.step([randomIds(prng(1), 2 * 20, model.vocabSize)], options);
    await engine.read();
    expect(engine.allocatedBytes).toBe(plan.totalBytes);
    engine.destroy();
  });
  expect(plan.totalBytes).toBe(peak);
});

test.each(SHAPES)("predicted is allocated, to the byte: $name", async ({ name: _, ...given }) => {
  const { model, microbatch, recomputedLayers } = given;
  const peak = await peakOf(async (adapter) => {
    const engine = await createWebGpuEngine({ ...given, adapter });
    expect(engine.recomputedLayers).toBe(recomputedLayers);
    if (microbatch * model.contextLength < 1000)
      await engine.step([randomIds(prng(1), microbatch * (model.contextLength + 1), model.vocabSize)], options);
    await engine.read();
    await engine.mark?.offer();
    expect(engine.allocatedBytes).toBe(planModel(given).totalBytes);
    engine.destroy();
  });
  expect(planModel(given).totalBytes).toBe(peak);
});

describe("predicted is allocated, to the byte, of one that trains with others", () => {
  const whole = tinyModel({ contextLength: 20 });
  const [port] = islandPorts(2);

  test.each<[Exchange, Pick<ModelShape, "residual">]>([
    ["f32", {}],
    ["int8", {}],
    ["int8", { residual: "ladder" }],
  ])("a rank of a model that is cut, %s %o", async (exchange, residual) => {
    const membership = { lanes: new Lanes(port), reduce: { exchange, form: "direct" }, ranks: 2, chains: 2 } as const;
    const island = { exchange, shards: 2, chains: 2 } as const;
    const given = { model: { ...whole, ...residual, dFfn: whole.dFfn / 2 }, microbatch: 2, recomputedLayers: 1 };
    let allocated = 0;
    const peak = await peakOf(async (adapter) => {
      const engine = await createWebGpuEngine({ ...given, adapter }, {}, membership);
      await engine.read();
      allocated = engine.allocatedBytes;
      engine.destroy();
    });
    expect([peak, allocated]).toEqual(Array(2).fill(planModel({ ...given, island }).totalBytes));
  });

  test("a stage", async () => {
    const stage: StageCut = { rank: 0, ranks: 2, exchange: "int8", slots: 2 };
    const model = { ...whole, stage: { first: true, last: false } };
    const peak = await peakOf(async (adapter) => {
      const engine = await createWebGpuEngine({ model, microbatch: 2, adapter }, {}, { lanes: new Lanes(port), stage });
      await engine.read();
      engine.destroy();
    });
    expect(peak).toBe(planModel({ model, microbatch: 2, stage }).totalBytes);
  });

  const [keys, heads] = [whole, { ...whole, heads: 2, kvHeads: 2 }];
  test.each([keys, heads])("a rank that shares sequences, $kvHeads heads", async (model) => {
    const peak = await peakOf(async (adapter) => {
      const rank = await SequenceRank.open({ model, microbatch: 2, adapter }, new Lanes(port));
      await rank.read();
      rank.destroy();
    });
    expect(peak).toBe(planSequence({ model, microbatch: 2 }, { ranks: 2, rank: 0 }).totalBytes);
  });
});

test("gradients with layers recomputed have the same bits, over several steps and microbatches", async () => {
  const random = prng(3);
  const flat = Float32Array.from(randomParameters(random, model, 0.1));
  const batches = [1, 2].map(() => randomIds(random, 2 * 20, 37));
  const results: unknown[] = [];
  for (const recomputedLayers of [0, 1, 3]) {
    const engine = await createWebGpuEngine({ model, microbatch: 2, adapter, recomputedLayers });
    engine.load(flat);
    const { loss, gradient } = await engine.gradient(batches);
    const reports = [await engine.step(batches, options), await engine.step(batches, options)];
    results.push({
      loss,
      gradient,
      reports,
      evaluation: await engine.evaluate([batches[0].slice(0, 20)]),
      after: await engine.read(),
    });
    engine.destroy();
  }
  for (const result of results.slice(1)) expect(result).toEqual(results[0]);
});

test("moments in 8 bits take a quarter, learn alike, and start from zero again", async () => {
  const random = prng(6);
  const flat = Float32Array.from(randomParameters(random, model, 0.05));
  const batch = [randomIds(random, 2 * 20, 37)];
  const losses: number[][] = [];
  for (const moments of ["f32", "8bit"] as const) {
    const engine = await createWebGpuEngine({ model, microbatch: 2, adapter, moments }, { bindingFloats: 2048 });
    const train = async (): Promise<number[]> => {
      engine.load(flat);
      engine.resetMoments();
      const own: number[] = [];
      for (let i = 0; i < 30; i++) own.push((await engine.step(batch, options)).loss);
      return own;
    };
    losses.push(await train());
    expect(await train()).toEqual(losses.at(-1));
    engine.destroy();
  }
  const [exact, rounded] = losses;
  expect(exact[29]).toBeLessThan(exact[0] / 2);
  expect(Math.max(...rounded.map((loss, i) => Math.abs(loss - exact[i])))).toBeLessThan(0.05 * exact[0]);
  expect(rounded).not.toEqual(exact);
});

test("parameters that cross in pieces arrive whole, in their turn among steps", async () => {
  const random = prng(4);
  const flat = Float32Array.from(randomParameters(random, model, 0.1));
  const batch = randomIds(random, 2 * 20, 37);
  const results: unknown[] = [];
  for (const pieceBytes of [2 ** 20, 4 * 1000]) {
    const engine = await createWebGpuEngine({ model, microbatch: 2, adapter }, { pieceBytes });
    engine.load(flat.map((x) => 2 * x));
    const first = engine.step([batch], options);
    engine.load(flat);
    const second = engine.step([batch], options);
    const read = engine.read();
    const third = engine.step([batch], options);
    results.push(await Promise.all([first, second, read, third, engine.read()]));
    engine.destroy();
  }
  expect(results[1]).toEqual(results[0]);
});

test("a budget decides how many layers are recomputed, or refuses with its numbers", async () => {
  const all = planModel({ model, microbatch: 2, recomputedLayers: 0 }).totalBytes;
  const engine = await createWebGpuEngine({ model, microbatch: 2, adapter, memoryBytes: all - 1 });
  expect(engine.recomputedLayers).toBe(1);
  expect(engine.allocatedBytes).toBeLessThan(all);
  engine.destroy();
  await expect(createWebGpuEngine({ model, microbatch: 2, adapter, memoryBytes: 1 })).rejects.toThrow(
    /needs [\d.]+ MiB with 2 sequences per microbatch and 3 layers recomputed, and may use 0.01 MiB/,
  );
});
