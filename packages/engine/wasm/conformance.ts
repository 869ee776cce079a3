// Does WASM compute rightly here? A small model of odd sizes, in as many threads and the same SIMD: every kernel, judged tensor by tensor.
//
//   gradient of each tensor, then one step of AdamW, against the CPU reference -> checks -> report
import { adapterTable, parameterTable } from "#outer";
import type { LoraShape, ModelShape } from "#wire";
import { type Check, compare, fails } from "../conformance/check.ts";
import type { ConformanceReport } from "../conformance/index.ts";
import type { AdapterDescription } from "../engine.ts";
import { lossAndGradient, ReferenceLoraTrainer, ReferenceTrainer } from "../reference/index.ts";
import { normals, prng, randomIds, randomParameters, tinyModel } from "../reference/testing.ts";
import { createWasmEngine, type WasmOptions } from "./wasm-engine.ts";

const GRADIENT_ERROR = 1e-4;
/** Of a rank that is no whole vector, beside one of q, k and v and behind the widest layer. */
const LORA: LoraShape = { rank: 3, alpha: 6, targets: ["k", "down"] };
/** A step divides by the gradient's size: where that is near zero, its rounding shows. */
const STEP_ERROR = 1e-3;
const OPTIONS = { learningRate: 1e-2, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

export async function checkWasm(
  options: Pick<WasmOptions, "threads" | "relaxed">,
  adapter: AdapterDescription,
  trainsAdapters = false,
): Promise<ConformanceReport> {
  const started = performance.now();
  const model = tinyModel({ dModel: 36, heads: 3, kvHeads: 1, dFfn: 52, vocabSize: 131, contextLength: 29 });
  const random = prng(1);
  const flat = Float32Array.from(randomParameters(random, model, 0.1));
  const ids = randomIds(random, 3 * 30, model.vocabSize);
  const engine = await createWasmEngine({ ...options, model, microbatch: 3 });
  try {
    engine.load(flat);
    const own = await engine.gradient([ids]);
    await engine.step([ids], OPTIONS);
    const parameters = await engine.read();
    const truth = lossAndGradient(model, flat, ids, 3);
    const trainer = new ReferenceTrainer(model, flat);
    trainer.step([ids], OPTIONS);
    const kernel = { label: "wasm" };
    const moved = (to: Float32Array): Float32Array => to.map((x, i) => x - flat[i]);
    const checks: Check[] = [
      compare(kernel, "loss", [own.loss], [truth.loss], GRADIENT_ERROR),
      compare(kernel, "step", moved(parameters), moved(trainer.parameters), STEP_ERROR),
      ...parameterTable(model).tensors.map(({ name, offset, length }) => {
        const part = (x: Float32Array): Float32Array => x.subarray(offset, offset + length);
        return compare(kernel, name, part(own.gradient), part(truth.gradient), GRADIENT_ERROR);
      }),
    ];
    if (trainsAdapters) checks.push(...(await checkAdapters(options, model, flat, ids)));
    const ms = Math.round(performance.now() - started);
    return { version: 1, adapter, checks: checks.length, failed: checks.filter(fails), ms };
  } finally {
    engine.destroy();
  }
}

/** The same model as a base: what adapters beside it add, their gradient, and what is merged after a step. */
async function checkAdapters(
  options: Pick<WasmOptions, "threads" | "relaxed">,
  model: ModelShape,
  base: Float32Array,
  ids: Uint16Array,
): Promise<Check[]> {
  const { length } = adapterTable(model, LORA);
  const adapters = Float32Array.from(normals(prng(2), length, 0.1));
  const engine = await createWasmEngine({ ...options, model, microbatch: 3, lora: LORA });
  try {
    engine.loadBase(base);
    engine.load(adapters);
    const own = await engine.gradient([ids]);
    await engine.step([ids], OPTIONS);
    const after = await engine.evaluate([ids.subarray(0, model.contextLength + 1)]);
    const truth = new ReferenceLoraTrainer(model, LORA, base, adapters);
    const { gradient } = truth.gradient([ids]);
    truth.step([ids], OPTIONS);
    const merged = truth.evaluate([ids.subarray(0, model.contextLength + 1)]);
    const kernel = { label: "wasm adapters" };
    return [
      compare(kernel, "gradient", own.gradient, gradient, GRADIENT_ERROR),
      compare(kernel, "loss of what is merged", [after], [merged], GRADIENT_ERROR),
    ];
  } finally {
    engine.destroy();
  }
}
