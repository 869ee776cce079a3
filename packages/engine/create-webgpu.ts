// Makes an engine on WebGPU: a device, kernels, memory, and every pass recorded.
import type { OpenDevice } from "./device/adapter.ts";
import { openDevice } from "./device/adapter.ts";
import { type Crossing, lostSoon } from "./device/crossing.ts";
import { compileKernels, type Kernel, type Variant } from "./device/kernel.ts";
import type { Memory } from "./device/memory.ts";
import { FLOPS_PER_SUBMIT, Plan, slice } from "./device/plan.ts";
import { checked } from "./device/scopes.ts";
import { Segments } from "./device/segments.ts";
import type { EngineOptions } from "./engine.ts";
import { DeviceLostError, GpuError, ModelTooLargeError } from "./errors.ts";
import { type AllReduce, shardsOf } from "./island/all-reduce.ts";
import type { Lanes } from "./island/lanes.ts";
import { Rank } from "./island/rank.ts";
import { Stage } from "./island/stage.ts";
import { LORA_KERNELS } from "./model/adapter-passes.ts";
import { exchangedBytes, type IslandCut, inFlightOf, type StageCut, suffixOf } from "./model/buffers.ts";
import { markKernelsOf, markPassesOf } from "./model/mark-passes.ts";
import { outlineOf } from "./model/outline.ts";
import {
  ALL_KERNELS,
  HALF_KERNELS,
  ISLAND_KERNELS,
  islandSquaresOf,
  MOMENT_KERNELS,
  passesOf,
  STAGE_KERNELS,
} from "./model/passes.ts";
import { planModel } from "./model/planner.ts";
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
  try {
    const island = membership && "reduce" in membership ? islandCutOf(membership) : undefined;
    const stage = membership && "stage" in membership ? membership.stage : undefined;
    const { recomputedLayers, problem } = planModel({ ...options, island, stage, limits: device.limits });
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
      keepsMark,
      codec,
      precision,
      lora,
      island,
      stage,
    };
    const outline = outlineOf(model, cut);
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
    const plansOf = <P extends string>(passes: Record<P, (plan: Plan) => void>): Record<P, Plan> => {
      const plans = {} as Record<P, Plan>;
      for (const pass in passes) {
        plans[pass] = new Plan(device, compiled, flops);
        passes[pass](plans[pass]);
        plans[pass].finish();
      }
      return plans;
    };
    const segmentsOf = (memory: Memory, pass: "train" | "evaluate"): Segments => {
      const segments = new Segments(device, compiled, flops);
      passesOf({ ...context, memory })[pass](segments);
      segments.finish();
      return segments;
    };
    const nothing = { train: () => {}, evaluate: () => {} };
    const inFlight = Array.from({ length: inFlightOf(outline.sizes) }, (_, i) => {
      const suffix = suffixOf(i);
      return { suffix, memory: memory.with(suffix) };
    });
    const made = await checked(device, "The engine's plan is invalid on this device", () => ({
      plans: { ...plansOf(markPassesOf(context)), ...plansOf({ ...passesOf(context), ...(island && nothing) }) },
      chains: inFlight.map(({ suffix, memory }) =>
        island ? [{ suffix, train: segmentsOf(memory, "train"), evaluate: segmentsOf(memory, "evaluate") }] : [],
      ),
      slots: inFlight.map(({ suffix, memory }) => {
        const { forward, backward } = passesOf({ ...context, memory });
        return stage ? [{ suffix, memory, ...plansOf({ forward, backward }) }] : [];
      }),
    }));
    const { plans } = made;
    const open = (): Promise<OpenDevice> => openDevice({ defaultLimits: options.defaultLimits, half: variant.half });
    const { sizes, layout } = outline;
    const squares = { plan: plans.squares, places: islandSquaresOf(context), view: memory.view("squares") };
    const sums = { squares, numbers: sizes.N * sizes.C, exchangedBytes: exchangedBytes(sizes) };
    const rankOf = (crossing: Crossing): Rank | Stage | undefined => {
      if (!membership) return undefined;
      const given = { ...sums, crossing, lanes: membership.lanes };
      if ("reduce" in membership) return new Rank({ ...given, reduce: membership.reduce, chains: made.chains.flat() });
      const embedding = slice(memory.view("gradient"), layout.embed.offset, layout.embed.length);
      const tied = layout.embed === layout.head ? embedding : undefined;
      return new Stage({ ...given, cut: membership.stage, slots: made.slots.flat(), evaluate: plans.evaluate, tied });
    };
    return new WebGpuEngine(device, description, model, outline, memory, plans, { compiled, variant, open }, rankOf);
  } catch (error) {
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
