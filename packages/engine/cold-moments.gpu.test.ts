// Moments outside of the device: the same bits as in its memory, less of that, and a store that fails ends the engine and nothing else.
import { expect, test } from "vitest";
import type { LoraShape } from "#wire";
import { COLD_LOST, type ColdStore } from "./cold-moments.ts";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { hollowAdapter, sharedAdapter } from "./device/testing.ts";
import { DeviceLostError, ModelTooLargeError, planModel } from "./index.ts";
import { prng, randomIds, randomParameters, storeInMemory, tinyModel } from "./reference/testing.ts";

const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const model = tinyModel({ dModel: 32, heads: 4, kvHeads: 2, layers: 2, dFfn: 96, vocabSize: 513, contextLength: 12 });
const random = prng(11);
const flat = Float32Array.from(randomParameters(random, model, 0.1));
const batches = [1, 2, 3].map(() => [randomIds(random, 2 * 13, model.vocabSize)]);

/** A store, and what is asked of it. @param writesMax when it is full */
function counted(writesMax = Number.POSITIVE_INFINITY) {
  const asked = { bytes: 0, reads: 0, writes: 0, closed: 0 };
  const cold = async (bytes: number): Promise<ColdStore> => {
    const store = await storeInMemory(bytes);
    asked.bytes = bytes;
    return {
      read(at, into) {
        asked.reads++;
        store.read(at, into);
      },
      write(at, given) {
        if (++asked.writes > writesMax) throw new Error("the disk is full");
        store.write(at, given);
      },
      close: () => asked.closed++,
    };
  };
  return { cold, asked };
}

const lora: LoraShape = { rank: 16, alpha: 8, targets: ["q", "k", "v", "o", "gate", "up", "down"] };

test.each([
  { name: "all parameters, moments in f32", moments: "f32" },
  { name: "all parameters, moments in 8 bits", moments: "8bit" },
  { name: "adapters, which are merged behind the last block, moments in 8 bits", moments: "8bit", lora },
] as const)(
  "three steps, zeroed moments and a step more leave the same bits as in memory: $name",
  async ({ name: _, ...training }) => {
    const results: unknown[] = [];
    const { cold, asked } = counted();
    const adapter = await sharedAdapter();
    for (const place of [{}, { cold }]) {
      const engine = await createWebGpuEngine({ model, microbatch: 2, adapter, ...training, ...place });
      if ("lora" in training) engine.loadBase(flat);
      engine.load((await engine.read()).map((_, i) => 0.1 * Math.sin(i * i)));
      const reports = await Promise.all(batches.map((batch) => engine.step(batch, options)));
      const after = await engine.read();
      engine.resetMoments();
      reports.push(await engine.step(batches[0], options));
      const loss = await engine.evaluate([batches[0][0].slice(0, 13)]);
      results.push({ reports, after, loss, last: await engine.read() });
      engine.destroy();
    }
    expect(results[1]).toEqual(results[0]);
    const { coldBytes, bytesByPart } = planModel({ model, microbatch: 2, ...training, cold: true });
    const blocks = asked.writes / 4;
    expect(blocks).toBeGreaterThanOrEqual(12);
    expect(asked).toMatchObject({ bytes: coldBytes, reads: 2 * blocks }); // none of a block that is known to be zero
    expect(bytesByPart.moments).toBeLessThan(coldBytes / 10);
    await expect.poll(() => asked.closed).toBe(1);
  },
);

test("a store that fails in the middle of an update ends the engine, with which block it was", async () => {
  const { cold, asked } = counted(20);
  const adapter = await hollowAdapter();
  const engine = await createWebGpuEngine({ model, microbatch: 2, adapter, cold });
  engine.load(flat);
  const steps = [engine.step(batches[0], options), engine.step(batches[1], options)];
  const [, second] = await Promise.allSettled(steps);
  expect(second).toMatchObject({ status: "rejected", reason: expect.any(DeviceLostError) });
  const { reason, message } = await engine.lost;
  expect(reason).toBe(COLD_LOST);
  expect(message).toMatch(/^block \d+ of \d+ of the moments could not be written: the disk is full$/);
  await expect(engine.read()).rejects.toBeInstanceOf(DeviceLostError);
  expect(asked.closed).toBe(0);
  engine.destroy();
  await expect.poll(() => asked.closed).toBe(1);
});

test("where there is no place for them the model is too large, and why is said", async () => {
  const cold = () => Promise.reject(new Error("private windows have no files"));
  const opening = createWebGpuEngine({ model, microbatch: 2, cold });
  await expect(opening).rejects.toBeInstanceOf(ModelTooLargeError);
  await expect(opening).rejects.toThrow(/moments outside .* \(1 MiB\): private windows have no files$/);
});
