// Makes an engine on WebGPU: a device, kernels, memory, and every pass recorded.
import { type ColdStore, coldPartsOf, openCold } from "./cold-moments.ts";
import type { OpenDevice } from "./device/adapter.ts";
import { openDevice } from "./device/adapter.ts";
import { type Crossing, lostSoon } from "./device/crossing.ts";
import { compileKernels, type Kernel, type Variant } from "./device/kernel.ts";
import { FLOPS_PER_SUBMIT, Plan, slice } from "./device/plan.ts";
import { checked } from "./device/scopes.ts";
import { type Passes, recorded, Segments } from "./device/segments.ts";
import type { EngineOptions } from "./engine.ts";
import { DeviceLostError, GpuError, ModelTooLargeError } from "./errors.ts";
import { type AllReduce, shardsOf } from "./island/all-reduce.ts";
import type { Lanes } from "./island/lanes.ts";
import { Rank } from "./island/rank.ts";
import { Stage } from "./island/stage.ts";
import { LORA_KERNELS } from "./model/adapter-passes.ts";
import { exchangedBytes, type IslandCut, inFlightOf, type StageCut, suffixOf, sumsOf } from "./model/buffers.ts";
import { markKernelsOf, markPassesOf } from "./model/mark-passes.ts";
import { outlineOf } from "./model/outline.ts";
import { ALL_KERNELS, ISLAND_KERNELS, microbatchPassesOf, STAGE_KERNELS, stagePassesOf } from "./model/passes.ts";
import { planModel } from "./model/planner.ts";
import {
  coldPassesOf,
  HALF_KERNELS,
  islandSquaresOf,
  MOMENT_KERNELS,
  squaresPassOf,
  stepPassesOf,
} from "./model/step-passes.ts";
import { WebGpuEngine } from "./webgpu-engine.ts";

/** What the device decides; tests make it small, so that small models are cut as large ones are, or ask for what another device would take. */
export interface Cuts {
  /** The widest range of a flat vector that one dispatch binds. */
  readonly bindingFloats?: number;
  readonly logitsChunkBytes?: number;
  /** Parameters cross in pieces of so many bytes. */
  readonly pieceBytes?: number;
  readonly flopsPerSubmit?: number;
  readonly tiled?: boolean;
  readonly scalesLoss?: boolean;
}

/** What makes an engine a part of an island: its model is a part of one (parts.ts, stages.ts). */
export type Membership = TensorMembership | StageMembership;

/** What it computes is added up over the ranks. */
interface TensorMembership {
  readonly lanes: Lanes;
  readonly reduce: AllReduce;
  readonly ranks: number;
  /** Microbatches in flight. */
  readonly chains: 1 | 2;
}

/** What it computes goes on at the next stage. */
interface StageMembership {
  readonly lanes: Lanes;
  readonly stage: StageCut;
}

