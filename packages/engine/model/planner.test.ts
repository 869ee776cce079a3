import { describe, expect, test } from "vitest";
import type { LoraTarget, ModelShape } from "#wire";
import { MIB } from "../device/memory.ts";
import { tinyModel } from "../reference/testing.ts";
import { DEFAULT_LIMITS, outlineOf } from "./outline.ts";
import { largestFit, planModel } from "./planner.ts";

const GPT2_SMALL: ModelShape = {
  ...{ vocabSize: 50_257, dModel: 768, layers: 12, heads: 12, kvHeads: 12, dFfn: 2048, contextLength: 1024 },
  ...{ ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true },
};

const narrow = tinyModel({ dModel: 256, heads: 4, kvHeads: 4, dFfn: 684, layers: 4, vocabSize: 256 });
const withContext = (contextLength: number): ModelShape => ({ ...narrow, contextLength });

describe("what a model takes", () => {
  test("GPT-2 small, 8 sequences of 1024: within 6 GB with its layers recomputed, and more without", () => {
    const given = { model: GPT2_SMALL, microbatch: 8 };
    const kept = planModel({ ...given, recomputedLayers: 0 });
    const recomputed = planModel({ ...given, recomputedLayers: 11 });
    expect(kept.totalBytes).toBeGreaterThan(6e9);
    expect(recomputed.totalBytes).toBeLessThan(3e9);
    expect(recomputed.bytesByPart.moments).toBe(2 * recomputed.bytesByPart.parameters);
  });

  test("a budget is met with the fewest layers recomputed; without one nothing is", () => {
    const given = { model: GPT2_SMALL, microbatch: 8 };
    const plan = planModel({ ...given, memoryBytes: 6e9 });
    expect(plan.problem).toBeUndefined();
    expect(plan.totalBytes).toBeLessThanOrEqual(6e9);
    const fewer = planModel({ ...given, memoryBytes: 6e9, recomputedLayers: plan.recomputedLayers - 1 });
    expect(fewer.problem).toMatch(/needs 6,\d+ MiB .* 8 sequences .* may use 5,723 MiB/);
    expect(planModel(given).recomputedLayers).toBe(0);
  });

  test("a budget that nothing meets is refused with the numbers", () => {
    const plan = planModel({ model: GPT2_SMALL, microbatch: 8, memoryBytes: 2e9 });
    expect(plan.recomputedLayers).toBe(11);
    expect(plan.problem).toMatch(/needs 2,\d+ MiB with 8 sequences per microbatch and 11 layers recomputed/);
  });

  test("moments in 8 bits take 2.25 bytes a parameter instead of 8, wherever their ranges are cut", () => {
    const given = { model: { ...GPT2_SMALL, vocabSize: 256 }, microbatch: 1 };
    for (const limits of [undefined, DEFAULT_LIMITS]) {
      const [exact, rounded] = [planModel({ ...given, limits }), planModel({ ...given, limits, moments: "8bit" })];
      expect(rounded.bytesByPart.moments / exact.bytesByPart.moments).toBeCloseTo(2.25 / 8, 4);
      expect(rounded.bytesByPart.parameters).toBe(exact.bytesByPart.parameters);
    }
  });

  test.each(["f32", "8bit"] as const)("moments elsewhere (%s) leave room for three blocks of 4 MiB", (moments) => {
    const given = { model: GPT2_SMALL, microbatch: 1, recomputedLayers: 11, moments };
    const [inside, outside] = [planModel(given), planModel({ ...given, cold: true })];
    expect(outside.coldBytes / inside.bytesByPart.moments).toBeCloseTo(1, 4);
    const ratio = (inside.totalBytes - outside.totalBytes + 12 * MIB) / outside.coldBytes;
    expect(ratio).toBeCloseTo(1, 3); // but for the passes' uniforms
    expect(inside.coldBytes).toBe(0);
    expect(planModel({ ...given, cold: true, memoryBytes: 1e9 }).problem).toMatch(
      /11 layers recomputed, its moments elsewhere, and may use/,
    );
  });

  test("moments are elsewhere only where nothing else helps", () => {
    const given = { model: narrow, microbatch: 1, cold: "if-needed" as const };
    const bytesOf = (cold: boolean) => planModel({ ...given, cold, recomputedLayers: 3 }).totalBytes;
    const [inside, outside] = [planModel({ ...given, memoryBytes: bytesOf(false) }), bytesOf(true)];
    expect(inside).toMatchObject({ coldBytes: 0, recomputedLayers: 3, problem: undefined });
    const [least, none] = [outside, outside - 1].map((memoryBytes) => planModel({ ...given, memoryBytes }));
    expect(least).toMatchObject({ totalBytes: outside, problem: undefined });
    expect(least.coldBytes).toBeGreaterThan(0);
    expect(none.problem).toMatch(/its moments elsewhere/);
  });

  test("of a small model, too, what stays of the moments is a fifth", () => {
    const given = { model: narrow, microbatch: 1 };
    const [inside, outside] = [planModel(given), planModel({ ...given, cold: true })];
    const saved = (inside.totalBytes - outside.totalBytes) / outside.coldBytes;
    expect(saved).toBeGreaterThan(0.8);
    expect(saved).toBeLessThan(1 - 3 / 16);
  });

  test("a number of layers that there is not is refused", () => {
    expect(() => planModel({ model: GPT2_SMALL, microbatch: 1, recomputedLayers: 12 })).toThrow(/0 to 11/);
    expect(() => planModel({ model: GPT2_SMALL, microbatch: 1, recomputedLayers: -1 })).toThrow(RangeError);
  });

  test.each([0, 3])("memory grows no more than linearly with the context (recomputed: %i)", (recomputedLayers) => {
    const planAt = (T: number) => planModel({ model: withContext(T), microbatch: 1, recomputedLayers });
    const bytesAt = (T: number) => planAt(T).totalBytes;
    const contexts = [512, 1024, 2048, 4096, 8192, 16_384, 32_768];
    const perToken = contexts.slice(1).map((T, i) => (bytesAt(T) - bytesAt(contexts[i])) / (T - contexts[i]));
    for (const bytes of perToken) expect(bytes).toBeLessThanOrEqual(perToken[0]); // flat, or falling where logits stop growing
    expect(planAt(32_768).bytesByPart.activations).toBe(64 * planAt(512).bytesByPart.activations);
  });
});

