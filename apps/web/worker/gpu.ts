// What this machine trains on, GPU or processor, and an engine on it with the microbatch that trains fastest among those that fit.
import {
  type AdapterDescription,
  calibrate,
  createEngine,
  DeviceLostError,
  describeAdapter,
  type Engine,
  type FastestBackend,
  fastestBackend,
  findCpu,
  GpuError,
  ModelTooLargeError,
  type OpenColdStore,
  OutOfMemoryError,
} from "#engine";
import { codecOf } from "#outer";
import type { Settings } from "#store";
import type { RunSpec } from "#wire";
import { browserOf } from "../machine.ts";
import { attemptsOf, keepsAll, markedAttemptsOf } from "../memory-need.ts";
import type { Problem } from "../window/types.ts";
import type { StartConfig } from "./api.ts";
import { problems } from "./problems.ts";

/** A state of this machine that a person must change. */
export class BlockedError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.name = "BlockedError";
    this.problem = problem;
  }
}

/** Tests on software adapters are about the kernels in WGSL, as they are, unless their address says otherwise; everybody else gets what is faster. */
const MEASURES = !import.meta.env.VITE_TEST_HOOKS;

/** Which backend was faster on this software adapter, and by which build: measured once. */
const MEASURED_KEY = "backend";

interface Measured extends FastestBackend {
  readonly of: string;
}

/**
 * What this machine trains on: the person's wish; a GPU when there is one; else what is faster, a software adapter or the processor.
 * Rejects with BlockedError.
 */
export async function findDevice(
  { backend, island, build }: Pick<StartConfig, "backend" | "island" | "build">,
  settings: Settings,
  onMeasure: () => void,
): Promise<AdapterDescription> {
  const wish = backend ?? (island === null ? null : "webgpu"); // islands are of GPUs
  if (!self.isSecureContext) throw new BlockedError(problems.insecureContext());
  const cpu = findCpu()?.adapter;
  if (wish === "wasm" && cpu) return cpu;
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) {
    if (cpu && wish === null) return cpu;
    const browser = browserOf(navigator.userAgent);
    throw new BlockedError(navigator.gpu === undefined ? problems.noWebGpu(browser) : problems.noAdapter(browser));
  }
  const description = describeAdapter(adapter);
  if (wish === "webgpu" || !cpu || !MEASURES) return description;
  return fasterDevice(description, cpu, build, settings, onMeasure);
}

/** A GPU, or what is faster: its software adapter or the processor. */
export async function fasterDevice(
  gpu: AdapterDescription,
  cpu: AdapterDescription,
  build: string,
  settings: Settings,
  onMeasure: () => void,
): Promise<AdapterDescription> {
  if (!gpu.isFallback) return gpu;
  const of = [build, gpu.vendor, gpu.architecture, gpu.description, cpu.description].join("|");
  const known = (await settings.get(MEASURED_KEY).catch(() => undefined)) as Measured | undefined;
  if (known?.of === of) return known.backend === "wasm" ? cpu : gpu;
  onMeasure();
  const measured: Measured = { of, ...(await fastestBackend()) };
  await settings.set(MEASURED_KEY, measured).catch(() => {}); // then the next start measures again
  return measured.backend === "wasm" ? cpu : gpu;
}

/** What another engine takes over from the one before it. */
export interface Before {
  readonly microbatchMax: number;
  readonly keepsMark: boolean;
}

export interface EngineWish {
  readonly spec: RunSpec;
  /** What findDevice chose. */
  readonly adapter: AdapterDescription;
  readonly build: string;
  readonly settings: Settings;
  /** So much of the device's memory and no more. */
  readonly memoryBytes?: number | undefined;
  /** Where moments may lie outside of it; absent: nowhere. */
  readonly cold?: OpenColdStore | undefined;
  /** None: of the microbatches that fit the one that trains fastest here. */
  readonly before?: Before | undefined;
}

