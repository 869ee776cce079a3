// Which backend trains faster on this machine, measured: for machines whose WebGPU is a software adapter. A GPU needs no measuring.
//
//   a small model on WASM, then on WebGPU: steps of each -> the shorter one
import { parameterTable } from "#outer";
import type { ModelShape } from "#wire";
import { createWebGpuEngine } from "./create-webgpu.ts";
import type { AdapterDescription, Engine } from "./engine.ts";
import { findCpu } from "./wasm/cpu.ts";
import { createWasmEngine } from "./wasm/wasm-engine.ts";

/** As wide as the smallest runs, and as short as still fills the tiles: a step is some ms on WASM, some tens on a software adapter. */
const MODEL: ModelShape = {
  vocabSize: 128,
  dModel: 64,
  layers: 1,
  heads: 2,
  kvHeads: 2,
  dFfn: 128,
  contextLength: 64,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tiedEmbedding: true,
};
const MICROBATCH = 4;
/** The first step compiles; the least of the others is the machine's own, whatever else it does meanwhile. */
const STEPS = 5;
/** Compiling for a software adapter takes one to three seconds. One that is not through by then is no way to train. */
const WEBGPU_WAIT_MS = 6_000;
const STEP = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, clipNorm: 1 };

export interface FastestBackend {
  readonly backend: AdapterDescription["backend"];
  /** Milliseconds of a step; undefined: it did not run, or not in time. */
  readonly wasmMs: number | undefined;
  readonly webgpuMs: number | undefined;
}

/** Never rejects: a backend that fails is not the fastest. */
export async function fastestBackend(): Promise<FastestBackend> {
  const wasmMs = findCpu() && (await stepMs(createWasmEngine({ model: MODEL, microbatch: MICROBATCH })));
  const webgpu = stepMs(createWebGpuEngine({ model: MODEL, microbatch: MICROBATCH }));
  const webgpuMs = await (wasmMs === undefined ? webgpu : Promise.race([webgpu, after(WEBGPU_WAIT_MS)]));
  const isWasm = wasmMs !== undefined && (webgpuMs === undefined || wasmMs < webgpuMs);
  return { backend: isWasm ? "wasm" : "webgpu", wasmMs, webgpuMs };
}

const after = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(resolve, ms));

/** The shortest of a few steps; the engine ends with them. */
async function stepMs(opening: Promise<Engine>): Promise<number | undefined> {
  try {
    const engine = await opening;
    try {
      const { length } = parameterTable(MODEL);
      engine.load(Float32Array.from({ length }, (_, i) => 0.05 * Math.sin(12.9898 * i)));
      const ids = Uint16Array.from(
        { length: MICROBATCH * (MODEL.contextLength + 1) },
        (_, i) => (7 * i) % MODEL.vocabSize,
      );
      const times: number[] = [];
      for (let i = 0; i < STEPS; i++) {
        const before = performance.now();
        await engine.step([ids], STEP);
        times.push(performance.now() - before);
      }
      return Math.min(...times.slice(1));
    } finally {
      engine.destroy();
    }
  } catch {
    return undefined;
  }
}
