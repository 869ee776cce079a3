// The engine on WASM SIMD, in threads of its own: for machines without a usable GPU. Same interface, same arithmetic as the one on WebGPU.
//
//   step = for each microbatch { ids -> memory; train } ; update ; report -> {loss, gradNorm}
import type { ModelShape } from "#wire";
import type { ConformanceReport } from "../conformance/index.ts";
import type { AdapterDescription, Engine, EngineOptions, Gradient, StepOptions, StepReport } from "../engine.ts";
import { DeviceLostError, GpuError } from "../errors.ts";
import { ropeTables } from "../kernels/rope.ts";
import { batchOf, groupsOf, NO_UPDATE } from "../model/batch.ts";
import { type FlatLayout, type Layout, layoutOf, takeFromEngine, toEngine } from "../model/layout.ts";
import { Turns } from "../turns.ts";
import { baseOf, placeAdapters, type WasmAdapters } from "./adapters.ts";
import { type Arena, CONTROL_AT } from "./arena.ts";
import { findCpu } from "./cpu.ts";
import { kernelModule } from "./kernels.ts";
import { type Programs, recordPrograms } from "./passes.ts";
import { planArena, type Sizes, sizesOf } from "./sizes.ts";
import { packStep, REPORT, REPORT_BYTES } from "./step.ts";
import { type Command, Threads } from "./threads.ts";

/** As on WebGPU: a queue of more only grows memory. */
const STEPS_IN_FLIGHT = 2;

export interface WasmOptions extends Pick<EngineOptions, "model" | "microbatch" | "threads" | "memoryBytes" | "lora"> {
  /** Default: relaxed SIMD where there is any. */
  readonly relaxed?: boolean;
}

/** Rejects with ModelTooLargeError, OutOfMemoryError or GpuError. */
export async function createWasmEngine(options: WasmOptions): Promise<WasmEngine> {
  const { model, microbatch } = options;
  const cpu = findCpu(options);
  if (!cpu) throw new GpuError("This browser's WebAssembly has no SIMD: use a recent Chrome, Edge, Firefox or Safari.");
  const { threads, relaxed, adapter } = cpu;
  const layout = layoutOf(model);
  const sizes = sizesOf(model, microbatch, layout);
  const adapters = options.lora && placeAdapters(model, layout, options.lora);
  const arena = planArena(model, { layout, adapters }, sizes, threads);
  arena.check(layout.parameters, microbatch, options.memoryBytes);
  const programs = recordPrograms({ model, layout, adapters, sizes, arena });
  const bytes = kernelModule({ pages: arena.pages, shared: threads > 1, relaxed });
  const group = await Threads.open({
    module: await WebAssembly.compile(bytes),
    pages: arena.pages,
    control: CONTROL_AT,
    scratch: Array.from({ length: threads }, (_, i) => arena.at(`scratch.${i}`)),
    programs: { ...programs },
  });
  return new WasmEngine(
    adapter,
    { model, layout, adapters, sizes, arena, programs, made: { threads, relaxed } },
    group,
  );
}

interface Parts {
  readonly model: ModelShape;
  readonly layout: Layout;
  readonly adapters: WasmAdapters | undefined;
  readonly sizes: Sizes;
  readonly arena: Arena;
  readonly programs: Programs;
  readonly made: Pick<WasmOptions, "threads" | "relaxed">;
}

export class WasmEngine implements Engine {
  readonly adapter: AdapterDescription;
  readonly model: ModelShape;
  readonly microbatch: number;
  readonly allocatedBytes: number;
  readonly parameters: number;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly #layout: Layout;
  readonly #adapters: WasmAdapters | undefined;
  /** What is loaded, read and stepped. */
  readonly #trained: FlatLayout;
  readonly #sizes: Sizes;
  readonly #arena: Arena;
  readonly #threads: Threads;
  readonly #programs: Programs;
  readonly #turns = new Turns(STEPS_IN_FLIGHT);
  readonly #made: Pick<WasmOptions, "threads" | "relaxed">;
  #updates = 0; // since the moments were zeroed

  constructor(
    adapter: AdapterDescription,
    { model, layout, adapters, sizes, arena, programs, made }: Parts,
    threads: Threads,
  ) {
    this.#made = made;
    this.#programs = programs;
    this.adapter = adapter;
    this.model = model;
    this.microbatch = sizes.B;
    this.allocatedBytes = arena.bytes;
    this.parameters = layout.parameters;
    this.lost = threads.lost;
    this.#layout = layout;
    this.#adapters = adapters;
    this.#trained = adapters ?? layout;
    this.#sizes = sizes;
    this.#arena = arena;
    this.#threads = threads;
    const { cosines, sines } = ropeTables(sizes.T, sizes.headSize, model.ropeTheta);
    this.#inOrder([this.#write("cosines", cosines.buffer), this.#write("sines", sines.buffer)]);
  }

  load(parameters: Float32Array): void {
    const { parameters: length } = this.#trained;
    if (parameters.length !== length)
      throw new RangeError(
        `the ${this.#adapters ? "run" : "model"} has ${length} parameters, got ${parameters.length}`,
      );
    const name = this.#adapters ? "adapters" : "parameters";
    this.#inOrder([this.#write(name, toEngine(this.#trained, parameters).buffer), ...this.#merged()]);
  }

