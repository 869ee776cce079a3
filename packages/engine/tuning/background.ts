// Tuning beside training: nothing of it before the first steps, then a slice behind a step now and then, and at its end other pipelines between two steps.
//
//   steps done -> tune() -> compile on the training device -> compare once more -> plans use them
import { type OpenDevice, sameAdapter } from "../device/adapter.ts";
import { type CompiledKernel, type CompiledKernels, compileKernel, type Variant } from "../device/kernel.ts";
import type { Plan } from "../device/plan.ts";
import type { AdapterDescription } from "../engine.ts";
import { GpuError, TuningOverError } from "../errors.ts";
import type { TuningStore } from "./record.ts";
import type { TuningReport } from "./tuner.ts";
import { keyOf, type Workload } from "./workload.ts";

/** The first steps show how fast this device is, and whether it keeps up: nothing else has it then. */
const STEPS_BEFORE = 8;

/** Counts steps that have ended, and wakes who waits for one. */
export class Steps {
  #done = 0;
  #waiting: (() => void)[] = [];

  get done(): number {
    return this.#done;
  }

  count(): void {
    this.#done++;
    for (const go of this.#waiting.splice(0)) go();
  }

  async next(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

export interface Background {
  readonly store: TuningStore;
  readonly adapter: AdapterDescription;
  readonly device: GPUDevice;
  readonly compiled: CompiledKernels;
  readonly variant: Variant;
  readonly plans: readonly Plan[];
  readonly workloads: readonly Workload[];
  readonly steps: Steps;
  readonly lost: Promise<{ readonly message: string }>;
  /** Another device like the engine's. */
  readonly open: () => Promise<OpenDevice>;
  /** Runs work while the engine does nothing else. Rejects with TuningOverError when the engine has failed. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Never rejects: an engine trains without it. */
export async function tuneInBackground(given: Background): Promise<TuningReport> {
  const { adapter, variant, workloads, store } = given;
  /** Behind a step: a peer that rests or waits measures nothing. */
  const quietly = async <T>(work: () => Promise<T>): Promise<T> => {
    await stepEnds(given);
    return given.alone(work);
  };
  const open = async (): Promise<GPUDevice> => {
    const { device, description } = await given.open();
    if (sameAdapter(description, adapter)) return device;
    device.destroy();
    throw new GpuError("There is another adapter now than the one that trains.");
  };
  try {
    while (given.steps.done < STEPS_BEFORE) await stepEnds(given);
    const { tune, faultOf } = await import("./tuner.ts"); // with the reference, which is large
    const report = await tune({ adapter, variant, workloads, store, quietly, open });
    const { taken, faults } = await compileTuned(given, report, (compiled) =>
      quietly(() => faultOf(given.device, compiled, variant, given.compiled)),
    );
    await given.alone(async () => {
      for (const plan of given.plans) plan.use((kernel, shape) => taken.get(keyOf(kernel, shape)));
    });
    return { ...report, faults: [...report.faults, ...faults] };
  } catch (error) {
    return { tuned: [], faults: [error instanceof Error ? error.message : String(error)], deviceMs: 0 };
  }
}

async function stepEnds({ steps, lost }: Background): Promise<void> {
  const over = await Promise.race([steps.next(), lost]);
  if (over) throw new TuningOverError(over.message);
}

/** @returns pipelines of the training device by workload, and why some are not among them */
async function compileTuned(
  { device }: Background,
  { tuned }: TuningReport,
  faultOf: (compiled: CompiledKernel) => Promise<string | undefined>,
): Promise<{ taken: ReadonlyMap<string, CompiledKernel>; faults: string[] }> {
  const pipelines = new Map<string, CompiledKernel | undefined>(); // by kernel and tile; undefined: refused
  const taken = new Map<string, CompiledKernel>();
  const faults: string[] = [];
  for (const { workload, variant, tile } of tuned) {
    if (!variant.tile) continue; // the default
    const name = `${workload.kernel.label} ${tile}`;
    if (!pipelines.has(name)) {
      const compiled = await compileKernel(device, workload.kernel, variant);
      const fault = await faultOf(compiled);
      pipelines.set(name, fault === undefined ? compiled : undefined);
      if (fault !== undefined) faults.push(`${name}: ${fault}`);
    }
    const pipeline = pipelines.get(name);
    if (pipeline) taken.set(workload.key, pipeline);
  }
  return { taken, faults };
}