describe("what fits", () => {
  test("the largest microbatch fits, and one sequence more does not", () => {
    const given = { model: GPT2_SMALL, memoryBytes: 6e9 };
    const { microbatch } = largestFit({ ...given, microbatch: 1 });
    expect(microbatch).toBeGreaterThan(8);
    expect(planModel({ ...given, microbatch }).problem).toBeUndefined();
    expect(planModel({ ...given, microbatch: microbatch + 1 }).problem).toBeDefined();
  });

  test("the widest model fits, keeps its form, and is the widest", () => {
    const given = { microbatch: 8, memoryBytes: 6e9 };
    const { model } = largestFit({ ...given, model: GPT2_SMALL });
    expect(model!.dModel / model!.heads).toBe(64);
    expect(planModel({ ...given, model: model!, microbatch: 1 }).problem).toBeUndefined();
    const heads = model!.heads + 1;
    const wider = {
      ...model!,
      dModel: heads * 64,
      heads,
      kvHeads: heads,
      dFfn: Math.floor((heads * 64 * 2048) / 768 / 4) * 4,
    };
    expect(planModel({ ...given, model: wider, microbatch: 1 }).problem).toBeDefined();
  });

  test("nothing fits where there is nothing", () => {
    expect(largestFit({ model: GPT2_SMALL, microbatch: 1, memoryBytes: 1e6 })).toEqual({
      microbatch: 0,
      model: undefined,
    });
  });

  test("WebGPU's default limits: products over long contexts are cut by rows, so that the width of q, k and v decides", () => {
    const model = { ...GPT2_SMALL, vocabSize: 256, layers: 2 };
    const longest = (limit: number) => Math.floor(limit / 64) * 64;
    const fits = (contextLength: number) =>
      planModel({ model: { ...model, contextLength }, microbatch: 1, limits: DEFAULT_LIMITS }).problem === undefined;
    const allowed = longest((128 * MIB) / 4 / (3 * 768));
    expect(fits(allowed)).toBe(true);
    expect(fits(allowed + 64)).toBe(false);
    expect(allowed).toBeGreaterThan(1.7 * longest((128 * MIB) / 4 / 4096)); // what gate and up in one piece would allow
  });
});

