// How fast the engine is, and how fast it could be: steps of the whole model beside the best plain matmul on the same adapter.
//
//   rounds of [ 512³ in each transposition | step ]  ->  medians: in turn, equally often and of like length, so that a busy machine's noise hits
//   both sides of the ratio alike
import { adaptersOf, genesisAdapters, parameterTable, toHalf } from "#outer";
import type { LoraShape, ModelShape } from "#wire";
import { forwardFlops } from "#wire/island-cost";
import type { ConformanceReport } from "./conformance/index.ts";
import { createWebGpuEngine } from "./create-webgpu.ts";
import { openDevice } from "./device/adapter.ts";
import { type CompiledKernels, compileKernels, type Kernel, widthOf } from "./device/kernel.ts";
import { type KernelProfile, Plan } from "./device/plan.ts";
import type { AdapterDescription, Precision } from "./engine.ts";
import { matmulFlops, matmulNn, matmulNt, matmulTn } from "./kernels/matmul.ts";
import { WasmMatmulBench } from "./wasm/matmul-bench.ts";
import { createWasmEngine } from "./wasm/wasm-engine.ts";

export interface EngineMeasurement {
  readonly adapter: AdapterDescription;
  readonly model: ModelShape;
  readonly microbatch: number;
  readonly parameters: number;
  readonly precision: Precision;
  readonly lora?: LoraShape;
  readonly allocatedBytes: number;
  /** On WASM: phases, between which the threads wait for each other. */
  readonly dispatchesPerStep: number;
  /** From the call of createEngine to the first loss. */
  readonly firstLossMs: number;
  readonly stepMs: number;
  readonly tokensPerSecond: number;
  readonly modelFlopsPerStep: number;
  readonly modelFlopsPerSecond: number;
  /** The best of `matmuls`. */
  readonly matmulFlopsPerSecond: number;
  readonly matmuls: Readonly<Record<string, number>>;
  readonly efficiency: number;
  /** First and last loss on one fixed random batch: a fast step that learns nothing would show. */
  readonly firstLoss: number;
  readonly lastLoss: number;
  readonly conformance: ConformanceReport;
  /** A step by kernel, each dispatch timed alone. */
  readonly kernels?: Readonly<Record<string, KernelProfile>>;
}

/**
 * Floating-point operations of a step: the products of the forward pass (linear layers, logits, causal attention), times three for forward and
 * backward. Norms, softmax, the optimizer and what is recomputed count nothing. With adapters no weight has a gradient; their own four products count.
 */
export function modelFlops(model: ModelShape, sequences: number, lora?: LoraShape): number {
  const { layers, contextLength: T } = model;
  const { layerLinear, layerAttention, head } = forwardFlops(model);
  const linear = sequences * (layers * layerLinear + head);
  const attention = sequences * layers * layerAttention;
  if (!lora) return 3 * (linear + attention);
  const sides = adaptersOf(model, lora).reduce((sum, { out, in: into }) => sum + out + into, 0);
  return 2 * linear + 3 * attention + 4 * sequences * T * lora.rank * sides;
}

export interface MeasureOptions {
  readonly model: ModelShape;
  readonly microbatch: number;
  readonly steps: number;
  readonly backend?: AdapterDescription["backend"]; // default: "webgpu"
  /** WebGPU only. */
  readonly recomputedLayers?: number | undefined;
  /** WebGPU only: of the model, and of the products beside it. */
  readonly precision?: Precision | undefined;
  /** Adapters are trained instead of all parameters. */
  readonly lora?: LoraShape | undefined;
  /** WebGPU only: also time each kernel alone. */
  readonly profile?: boolean;
}

const MATMUL_SHAPE = { M: 512, N: 512, K: 512 };
const PROFILE_ROUNDS = 10;
export const STEP = { learningRate: 3e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, clipNorm: 1 };

export async function measureEngine(options: MeasureOptions): Promise<EngineMeasurement> {
  const {
    model,
    microbatch,
    steps,
    profile,
    backend = "webgpu",
    recomputedLayers = 0,
    precision = "f32",
    lora,
  } = options;
  const started = performance.now();
  const make = backend === "wasm" ? createWasmEngine : createWebGpuEngine;
  const engine = await make({ model, microbatch, recomputedLayers, precision, lora });
  const { parameters, ids } = trainable(model, microbatch);
  if (lora) engine.loadBase?.(parameters);
  engine.load(lora ? genesisAdapters(model, lora, 1) : parameters);
  const { loss: firstLoss } = await engine.step([ids], STEP);
  const firstLossMs = performance.now() - started;
  const conformance = await engine.conformance();
  const bench = backend === "wasm" ? new WasmMatmulBench() : await MatmulBench.open(precision);
  const forms = ["nt", "nn", "tn"] as const;
  const matmuls = forms.map((form) => ({ name: `matmul-${form}`, ...bench.matmul({ form, ...MATMUL_SHAPE }) }));
  for (const { run } of matmuls) await run(1); // the first run of a pipeline may still compile

  const stepTimes: number[] = [];
  const matmulTimes: Record<string, number[]> = {};
  let lastLoss = firstLoss;
  for (let i = 0; i < steps; i++) {
    for (const { name, run } of matmuls) {
      const before = performance.now();
      await run(1);
      matmulTimes[name] = [...(matmulTimes[name] ?? []), performance.now() - before];
    }
    const before = performance.now();
    ({ loss: lastLoss } = await engine.step([ids], STEP)); // a peer runs ahead by one; waiting is the slower, honest case
    stepTimes.push(performance.now() - before);
  }
  const { microbatch: perMicrobatch, update } = engine.dispatches;
  const stepMs = median(stepTimes);
  const flops = matmulFlops(MATMUL_SHAPE);
  const perSecond = Object.fromEntries(
    Object.entries(matmulTimes).map(([name, times]) => [name, flops / (median(times) / 1000)]),
  );
  const matmulFlopsPerSecond = Math.max(...Object.values(perSecond));
  const modelFlopsPerStep = modelFlops(model, microbatch, lora);
  const modelFlopsPerSecond = modelFlopsPerStep / (stepMs / 1000);
  const kernels = profile && "profile" in engine ? await engine.profile(PROFILE_ROUNDS) : undefined;
  bench.destroy();
  engine.destroy();
  return {
    adapter: engine.adapter,
    model,
    microbatch,
    parameters: engine.parameters,
    precision,
    ...(lora && { lora }),
    allocatedBytes: engine.allocatedBytes,
    dispatchesPerStep: perMicrobatch + update,
    firstLossMs,
    stepMs,
    tokensPerSecond: (microbatch * model.contextLength) / (stepMs / 1000),
    modelFlopsPerStep,
    modelFlopsPerSecond,
    matmulFlopsPerSecond,
    matmuls: perSecond,
    efficiency: modelFlopsPerSecond / matmulFlopsPerSecond,
    firstLoss,
    lastLoss,
    conformance,
    ...(kernels && { kernels }),
  };
}