/** An engine whose kernels compute rightly on this machine; which of them to cut otherwise it finds out beside training. Rejects with BlockedError or DeviceLostError. */
export async function openEngine(wish: EngineWish): Promise<Engine> {
  const engine = await engineFor(wish);
  if (MEASURES) void engine.tune?.(wish.settings);
  return engine;
}

/** Whether there is such an engine here. Rejects as openEngine does. What it measured is remembered: the next start is faster. */
export async function tryEngine(wish: EngineWish): Promise<void> {
  (await engineFor(wish)).destroy();
}

async function engineFor(wish: EngineWish): Promise<Engine> {
  const { spec, before } = wish;
  if (before) return checked(await largestThatFits(wish, before.microbatchMax, before.keepsMark));
  const { windowsPerStep } = spec.inner;
  const known = await fastestKnown(wish);
  const started = performance.now();
  const engine = await checked(await largestThatFits(wish, known ?? windowsPerStep));
  if (known !== undefined) return engine;
  const keepsMark = engine.mark !== undefined;
  const calibrated = await calibrate({
    engine,
    sequences: windowsPerStep,
    openedInMs: performance.now() - started,
    open: (microbatch) => createEngine({ microbatch, keepsMark, ...engineOf(wish) }),
    now: () => performance.now(),
  });
  const { microbatch } = calibrated.engine;
  if (calibrated.measured.length > 1)
    await wish.settings.set(CALIBRATED_KEY, { of: calibratedFor(wish), microbatch }).catch(() => {}); // then the next start measures again
  return calibrated.engine === engine ? engine : checked(calibrated.engine);
}

const engineOf = ({ spec, adapter, memoryBytes }: EngineWish) => ({
  ...{ model: spec.model, lora: spec.lora, codec: codecOf(spec).onDevice, backend: adapter.backend },
  ...(memoryBytes === undefined ? {} : { memoryBytes }),
});

async function checked(engine: Engine): Promise<Engine> {
  const report = await engine.conformance();
  if (report.failed.length === 0) return engine;
  engine.destroy();
  throw new BlockedError(problems.wrongResults(report));
}

/** How many sequences at once train fastest: measured once for this build, device and model. */
const CALIBRATED_KEY = "microbatch";

const calibratedFor = ({ spec, adapter, build }: EngineWish): string =>
  [
    build,
    ...Object.values(adapter),
    spec.inner.windowsPerStep,
    ...Object.values(spec.model),
    ...Object.values(spec.lora ?? {}),
  ].join("|");

async function fastestKnown(wish: EngineWish): Promise<number | undefined> {
  const known = (await wish.settings.get(CALIBRATED_KEY).catch(() => undefined)) as
    | { readonly of: string; readonly microbatch: number }
    | undefined;
  return known?.of === calibratedFor(wish) ? known.microbatch : undefined;
}

async function largestThatFits(wish: EngineWish, microbatchMax: number, keepsMark?: boolean): Promise<Engine> {
  let last: unknown;
  const { spec } = wish;
  const attempts =
    wish.adapter.backend === "wasm"
      ? attemptsOf(spec, microbatchMax).filter(keepsAll)
      : markedAttemptsOf(spec, microbatchMax, keepsMark);
  for (const { cold, ...attempt } of attempts) {
    if (cold && !wish.cold) continue;
    try {
      return await createEngine({ ...attempt, cold: cold ? wish.cold : undefined, ...engineOf(wish) }); // asks for an adapter of its own: each gives one device only
    } catch (error) {
      last = error;
      if (!(error instanceof ModelTooLargeError) && !isOutOfMemory(error)) break;
    }
  }
  if (last instanceof ModelTooLargeError) throw new BlockedError(problems.modelTooLarge(last));
  if (isOutOfMemory(last)) throw new BlockedError(problems.outOfMemory(last));
  if (last instanceof DeviceLostError) throw last;
  if (last instanceof GpuError) throw new BlockedError(problems.gpuFailed(last));
  throw last;
}

export const isOutOfMemory = (error: unknown): boolean => error instanceof OutOfMemoryError;