describe("mixed precision", () => {
  test("GPT-2 small: what f16 takes of each part", () => {
    const given = { model: GPT2_SMALL, microbatch: 8 };
    const [exact, mixed] = [planModel(given), planModel({ ...given, precision: "f16" })];
    const { N, heads, L, C } = { N: 8 * 1024, heads: 12, L: 12, C: 768 };
    const statistics = 4 * (N * (L * (2 + heads) + 1)); // of the norms, and of attention's rows
    expect(mixed.bytesByPart.activations - statistics).toBe((exact.bytesByPart.activations - statistics) / 2);
    const norms = 4 * (2 * L + 1) * C;
    expect(mixed.bytesByPart.parameters).toBe(1.5 * exact.bytesByPart.parameters - norms / 2);
    expect(mixed.totalBytes).toBeLessThan(0.69 * exact.totalBytes);
  });

  test("it composes with layers recomputed, moments in 8 bits and the mark", () => {
    const least = { model: GPT2_SMALL, microbatch: 8, recomputedLayers: 11, moments: "8bit", keepsMark: true } as const;
    expect(planModel({ ...least, precision: "f16" }).totalBytes).toBeLessThan(planModel(least).totalBytes);
  });

  test("twice the context fits WebGPU's default limits", () => {
    const model = { ...GPT2_SMALL, vocabSize: 256, layers: 2 };
    const fits = (contextLength: number) => {
      const given = { model: { ...model, contextLength }, microbatch: 1, limits: DEFAULT_LIMITS };
      return planModel({ ...given, precision: "f16" }).problem === undefined;
    };
    const allowed = Math.floor((128 * MIB) / 2 / (3 * 768) / 64) * 64;
    expect(fits(allowed)).toBe(true);
    expect(fits(allowed + 64)).toBe(false);
  });
});

test.each([
  { bindingFloats: Number.POSITIVE_INFINITY, recomputedLayers: 0 },
  { bindingFloats: 640, recomputedLayers: 0 },
  { bindingFloats: 640, recomputedLayers: 2, logitsChunkBytes: 1 },
  { bindingFloats: 2048, recomputedLayers: 2, moments: "8bit" as const, keepsMark: true },
  { bindingFloats: 640, recomputedLayers: 2, logitsChunkBytes: 1, precision: "f16" as const },
  { bindingFloats: 2048, recomputedLayers: 2, moments: "8bit" as const, keepsMark: true, precision: "f16" as const },
])("every pass binds ranges that exist, and reads nothing that it writes: $bindingFloats, $recomputedLayers", (cut) => {
  for (const change of [{}, { tiedEmbedding: false, contextLength: 70 }, { dFfn: 4, kvHeads: 4 }]) {
    const model = tinyModel({ layers: 3, ...change });
    const { widestByName } = outlineOf(model, { microbatch: 3, ...cut }); // throws
    expect(widestByName.get("parameters")).toBeGreaterThan(0);
  }
});

test("adapters of GPT-2 small: weights twice, gradient and moments of the adapters alone, and no room for a mark is asked", () => {
  const lora = { rank: 8, alpha: 16, targets: ["q", "k", "v", "o", "gate", "up", "down"] as LoraTarget[] };
  const given = { model: GPT2_SMALL, microbatch: 1 };
  const [all, adapters] = [planModel(given), planModel({ ...given, lora })];
  const weights = all.bytesByPart.parameters;
  expect(adapters.bytesByPart.parameters).toBeLessThan(2 * weights); // the embedding is there once
  expect(adapters.bytesByPart.adapters / weights).toBeLessThan(0.03);
  expect(adapters.bytesByPart.gradient).toBe(adapters.bytesByPart.adapters);
  expect(adapters.bytesByPart.moments).toBe(2 * adapters.bytesByPart.adapters);
  expect(all.totalBytes - adapters.totalBytes).toBeGreaterThan(2 * weights);
});
