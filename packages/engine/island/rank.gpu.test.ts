// A model cut among ranks that share one adapter, against the reference: gradients, norms and steps; exact and in int8; one and two microbatches in flight.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import type { Exchange, Form } from "#wire/islands";
import { createWebGpuEngine } from "../create-webgpu.ts";
import { sharedAdapter } from "../device/testing.ts";
import { ReferenceTrainer, relativeError } from "../reference/index.ts";
import { tensorParallelGradient } from "../reference/tensor-parallel.ts";
import { prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { Lanes } from "./lanes.ts";
import { joinParts, partOf, rankShape, sharesOf } from "./parts.ts";
import { islandPorts } from "./port.ts";

const standard = tinyModel({
  dModel: 32,
  heads: 4,
  kvHeads: 2,
  dFfn: 44,
  vocabSize: 37,
  contextLength: 12,
  tiedEmbedding: false,
});
/** Its first layer is computed again, while sums of the second one cross. */
const ladder = { ...standard, residual: "ladder" } as const;
const random = prng(11);
const flat = Float32Array.from(randomParameters(random, standard, 0.1));
const microbatches = [1, 2, 3].map(() => randomIds(random, 2 * 13, standard.vocabSize));
const adapter = await sharedAdapter();
const options = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 0.5 };

async function openIsland(model: ModelShape, ranks: number, exchange: Exchange, form: Form, chains: 1 | 2) {
  const recomputedLayers = model.residual ? 1 : 0;
  const shares = sharesOf(model, ranks);
  return Promise.all(
    islandPorts(ranks).map(async (port, rank) => {
      const membership = { lanes: new Lanes(port), reduce: { exchange, form }, ranks, chains };
      const given = { model: rankShape(model, shares[rank]), microbatch: 2, recomputedLayers, adapter };
      const engine = await createWebGpuEngine(given, {}, membership);
      engine.load(partOf(model, shares[rank], flat));
      return engine;
    }),
  );
}

const truthOf = (model: ModelShape, ranks: number, exchange: Exchange) => {
  const parts = microbatches.map((ids) =>
    tensorParallelGradient({ model, ranks, exchange }, Float64Array.from(flat), ids, 2),
  );
  const gradient = parts[0].gradient.map(
    (_, i) => parts.reduce((sum, part) => sum + part.gradient[i], 0) / parts.length,
  );
  return { loss: parts.reduce((sum, { loss }) => sum + loss, 0) / parts.length, gradient };
};

describe.each([
  [2, "f32", "reduce-scatter", 2, standard],
  [4, "int8", "direct", 2, standard],
  [2, "int8", "star", 1, standard],
  [2, "f32", "reduce-scatter", 1, ladder],
  [3, "int8", "direct", 2, ladder],
] as const)("%i ranks, %s, %s, microbatches in flight: %i, $4.residual", (ranks, exchange, form, chains, model) => {
  let engines: Awaited<ReturnType<typeof openIsland>>;
  beforeAll(async () => {
    engines = await openIsland(model, ranks, exchange, form, chains);
  });
  afterAll(() => {
    for (const engine of engines) engine.destroy();
  });

  test("gradients of every tensor, and the loss", async () => {
    const given = await Promise.all(engines.map((engine) => engine.gradient(microbatches)));
    const windows = microbatches.flatMap((ids) => [ids.slice(0, 13), ids.slice(13)]);
    const evaluated = await Promise.all(engines.map((engine) => engine.evaluate(windows)));
    const { exchanges, bytes } = engines[1].rank?.totals ?? { exchanges: 0, bytes: 0 };

    const gradient = joinParts(
      model,
      given.map(({ gradient }) => gradient),
    );
    const [exact, same] = [truthOf(model, ranks, "f32"), truthOf(model, ranks, exchange)];
    for (const { name, offset, length } of parameterTable(model).tensors) {
      const place = [offset, offset + length] as const;
      const error = relativeError(gradient.subarray(...place), exact.gradient.subarray(...place));
      expect(error, name).toBeLessThan(exchange === "f32" ? 1e-4 : 6e-2);
    }
    // A star's sums are coded once more than the reference's; codes that are ties fall either way.
    if (form !== "star") expect(relativeError(gradient, same.gradient)).toBeLessThan(exchange === "f32" ? 1e-4 : 1e-2);
    for (const loss of [...given.map(({ loss }) => loss), ...evaluated]) {
      expect(loss).toBe(given[0].loss); // everybody's bits, and the same forward pass
      expect(Math.abs(loss / exact.loss - 1)).toBeLessThan(exchange === "f32" ? 1e-5 : 1e-2);
    }
    expect(exchanges).toBe(3 * (4 + 2) * model.layers); // forward and backward; the evaluation forward
    const each = 24 * 32 * (exchange === "f32" ? 4 : 1 + 4 / 64);
    const parts = { direct: ranks - 1, "reduce-scatter": (2 * (ranks - 1)) / ranks, star: 1 };
    expect(bytes).toBe(exchanges * each * parts[form]);
  });

  test("steps follow the whole model's: the clipped norm is of all parts, and what is everybody's stays the same", async () => {
    const truth = new ReferenceTrainer(model, Float64Array.from(flat));
    const close = exchange === "f32" ? 1 : 300;
    for (let step = 0; step < 5; step++) {
      const reports = await Promise.all(engines.map((engine) => engine.step(microbatches, options)));
      const expected = truth.step(microbatches, options);
      for (const { loss, gradNorm } of reports) {
        expect(Math.abs(loss - expected.loss)).toBeLessThan(close * 1e-4);
        expect(Math.abs(gradNorm / expected.gradNorm - 1)).toBeLessThan(close * 1e-3);
      }
    }
    const parts = await Promise.all(engines.map((engine) => engine.read()));
    expect(relativeError(joinParts(model, parts), truth.parameters)).toBeLessThan(close * 1e-3);
    const shares = sharesOf(model, ranks);
    for (const name of ["model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"]) {
      const of = (rank: number): Float32Array => {
        const tensor = parameterTable(rankShape(model, shares[rank])).tensors.find((each) => each.name === name);
        return parts[rank].subarray(tensor?.offset, (tensor?.offset ?? 0) + (tensor?.length ?? 0));
      };
      for (let rank = 1; rank < ranks; rank++) expect(of(rank), name).toEqual(of(0));
    }
  });
});

test("who loses the others in the middle of a step is told, and nothing waits for ever", async () => {
  const shares = sharesOf(standard, 2);
  const [port, other] = islandPorts(2);
  const membership = {
    lanes: new Lanes(port),
    reduce: { exchange: "int8", form: "direct" },
    ranks: 2,
    chains: 2,
  } as const;
  const given = { model: rankShape(standard, shares[0]), microbatch: 2, adapter };
  const engine = await createWebGpuEngine(given, {}, membership);
  engine.load(partOf(standard, shares[0], flat));
  const step = engine.step(microbatches, options);
  await other.receive(0); // its first sum has left
  other.end("a tab was closed");
  await expect(step).rejects.toThrow("The island fell apart: a tab was closed");
  engine.destroy();
});