/** Where a model starts, and the one batch that it sees. */
export function trainable(model: ModelShape, microbatch: number) {
  const ids = Uint16Array.from(
    noise(microbatch * (model.contextLength + 1), 1),
    (x) => Math.floor(Math.abs(x) * 1e6) % model.vocabSize,
  );
  return { parameters: noise(parameterTable(model).length, 0.04), ids };
}

/** C (M, N) from A and B over K, by what is transposed: y = x Wᵀ, dx = dy W, dW += dyᵀ x. */
type MatmulForm = "nt" | "nn" | "tn";

export interface MatmulShape {
  readonly form: MatmulForm;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

const MATMULS = { nt: matmulNt, nn: matmulNn, tn: matmulTn };

/** Matrix products on a device of their own, each ready to be timed. */
export class MatmulBench {
  readonly #device: GPUDevice;
  readonly #compiled: CompiledKernels;
  readonly #half: boolean;

  private constructor(device: GPUDevice, compiled: CompiledKernels, half: boolean) {
    this.#device = device;
    this.#compiled = compiled;
    this.#half = half;
  }

  /** @param forms those that will be asked for: each takes a while to compile */
  static async open(
    precision: Precision = "f32",
    forms: readonly MatmulForm[] = ["nt", "nn", "tn"],
  ): Promise<MatmulBench> {
    const half = precision === "f16";
    const { device, quads, tiled } = await openDevice({ half });
    const variant = { quads, tiled, half, headSize: 4 };
    const kernels = forms.map((form) => MATMULS[form]);
    const compiled = await compileKernels(device, kernels as readonly unknown[] as readonly Kernel[], variant);
    return new MatmulBench(device, compiled, half);
  }

  /** The product of fixed operands. `run` queues it `times` times, in one pass, and waits for the last. */
  matmul({ form, ...shape }: MatmulShape): { run(times: number): Promise<void>; free(): void } {
    const { M, N, K } = shape;
    const product = MATMULS[form];
    const matrix = (name: "a" | "b" | "c", length: number, data?: Float32Array<ArrayBuffer>) => {
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
      const bytes = widthOf(product, name, this.#half);
      const buffer = this.#device.createBuffer({ size: length * bytes, usage });
      if (data) this.#device.queue.writeBuffer(buffer, 0, bytes === 2 ? toHalf(data) : data);
      return { buffer, offset: 0, length, half: bytes === 2 };
    };
    const views = {
      a: matrix("a", M * K, noise(M * K, 0.1)),
      b: matrix("b", N * K, noise(N * K, 0.1)),
      c: matrix("c", M * N),
    };
    const plans = new Map<number, Plan>();
    const planOf = (times: number): Plan => {
      const plan = new Plan(this.#device, this.#compiled, Number.POSITIVE_INFINITY);
      for (let i = 0; i < times; i++) plan.add(product, shape, views);
      plan.finish();
      plans.set(times, plan);
      return plan;
    };
    return {
      run: async (times) => {
        (plans.get(times) ?? planOf(times)).replay();
        await this.#device.queue.onSubmittedWorkDone();
      },
      free() {
        for (const plan of plans.values()) plan.destroy();
        for (const { buffer } of Object.values(views)) buffer.destroy();
      },
    };
  }

  destroy(): void {
    this.#device.destroy();
  }
}

/** So much work in one submission that its round trip is no part of the result. */
const SUBMISSION_MS = 50;
const REPEATS_MAX = 64;

/** Milliseconds of one of `run`'s repeats: the best of several rounds, each long enough to drown a round trip. */
export async function bestMs(run: (times: number) => Promise<number>, rounds: number): Promise<number> {
  await run(1); // may still compile
  const once = await run(1);
  const times = Math.max(1, Math.min(REPEATS_MAX, Math.round(SUBMISSION_MS / once)));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) best = Math.min(best, (await run(times)) / times);
  return best;
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Fixed numbers in (-size, size) that look random enough for a bench. */
const noise = (length: number, size: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(12.9898 * i + 78.233 * Math.sin(i)));