/** Rejects with ModelTooLargeError, OutOfMemoryError, GpuError, or DeviceLostError when the device went while the engine was made. */
export async function createWebGpuEngine(
  options: EngineOptions,
  cuts: Cuts = {},
  membership?: Membership,
): Promise<WebGpuEngine> {
  const { model, microbatch } = options;
  const { device, description, quads, ...opened } = await openDevice({ ...options, half: options.precision === "f16" });
  let store: ColdStore | undefined;
  try {
    const island = membership && "reduce" in membership ? islandCutOf(membership) : undefined;
    const stage = membership && "stage" in membership ? membership.stage : undefined;
    const cold = options.cold !== undefined;
    const { recomputedLayers, problem } = planModel({ ...options, cold, island, stage, limits: device.limits });
    if (problem !== undefined) throw new ModelTooLargeError(problem);
    const bindingFloats = cuts.bindingFloats ?? Math.floor(device.limits.maxStorageBufferBindingSize / 4);
    const { moments = "f32", keepsMark, codec, precision, lora } = options;
    const half = precision === "f16";
    const cut = {
      ...cuts,
      microbatch,
      recomputedLayers,
      bindingFloats,
      moments,
      cold,
      keepsMark,
      codec,
      precision,
      lora,
      island,
      stage,
    };
    const outline = outlineOf(model, cut);
    store = options.cold && (await openCold(options.cold, outline.coldBytes));
    const kernels = [
      ...[...ALL_KERNELS, ...MOMENT_KERNELS[moments]],
      ...(half ? HALF_KERNELS : []),
      ...(lora ? LORA_KERNELS : []),
      ...(island ? ISLAND_KERNELS : []),
      ...(stage ? STAGE_KERNELS : []),
      ...markKernelsOf(outline.sizes),
    ];
    const variant: Variant = {
      quads,
      tiled: cuts.tiled ?? opened.tiled,
      half,
      headSize: outline.sizes.headSize,
    };
    const [compiled, memory] = await Promise.all([
      compileKernels(device, kernels as readonly unknown[] as readonly Kernel[], variant),
      outline.memory.allocate(device),
    ]);
    const flops = cuts.flopsPerSubmit ?? FLOPS_PER_SUBMIT[description.isFallback ? "software" : "hardware"];
    const context = { model, ...outline, memory };
    const plansOf = <P extends string>(passes: Passes<P>) => recorded(passes, () => new Plan(device, compiled, flops));
    const segmentsOf = <P extends string>(passes: Passes<P>) =>
      recorded(passes, () => new Segments(device, compiled, flops));
    const { sizes, layout } = outline;
    const inFlight = Array.from({ length: inFlightOf(sizes) }, (_, i) => {
      const suffix = suffixOf(i);
      return { suffix, context: { ...context, memory: memory.with(suffix) } };
    });
    /** Of one that trains with others: how, once there is a way to the device. */
    const runsOf = (membership: Membership): ((crossing: Crossing) => Rank | Stage) => {
      const { squares: plan } = plansOf(squaresPassOf(context));
      const squares = { plan, places: islandSquaresOf(context), view: memory.view("squares") };
      const { lanes } = membership;
      const given = { squares, lanes, numbers: sizes.N * sizes.C, exchangedBytes: exchangedBytes(sizes) };
      if ("reduce" in membership) {
        const { reduce } = membership;
        const chains = inFlight.map(({ suffix, context }) => ({ suffix, ...segmentsOf(microbatchPassesOf(context)) }));
        return (crossing) => new Rank({ ...given, crossing, reduce, chains, sums: sumsOf(sizes) });
      }
      const slots = inFlight.map(({ suffix, context }) => ({
        ...{ suffix, memory: context.memory },
        ...plansOf(stagePassesOf(context)),
      }));
      const embedding = slice(memory.view("gradient"), layout.embed.offset, layout.embed.length);
      const tied = layout.embed === layout.head ? embedding : undefined;
      return (crossing) => new Stage({ ...given, crossing, cut: membership.stage, slots, tied });
    };
    const made = await checked(device, "The engine's plan is invalid on this device", () => ({
      plans: { ...plansOf(markPassesOf(context)), ...plansOf(stepPassesOf(context)) },
      blocks: Object.values(plansOf(coldPassesOf(context))),
      runs: membership ? runsOf(membership) : plansOf(microbatchPassesOf(context)),
    }));
    const open = (): Promise<OpenDevice> => openDevice({ defaultLimits: options.defaultLimits, half: variant.half });
    const pipelines = { compiled, variant, open };
    const kept = store && coldPartsOf(context, store, made.blocks);
    return new WebGpuEngine(device, description, model, outline, memory, made.plans, made.runs, pipelines, kept);
  } catch (error) {
    store?.close();
    const lost = error instanceof ModelTooLargeError ? undefined : await lostSoon(device);
    if (lost) throw new DeviceLostError(lost.reason, lost.message); // whatever failed, failed for that
    device.destroy();
    if (error instanceof GpuError) throw error;
    throw new GpuError(`The engine could not start: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

const islandCutOf = ({ reduce, ranks, chains }: TensorMembership): IslandCut => ({
  exchange: reduce.exchange,
  shards: shardsOf(reduce, ranks),
  chains,
});
