// Adapters on WebGPU against the reference, with the adapter's limits, and cut as large models are on those that every device has.
import { describe, expect, test } from "vitest";
import { adapterTable } from "#outer";
import { adapterGradientsContract, adaptersContract } from "./adapters-contract.ts";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { sharedAdapter } from "./device/testing.ts";
import { F32 } from "./engine-contract.ts";
import { planModel } from "./index.ts";
import { prng, randomIds, tinyModel } from "./reference/testing.ts";

const adapter = await sharedAdapter();

describe("the adapter's limits", () => {
  adaptersContract((given) => createWebGpuEngine({ ...given, adapter }), F32);
});

describe("default limits, layers computed again, ranges and pieces cut small", () => {
  const cuts = { bindingFloats: 4096, pieceBytes: 1024, logitsChunkBytes: 4096 };
  adapterGradientsContract(
    (given) => createWebGpuEngine({ ...given, adapter, defaultLimits: true, recomputedLayers: 1 }, cuts),
    F32,
    ["k, up and down, larger than a tile, untied"], // the one that such limits cut
  );
});

const lora = { rank: 4, alpha: 8, targets: ["q", "v", "up"] } as const;
const given = {
  model: tinyModel({ dModel: 32, dFfn: 48 }),
  microbatch: 2,
  lora: { ...lora, targets: [...lora.targets] },
};
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

test("moments in 8 bits: blank places of B never move", async () => {
  const engine = await createWebGpuEngine({ ...given, adapter, moments: "8bit" });
  const random = prng(4);
  const { length } = adapterTable(given.model, given.lora);
  engine.load(Float32Array.from({ length }, () => random() - 0.5));
  const batch = randomIds(random, 2 * 6, given.model.vocabSize);
  for (let i = 0; i < 3; i++) await engine.step([batch], options);
  const before = await engine.read();
  const { gradient } = await engine.gradient([batch]);
  engine.load(before); // clears what lies between the blocks
  expect((await engine.gradient([batch])).gradient).toEqual(gradient);
  engine.destroy();
});

test("the mark on the device and f16 are refused with adapters", () => {
  expect(() => planModel({ ...given, keepsMark: true })).toThrow(/leave keepsMark and precision out/);
  expect(() => planModel({ ...given, precision: "f16" })).toThrow(/leave keepsMark and precision out/);
});
