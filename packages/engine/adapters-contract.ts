// What every backend promises of adapters (EngineOptions.lora), as tests: their gradients against the reference, which contracts the whole weight's; steps;
// a base that stays; refusals.
import { expect, test } from "vitest";
import { adapterTable, mergeAdapters } from "#outer";
import type { LoraShape, ModelShape } from "#wire";
import type { Engine } from "./engine.ts";
import type { Tolerance } from "./engine-contract.ts";
import { ReferenceLoraTrainer, ReferenceTrainer, relativeError } from "./reference/index.ts";
import { normals, prng, randomIds, randomParameters, tinyModel } from "./reference/testing.ts";

type Open = (given: {
  readonly model: ModelShape;
  readonly microbatch: number;
  readonly lora: LoraShape;
  readonly recomputedLayers?: number;
}) => Promise<Engine>;

const everywhere: LoraShape = { rank: 4, alpha: 8, targets: ["q", "k", "v", "o", "gate", "up", "down"] };

const shapes: Record<string, { model: ModelShape; microbatch: number; lora: LoraShape }> = {
  "all layers": { model: tinyModel(), microbatch: 2, lora: everywhere },
  "q and v, a rank of no whole vector": {
    model: tinyModel({ dModel: 20, heads: 1, kvHeads: 1, vocabSize: 37, dFfn: 28, contextLength: 7 }),
    microbatch: 3,
    lora: { rank: 3, alpha: 1, targets: ["v", "q"] },
  },
  "k, up and down, larger than a tile, untied": {
    model: tinyModel({
      dModel: 72,
      heads: 6,
      kvHeads: 2,
      dFfn: 100,
      vocabSize: 66,
      contextLength: 33,
      tiedEmbedding: false,
    }),
    microbatch: 3,
    lora: { rank: 9, alpha: 18, targets: ["k", "up", "down"] },
  },
};

const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

function given({ model, microbatch, lora }: (typeof shapes)[string]) {
  const random = prng(11);
  const base = Float32Array.from(randomParameters(random, model, 0.1));
  const adapters = Float32Array.from(normals(random, adapterTable(model, lora).length, 0.1));
  const batches = [1, 2].map(() => randomIds(random, microbatch * (model.contextLength + 1), model.vocabSize));
  const truth = new ReferenceLoraTrainer(model, lora, Float64Array.from(base), Float64Array.from(adapters));
  return { base, adapters, batches, truth };
}

/** @param allowed how far an engine's numbers may be from the reference's */
export function adapterGradientsContract(open: Open, allowed: Tolerance, names = Object.keys(shapes)): void {
  test.each(names)("gradients of every adapter: %s", async (name) => {
    const shape = shapes[name];
    const { base, adapters, batches, truth } = given(shape);
    const engine = await open(shape);
    engine.loadBase?.(base);
    engine.load(adapters);
    const { loss, gradient } = await engine.gradient(batches);
    const window = batches[0].slice(0, shape.model.contextLength + 1);
    const evaluated = await engine.evaluate([window]);
    expect(await engine.read()).toEqual(adapters);
    engine.destroy();
    const expected = truth.gradient(batches);
    expect(Math.abs(loss - expected.loss)).toBeLessThan(allowed.loss);
    for (const { name, offset, length } of adapterTable(shape.model, shape.lora).tensors) {
      const part = (of: Float32Array | Float64Array) => of.subarray(offset, offset + length);
      expect(relativeError(part(gradient), part(expected.gradient)), name).toBeLessThan(allowed.gradient);
    }
    expect(Math.abs(evaluated - truth.evaluate([window]))).toBeLessThan(allowed.loss);
  });
}

/** The gradients too. */
export function adaptersContract(open: Open, allowed: Tolerance): void {
  adapterGradientsContract(open, allowed);

  test("twenty steps follow the reference; what evaluates afterwards is base and adapters merged, and the base has not moved", async () => {
    const shape = shapes["all layers"];
    const { base, adapters, batches, truth } = given(shape);
    const engine = await open(shape);
    engine.load(adapters); // in either order
    engine.loadBase?.(base);
    const losses: number[] = [];
    for (let i = 0; i < 20; i++) {
      const [own, expected] = [await engine.step(batches, options), truth.step(batches, options)];
      expect(Math.abs(own.loss - expected.loss), `step ${i}`).toBeLessThan(allowed.stepLoss);
      expect(Math.abs(own.gradNorm / expected.gradNorm - 1), `norm of step ${i}`).toBeLessThan(allowed.stepNorm);
      losses.push(own.loss);
    }
    expect(losses[19]).toBeLessThan(losses[0] - 0.05);
    const trained = await engine.read();
    expect(relativeError(trained, truth.adapters)).toBeLessThan(allowed.parameters);
    const window = batches[1].slice(0, shape.model.contextLength + 1);
    const merged = mergeAdapters(shape.model, shape.lora, base, trained);
    const exported = new ReferenceTrainer(shape.model, merged).evaluate([window]);
    expect(Math.abs((await engine.evaluate([window])) - exported)).toBeLessThan(allowed.loss);
    const zero = new Float32Array(adapters.length);
    engine.load(zero);
    const alone = new ReferenceTrainer(shape.model, base).evaluate([window]);
    expect(Math.abs((await engine.evaluate([window])) - alone)).toBeLessThan(allowed.loss);
    engine.destroy();
  });

  test("the conformance check compares what adapters need, too", async () => {
    const shape = shapes["all layers"];
    const { adapters } = given(shape);
    const engine = await open(shape);
    engine.load(adapters);
    const { failed, checks } = await engine.conformance();
    expect(failed).toEqual([]);
    expect(checks).toBeGreaterThan(20);
    expect(await engine.read()).toEqual(adapters);
    engine.destroy();
  });

  test("a gradient leaves no trace, and a run repeats after load and resetMoments", async () => {
    const shape = shapes["q and v, a rank of no whole vector"];
    const { base, adapters, batches } = given(shape);
    const engine = await open(shape);
    engine.loadBase?.(base);
    const run = async (asksGradient: boolean): Promise<Float32Array> => {
      engine.load(adapters);
      engine.resetMoments();
      for (let i = 0; i < 3; i++) {
        if (asksGradient) await engine.gradient([batches[i % 2]]);
        await engine.step([batches[i % 2]], options);
      }
      return engine.read();
    };
    expect(await run(true)).toEqual(await run(false));
    engine.destroy();
  });

  test("adapters and base of another length are refused, and name what they should be", async () => {
    const shape = shapes["all layers"];
    const { base, adapters } = given(shape);
    const engine = await open(shape);
    expect(() => engine.load(base)).toThrow(/the run has \d+ parameters, got/);
    expect(() => engine.loadBase?.(adapters)).toThrow(/the base has \d+ parameters, the model/);
    engine.destroy();
  });
}
