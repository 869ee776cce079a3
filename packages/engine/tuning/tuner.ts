// Finds the faster variants on this device while it trains: on a device of its own, a few milliseconds at a time, what was found kept for the next start.
//
//   workloads -> known ones from the record | the others: compile, compare with the reference, time beside the default in turn -> record
//
// A variant that does not compile, computes wrongly, is slower or loses its device leaves everything as it was: the default stays.

import { fails } from "../conformance/check.ts";
import { checkTuned } from "../conformance/index.ts";
import { KernelRunner } from "../conformance/runner.ts";
import { lostSoon } from "../device/crossing.ts";
import {
  type CompiledKernel,
  type CompiledKernels,
  compileKernel,
  type Kernel,
  tileName,
  type Variant,
} from "../device/kernel.ts";
import type { AdapterDescription } from "../engine.ts";
import { TuningOverError } from "../errors.ts";
import { type Gain, TuningRecord, type TuningStore } from "./record.ts";
import { Trial } from "./trial.ts";
import type { Workload } from "./workload.ts";

/** Less is noise, and no reason for one more pipeline. */
const GAIN_MIN = 1.05;
/** Each variant beside the default, in turn. The median of so many ratios decides, and a variant that lost more than one round was lucky in the others. */
const ROUNDS = 7;
const LOST_MAX = 1;
/** Of measurements, in one start: what is left is measured at the next one. */
const DEVICE_MS_MAX = 4_000;
/** A compiler that is not through by then makes a start late another time; most take a tenth of a second, a software adapter's up to one. */
const COMPILE_MS_MAX = 10_000;

export interface TunerOptions {
  readonly adapter: AdapterDescription;
  readonly variant: Variant;
  readonly workloads: readonly Workload[];
  readonly store: TuningStore;
  /** Another device of the same adapter; it ends with the tuner. */
  readonly open: () => Promise<GPUDevice>;
  /** Runs a few milliseconds of work while nothing else runs. Rejects with TuningOverError. */
  readonly quietly: <T>(work: () => Promise<T>) => Promise<T>;
}

interface Tuned extends Gain {
  readonly workload: Workload;
  readonly variant: Variant;
  /** From an earlier start. */
  readonly known: boolean;
}

export interface TuningReport {
  /** What each workload takes from now on, the default included. */
  readonly tuned: readonly Tuned[];
  /** Why something was left as it was. */
  readonly faults: readonly string[];
  /** That measurements had the device. */
  readonly deviceMs: number;
}

/** Never rejects: what goes wrong is among the faults. */
export async function tune(options: TunerOptions): Promise<TuningReport> {
  const { workloads, store } = options;
  const tuned: Tuned[] = [];
  const faults: string[] = [];
  let search: Search | undefined;
  try {
    const names = await namesOf(options);
    const record = await TuningRecord.load(store);
    for (const workload of workloads) {
      const known = knownOf(workload, record.gainOf(names(workload)), options.variant);
      if (known) tuned.push(known);
      else if (!record.isRefused(names(workload))) {
        search ??= await Search.begin(options, record, names, faults);
        if (search.deviceMs >= DEVICE_MS_MAX) break;
        tuned.push(await search.best(workload));
      }
    }
  } catch (error) {
    faults.push(messageOf(error));
  } finally {
    search?.end();
  }
  return { tuned, faults, deviceMs: Math.round(search?.deviceMs ?? 0) };
}

function knownOf(workload: Workload, gain: Gain | undefined, variant: Variant): Tuned | undefined {
  const variants = [variant, ...workload.tuning.candidates(variant)];
  const chosen = gain && variants.find((one) => tileName(one) === gain.tile);
  return chosen && { workload, variant: chosen, known: true, tile: gain.tile, gain: gain.gain };
}

/** The device of its own, and what is compiled on it so far. */
class Search {
  readonly #options: TunerOptions;
  readonly #record: TuningRecord;
  readonly #names: Names;
  readonly #faults: string[];
  readonly #device: GPUDevice;
  readonly #defaults = new Map<Kernel, CompiledKernel>();
  readonly #others = new Map<Kernel, readonly CompiledKernel[]>();
  #lost: string | undefined;
  #ended = false;
  deviceMs = 0;