  loadBase(parameters: Float32Array): void {
    const adapters = this.#adapters;
    if (!adapters) throw new Error("this engine trains all of its parameters: it has no base");
    const { parameters: length } = this.#layout;
    if (parameters.length !== length)
      throw new RangeError(`the base has ${parameters.length} parameters, the model ${length}`);
    const weights = toEngine(this.#layout, parameters);
    const base = this.#write("base", baseOf(adapters, weights).buffer);
    this.#inOrder([this.#write("parameters", weights.buffer), base, ...this.#merged()]);
  }

  resetMoments(): void {
    this.#inOrder([this.#clear("momentum"), this.#clear("variance")], () => {
      this.#updates = 0;
    });
  }

  async step(microbatches: readonly Uint16Array[], options: StepOptions): Promise<StepReport> {
    const batches = this.#batches(microbatches);
    return this.#turns.take(async () => {
      this.#updates++;
      return this.#report([...this.#gradient(batches, options), { run: "update" }], batches.length * this.#sizes.N);
    });
  }

  async evaluate(windows: readonly Uint16Array[]): Promise<number> {
    const { B, T } = this.#sizes;
    const commands = groupsOf(windows, B, T).flatMap(({ ids, rows }): Command[] => [
      this.#write("step", packStep(NO_UPDATE, 1, rows, windows.length * T)),
      ...this.#writeBatch(ids),
      { run: "evaluate" },
    ]);
    const { loss } = await this.#turns.takeAll(() =>
      this.#report([this.#clear("report", REPORT_BYTES), ...commands], windows.length * T),
    );
    return loss;
  }

  async read(): Promise<Float32Array> {
    return this.#turns.take(() => this.#readVector(this.#adapters ? "adapters" : "parameters"));
  }

  async conformance(): Promise<ConformanceReport> {
    const { checkWasm } = await import("./conformance.ts"); // the reference is large, and only asked once
    return this.#turns.takeAll(async () => {
      await this.#threads.call([]); // a lost engine does not answer for another
      return checkWasm(this.#made, this.adapter, this.#adapters !== undefined);
    });
  }

  async gradient(microbatches: readonly Uint16Array[]): Promise<Gradient> {
    const batches = this.#batches(microbatches);
    return this.#turns.takeAll(async () => {
      const { loss } = await this.#report(this.#gradient(batches, NO_UPDATE), batches.length * this.#sizes.N);
      const gradient = await this.#readVector("gradient");
      await this.#threads.call([this.#clear("gradient")]);
      return { loss, gradient };
    });
  }

  /** Phases of one microbatch and of one update, for the bench. */
  get dispatches(): { readonly microbatch: number; readonly update: number } {
    return { microbatch: this.#programs.train.length, update: this.#programs.update.length };
  }

  destroy(): void {
    this.#threads.end();
  }

  #batches(microbatches: readonly Uint16Array[]): Command[][] {
    if (microbatches.length === 0) throw new RangeError("a step needs at least one microbatch");
    return microbatches.map((ids) => this.#writeBatch(ids));
  }

  #gradient(batches: readonly Command[][], options: StepOptions): Command[] {
    const { N } = this.#sizes;
    return [
      this.#clear("report", REPORT_BYTES),
      this.#write(
        "step",
        packStep(options, Math.max(1, this.#updates), N, (N * batches.length) / (this.#adapters?.scale ?? 1)),
      ),
      ...batches.flatMap((batch) => [...batch, { run: "train" }]),
    ];
  }

  async #report(commands: readonly Command[], tokens: number): Promise<StepReport> {
    const [report] = await this.#threads.call(commands, [{ at: this.#arena.at("report"), bytes: REPORT_BYTES }]);
    const view = new DataView(report);
    return {
      loss: view.getFloat64(REPORT.lossSum, true) / tokens,
      gradNorm: view.getFloat64(REPORT.gradNorm, true),
      skipped: false,
    };
  }

  async #readVector(name: string): Promise<Float32Array> {
    const [bytes] = await this.#threads.call([], [{ at: this.#arena.at(name), bytes: 4 * this.#trained.length }]);
    const flat = new Float32Array(this.#trained.parameters);
    takeFromEngine(this.#trained, new Float32Array(bytes), 0, flat);
    return flat;
  }

  /** Behind what was queued before. A lost device rejects what is asked of it next. */
  #inOrder(commands: readonly Command[], then: () => void = () => {}): void {
    void this.#turns
      .take(async () => {
        then();
        await this.#threads.call(commands);
      })
      .catch((error: unknown) => {
        if (!(error instanceof DeviceLostError)) throw error;
      });
  }

  #writeBatch(windows: Uint16Array): Command[] {
    const { B, T } = this.#sizes;
    const { ids, targets } = batchOf(windows, B, T, this.model.vocabSize);
    return [this.#write("ids", ids.buffer), this.#write("targets", targets.buffer)];
  }

  #merged(): Command[] {
    return this.#adapters ? [{ run: "merge" }] : [];
  }

  #write(name: string, data: ArrayBuffer): Command {
    return { write: this.#arena.at(name), data };
  }

  /** A flat vector, unless it says how many bytes. */
  #clear(name: string, bytes = 4 * this.#trained.length): Command {
    return { clear: this.#arena.at(name), bytes };
  }
}
