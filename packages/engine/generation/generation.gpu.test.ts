// The generator on WebGPU against the reference's whole forward pass, at every position; with the adapter's limits and with those that every device has.
import { describe, expect, test } from "vitest";
import { ModelTooLargeError } from "../errors.ts";
import { logitsOf, relativeError } from "../reference/index.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { planGeneration } from "./outline.ts";
import { createWebGpuGenerator } from "./webgpu-generator.ts";

const SHAPES = [
  { name: "grouped heads, tied", model: tinyModel({ contextLength: 9 }), prompts: [1, 5, 9] },
  {
    name: "one head, untied, odd vocabulary, several pieces of a prompt",
    model: tinyModel({
      ...{ heads: 1, kvHeads: 1, dModel: 20, dFfn: 28, vocabSize: 37, tiedEmbedding: false },
      contextLength: 70,
    }),
    prompts: [64, 67],
  },
  { name: "a ladder residual", model: tinyModel({ residual: "ladder", contextLength: 9 }), prompts: [5] },
  {
    name: "wide",
    model: tinyModel({ dModel: 96, heads: 3, dFfn: 260, kvHeads: 1, contextLength: 5, vocabSize: 258 }),
    prompts: [2],
  },
];

describe.each([
  { device: "the adapter's limits", given: {} },
  { device: "default limits, shared tiles", given: { defaultLimits: true, tiled: true } },
])("$device", ({ given }) => {
  test.each(SHAPES)(
    "prefill and decode have the logits of the whole forward pass: $name",
    async ({ model, prompts }) => {
      const random = prng(31);
      const flat = Float32Array.from(randomParameters(random, model, 0.1));
      const ids = randomIds(random, model.contextLength, model.vocabSize);
      const truth = logitsOf(model, Float64Array.from(flat), ids);
      const generator = await createWebGpuGenerator({ model, ...given });
      expect(generator.allocatedBytes).toBe(planGeneration(model).totalBytes);
      await generator.load(flat);
      for (const prompt of prompts) {
        let logits = await generator.prefill(ids.subarray(0, prompt));
        for (let i = prompt; ; i++) {
          const expected = truth.subarray((i - 1) * model.vocabSize, i * model.vocabSize);
          expect(relativeError(logits, expected), `position ${i - 1} after ${prompt}`).toBeLessThan(1e-4);
          expect(generator.length).toBe(i);
          if (i === ids.length) break;
          logits = await generator.decode(ids[i]);
        }
      }
      await expect(generator.decode(0)).rejects.toThrow(/10 tokens|71 tokens|6 tokens/);
      generator.destroy();
    },
  );
});

describe("it refuses", () => {
  test("what is too large for the device, with the number that fits", async () => {
    const huge = tinyModel({ dModel: 4096, heads: 32, kvHeads: 32, layers: 8, dFfn: 8192, vocabSize: 60_000 });
    const error = await createWebGpuGenerator({ model: huge, defaultLimits: true }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ModelTooLargeError);
    expect((error as Error).message).toMatch(/at most about [\d,]+ parameters here/);
  });

  test("ids that are none, and goes on", async () => {
    const model = tinyModel();
    const generator = await createWebGpuGenerator({ model });
    await generator.load(new Float32Array(randomParameters(prng(1), model)));
    await expect(generator.prefill([])).rejects.toThrow(/at least one token/);
    await expect(generator.prefill([model.vocabSize])).rejects.toThrow(/none of a vocabulary/);
    expect(await generator.prefill([1])).toHaveLength(model.vocabSize);
    generator.destroy();
    await expect(generator.decode(1)).rejects.toThrow(/lost/);
  });
});