  private constructor(options: TunerOptions, record: TuningRecord, names: Names, faults: string[], device: GPUDevice) {
    this.#options = options;
    this.#record = record;
    this.#names = names;
    this.#faults = faults;
    this.#device = device;
    device.addEventListener("uncapturederror", ({ error }) => {
      this.#lost ??= error.message; // whatever it was: its times are worth nothing
    });
    void device.lost.then(({ message }) => {
      if (!this.#ended) this.#lost ??= `the device that is measured on was lost: ${message}`;
    });
  }

  static async begin(options: TunerOptions, record: TuningRecord, names: Names, faults: string[]): Promise<Search> {
    return new Search(options, record, names, faults, await options.open());
  }

  /** The default unless another one is clearly faster. */
  async best(workload: Workload): Promise<Tuned> {
    const first = await this.#default(workload.kernel);
    const others = await this.#candidates(workload);
    const ratios = await this.#tried(this.#names(workload), () => this.#race(workload, first, others));
    let [best, gain] = [first, 1];
    for (const [compiled, own] of ratios) {
      const sorted = own.toSorted((a, b) => a - b);
      const ratio = sorted[own.length >> 1];
      if (ratio >= GAIN_MIN && ratio > gain && sorted[LOST_MAX] > 1) [best, gain] = [compiled, ratio];
    }
    const found = { tile: tileName(best.variant), gain };
    await this.#record.measured(this.#names(workload), found);
    return { ...found, workload, variant: best.variant, known: false };
  }

  end(): void {
    this.#ended = true;
    this.#device.destroy();
  }

  /** Default over candidate, a ratio for each round. */
  async #race(
    workload: Workload,
    first: CompiledKernel,
    others: readonly CompiledKernel[],
  ): Promise<Map<CompiledKernel, number[]>> {
    if (others.length === 0) return new Map();
    const trial = await Trial.open(this.#device, workload, first.variant);
    try {
      const kept = await this.#timed(() => trial.size(first, others));
      const ratios = new Map(kept.slice(1).map((compiled): [CompiledKernel, number[]] => [compiled, []]));
      for (let round = 0; round < ROUNDS && ratios.size > 0 && this.#lost === undefined; round++) {
        await this.#timed(async () => {
          const firstMs = await trial.run(first);
          for (const [compiled, own] of ratios) own.push(firstMs / (await trial.run(compiled)));
        });
      }
      return ratios;
    } finally {
      trial.free();
    }
  }

  #timed<T>(work: () => Promise<T>): Promise<T> {
    return this.#options.quietly(async () => {
      const before = performance.now();
      try {
        return await work();
      } finally {
        this.deviceMs += performance.now() - before;
      }
    });
  }

  async #default(kernel: Kernel): Promise<CompiledKernel> {
    const known = this.#defaults.get(kernel);
    if (known) return known;
    const compiled = await compileKernel(this.#device, kernel, this.#options.variant);
    this.#defaults.set(kernel, compiled);
    return compiled;
  }

  /** Compiled and compared with the reference. */
  async #candidates({ kernel, tuning }: Workload): Promise<readonly CompiledKernel[]> {
    const known = this.#others.get(kernel);
    if (known) return known;
    const sound: CompiledKernel[] = [];
    for (const variant of tuning.candidates(this.#options.variant)) {
      const name = this.#names({ key: `${kernel.label} ${tileName(variant)}`, kernel });
      if (this.#record.isRefused(name)) continue;
      try {
        sound.push(await this.#tried(name, () => this.#checked(kernel, variant)));
      } catch (error) {
        if (this.#lost !== undefined || error instanceof TuningOverError) throw error;
        this.#faults.push(`${kernel.label} ${tileName(variant)}: ${messageOf(error)}`);
      }
    }
    this.#others.set(kernel, sound);
    return sound;
  }

  /** Rejects when the variant does not compile, not in time, or computes wrongly. */
  async #checked(kernel: Kernel, variant: Variant): Promise<CompiledKernel> {
    this.#device.pushErrorScope("validation"); // of a text that is no shader: compileKernel says so itself
    const compiling = compileKernel(this.#device, kernel, variant);
    void this.#device.popErrorScope().catch(() => {});
    const compiled = await Promise.race([compiling, after(COMPILE_MS_MAX)]);
    if (!compiled) throw new Error(`not compiled after ${COMPILE_MS_MAX / 1000} s`);
    const fault = await this.#timed(() => faultOf(this.#device, compiled, this.#options.variant, this.#defaults));
    if (fault !== undefined) throw new Error(fault);
    return compiled;
  }

  /** Writes down that `name` runs, before, and how it ended. */
  async #tried<T>(name: string, work: () => Promise<T>): Promise<T> {
    await this.#record.trying(name);
    try {
      const result = await work();
      if (this.#lost !== undefined) throw new Error(this.#lost);
      await this.#record.ended(false);
      return result;
    } catch (error) {
      const over = error instanceof TuningOverError;
      if (!over) await lostSoon(this.#device);
      await this.#record.ended(!over);
      throw over || this.#lost === undefined ? error : new Error(this.#lost);
    }
  }
}

/** What the reference says of one compiled kernel; undefined: it computes rightly. @param others what else is compiled on that device */
export async function faultOf(
  device: GPUDevice,
  compiled: CompiledKernel,
  variant: Variant,
  others: CompiledKernels,
): Promise<string | undefined> {
  const runner = new KernelRunner(device, variant, new Map([...others, [compiled.kernel, compiled]]));
  try {
    const wrong = (await checkTuned(runner, compiled.kernel, variant.headSize)).find(fails);
    return wrong && `${wrong.tensor} is ${wrong.error.toPrecision(2)} from the reference, ${wrong.allowed} is allowed`;
  } finally {
    runner.end();
  }
}

type Names = (what: Pick<Workload, "key" | "kernel">) => string;

/** The adapter and the text of all that may be chosen of a kernel are part of a name: another of either is another measurement. */
async function namesOf({ adapter, variant, workloads }: TunerOptions): Promise<Names> {
  const { vendor, architecture, description } = adapter;
  const hashes = new Map<Kernel, string>();
  for (const kernel of new Set(workloads.map((workload) => workload.kernel))) {
    const variants = [variant, ...(kernel.tuning?.candidates(variant) ?? [])];
    const text = variants.map((one) => kernel.source(one)).join("\n");
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    const bytes = new Uint8Array(hash).subarray(0, 8);
    hashes.set(kernel, Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
  }
  return ({ key, kernel }) => [vendor, architecture, description, hashes.get(kernel), key].join("|");
}

const after = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(resolve, ms));

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
