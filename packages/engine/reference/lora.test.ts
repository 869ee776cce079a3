import { expect, test } from "vitest";
import { adapterTable, mergeAdapters } from "#outer";
import type { LoraShape } from "#wire";
import { mergedWeights, ReferenceLoraTrainer } from "./lora.ts";
import { lossOnly } from "./model.ts";
import { normals, numericGradient, prng, randomIds, randomParameters, tinyModel } from "./testing.ts";
import { ReferenceTrainer } from "./trainer.ts";
import { relativeError } from "./vector.ts";

const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };
const everywhere: LoraShape = { rank: 2, alpha: 5, targets: ["q", "k", "v", "o", "gate", "up", "down"] };

function given(lora: LoraShape) {
  const model = tinyModel({ dModel: 8, heads: 2, kvHeads: 1, dFfn: 8 });
  const random = prng(3);
  const base = randomParameters(random, model, 0.3);
  const adapters = normals(random, adapterTable(model, lora).length, 0.3);
  const ids = randomIds(random, 2 * (model.contextLength + 1), model.vocabSize);
  return { model, base, adapters, ids };
}

test.each<LoraShape>([everywhere, { rank: 1, alpha: 1, targets: ["v", "q"] }])(
  "the gradient of every adapter is what central differences say: %j",
  (lora) => {
    const { model, base, adapters, ids } = given(lora);
    const { gradient } = new ReferenceLoraTrainer(model, lora, base, adapters).gradient([ids]);
    const numeric = numericGradient(
      () => lossOnly(model, mergedWeights(model, lora, base, adapters), ids, 2),
      adapters,
    );
    for (const { name, offset, length } of adapterTable(model, lora).tensors) {
      const part = (of: Float64Array) => of.subarray(offset, offset + length);
      expect(relativeError(part(gradient), part(numeric)), name).toBeLessThan(1e-6);
    }
  },
);

test("a step lowers the loss, and the base stays as it was, bit for bit", () => {
  const { model, base, adapters, ids } = given(everywhere);
  const before = base.slice();
  const trainer = new ReferenceLoraTrainer(model, everywhere, base, adapters);
  const losses = Array.from({ length: 20 }, () => trainer.step([ids], options).loss);
  expect(losses[19]).toBeLessThan(losses[0] - 0.2);
  expect(trainer.evaluate([ids.slice(0, 6)])).toBeCloseTo(lossOnly(model, trainer.merged(), ids.slice(0, 6), 1), 12);
  expect(trainer.base).toEqual(before);
  expect(relativeError(trainer.adapters, adapters)).toBeGreaterThan(1e-3);
});

test("with B at zero the model is the base, and only B learns in the first step", () => {
  const { model, base, adapters, ids } = given(everywhere);
  const isB = (name: string) => name.endsWith("lora_B.weight");
  const { tensors } = adapterTable(model, everywhere);
  for (const { name, offset, length } of tensors) if (isB(name)) adapters.fill(0, offset, offset + length);
  const trainer = new ReferenceLoraTrainer(model, everywhere, base, adapters);
  expect(trainer.merged()).toEqual(base);
  const { loss, gradient } = trainer.gradient([ids]);
  expect(loss).toBe(new ReferenceTrainer(model, base).gradient([ids]).loss);
  for (const { name, offset, length } of tensors)
    expect(
      gradient.subarray(offset, offset + length).some((g) => g !== 0),
      name,
    ).toBe(isB(name));
});

test("the export's merge is the reference's", () => {
  const { model, base, adapters } = given(everywhere);
  const [base32, adapters32] = [base, adapters].map((flat) => Float32Array.from(flat));
  const merged = mergeAdapters(model, everywhere, base32, adapters32);
  const truth = mergedWeights(model, everywhere, Float64Array.from(base32), Float64Array.from(adapters32));
  expect(merged).toEqual(Float32Array.from(truth));
});
