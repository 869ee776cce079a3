// What a model takes before it is started, and the largest that fits. Pure: shapes and limits in, bytes out.
//
//   planModel       this model, this microbatch: bytes by part, and whether they fit; recomputes as many layers as it must, and no more
//   largestFit      the most sequences per microbatch, and the widest model of the same form, within the same limits
import type { Codec, RankShape } from "#outer";
import type { LoraShape, ModelShape } from "#wire";
import { type BytesByPart, MIB } from "../device/memory.ts";
import type { Moments, Precision } from "../engine.ts";
import type { IslandCut, SequenceCut, StageCut } from "./buffers.ts";
import { limitProblem, type MemoryLimits, type Outline, outlineOf } from "./outline.ts";

export interface PlanOptions {
  readonly model: RankShape;
  /** Sequences per microbatch. */
  readonly microbatch: number;
  /** Of the device; absent: those of a device that allows everything. */
  readonly limits?: MemoryLimits | undefined;
  /** What may be used in all; absent: whatever there is. */
  readonly memoryBytes?: number | undefined;
  readonly moments?: Moments | undefined;
  /** They lie outside of the device's memory; if needed: where it does not fit with all layers recomputed. */
  readonly cold?: boolean | "if-needed" | undefined;
  readonly keepsMark?: boolean | undefined;
  readonly codec?: Codec | undefined;
  readonly precision?: Precision | undefined;
  /** Adapters are trained beside weights that stay. */
  readonly lora?: LoraShape | undefined;
  /** The model is a part of one, as a rank of an island has it. */
  readonly island?: IslandCut | undefined;
  /** The model is a stage of a pipeline. */
  readonly stage?: StageCut | undefined;
  /** The model is a rank's: its context a part of the whole's. */
  readonly sequence?: SequenceCut | undefined;
  /** 0 to layers - 1; absent: the fewest with which it fits. */
  readonly recomputedLayers?: number | undefined;
}

export interface ModelPlan {
  readonly microbatch: number;
  readonly recomputedLayers: number;
  readonly bytesByPart: BytesByPart;
  readonly totalBytes: number;
  /** Cold moments, wherever they lie: a step reads and writes so much. */
  readonly coldBytes: number;
  /** Why it does not fit, with numbers; undefined: it fits. */
  readonly problem: string | undefined;
}

export function planModel(options: PlanOptions): ModelPlan {
  if (options.cold === "if-needed") {
    const inMemory = planModel({ ...options, cold: false });
    return inMemory.problem === undefined ? inMemory : planModel({ ...options, cold: true });
  }
  const { model, microbatch, memoryBytes = Number.POSITIVE_INFINITY } = options;
  const recomputedLayers = options.recomputedLayers ?? fewestRecomputed(options, memoryBytes);
  if (!(recomputedLayers >= 0 && recomputedLayers < model.layers))
    throw new RangeError(
      `of ${model.layers} layers 0 to ${model.layers - 1} can be recomputed, not ${recomputedLayers}`,
    );
  const outline = outlineAt(options, recomputedLayers);
  const { bytesByPart, totalBytes, coldBytes } = outline;
  const problem = (options.limits && limitProblem(outline, options.limits)) ?? budgetProblem(outline, memoryBytes);
  return { microbatch, recomputedLayers, bytesByPart, totalBytes, coldBytes, problem };
}

function outlineAt({ model, microbatch, limits, ...given }: PlanOptions, recomputedLayers: number): Outline {
  const bindingFloats = Math.floor((limits?.maxStorageBufferBindingSize ?? Number.POSITIVE_INFINITY) / 4);
  const { moments, keepsMark, codec, precision, lora, island, stage, sequence } = given;
  const cold = given.cold === true;
  const cut = { microbatch, recomputedLayers, bindingFloats, moments, cold, keepsMark, codec, precision, lora };
  return outlineOf(model, { ...cut, island, stage, sequence });
}

function fewestRecomputed(options: PlanOptions, memoryBytes: number): number {
  const most = options.model.layers - 1;
  if (outlineAt(options, 0).totalBytes <= memoryBytes) return 0;
  return Math.min(
    most,
    smallest(most, (layers) => outlineAt(options, layers).totalBytes <= memoryBytes),
  );
}

function budgetProblem({ totalBytes, sizes }: Outline, memoryBytes: number): string | undefined {
  if (totalBytes <= memoryBytes) return undefined;
  const mib = (bytes: number): string => {
    const digits = bytes < 10 * MIB ? 100 : 1;
    return (Math.ceil((digits * bytes) / MIB) / digits).toLocaleString("en");
  };
  return `It needs ${mib(totalBytes)} MiB with ${sizes.B} sequences per microbatch and ${sizes.recomputedLayers} layers recomputed${sizes.cold ? ", its moments elsewhere" : ""}, and may use ${mib(memoryBytes)} MiB.`;
}

export interface LargestFit {
  /** Sequences per microbatch of the model as it is; 0: not even one. */
  readonly microbatch: number;
  /** The same number of layers, head size and proportions, as wide as fits at one sequence per microbatch; undefined: none does. */
  readonly model: ModelShape | undefined;
}

/** Bounds of a run's spec (wire/spec.ts): no search needs to go beyond. */
const MICROBATCH_MAX = 4096;
const WIDTH_MAX = 8192;

export function largestFit(options: PlanOptions): LargestFit {
  const fits = (change: Partial<PlanOptions>): boolean => planModel({ ...options, ...change }).problem === undefined;
  const microbatch = smallest(MICROBATCH_MAX, (B) => !fits({ microbatch: B + 1 }));
  const { dModel, heads, kvHeads, dFfn } = options.model;
  const headSize = dModel / heads;
  const group = heads / kvHeads;
  const wide = (groups: number): ModelShape => {
    const C = groups * group * headSize;
    const F = Math.max(4, Math.floor((dFfn * C) / dModel / 4) * 4);
    return { ...options.model, dModel: C, heads: groups * group, kvHeads: groups, dFfn: F };
  };
  const groupsMax = Math.max(1, Math.floor(WIDTH_MAX / (group * headSize)));
  const groups = smallest(groupsMax, (n) => !fits({ microbatch: 1, model: wide(n + 1) }));
  return { microbatch, model: groups === 0 ? undefined : wide(groups) };
}

/** The smallest n in [0, max] for which `holds` (which stays true from there on); max when there is none. */
export function smallest(max: number, holds: (n: number) => boolean): number {
  let [low, high] = [0, max];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
