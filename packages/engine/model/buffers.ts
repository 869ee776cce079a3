// Every buffer of one engine, by name.
//
// In mixed precision activations, logits and their gradients are f16, and "weights" is a copy of the matrices, made anew before each step.
//
// Kept over the whole pass: x1.l, the residual stream that enters layer l. What else the backward pass needs of a layer is a set of activations;
// layers that are recomputed share one set, and their backward pass fills it again from x1.l first.
//
//   layer     0   1   …   R   R+1   …   L−1        R = recomputedLayers
//   set       0   0   …   0    1    …  L−1−R       layer R was the last one to fill set 0: it is recomputed no more than those behind it
//
// With a ladder residual every layer also keeps x2.l, made of older blocks alone, so that it is not computed again, and rstd1.l, whose norm's backward pass comes
// when the layer before it has taken the set; and what two blocks add is under way at once: dy the attention's, dy2 the feed-forward's; so with shards.
//
// Backward, a buffer whose content was used for the last time takes what comes next:
//   dx        the embedded tokens before        dy       what a block adds to the stream before
//   h.s       dh, its own gradient              gateUp.s its own gradient in place, then dqkv
import { ChunkTopK, type Codec, type RankShape } from "#outer";
import type { LoraShape } from "#wire";
import { type Exchange, sequenceExchange } from "#wire/islands";
import { MemoryPlan, MIB } from "../device/memory.ts";
import { ALIGN_FLOATS, alignFloats, elementBytes } from "../device/plan.ts";
import type { Moments, Precision } from "../engine.ts";
import { occurrencesLength } from "../kernels/embedding.ts";
import { wholeBlocks } from "../kernels/mark.ts";
import {
  GROUPS_MAX,
  MOMENT_BLOCK,
  MOMENT_BLOCK_WORDS,
  REPORT_FLOATS,
  SCALING_WORDS,
  STEP_FLOATS,
} from "../kernels/optimizer.ts";
import { gammaBlocks } from "../kernels/rmsnorm.ts";
import { shardWords } from "../kernels/shard.ts";
import type { AdapterLayout } from "./adapters.ts";
import { wantHeads } from "./heads-passes.ts";
import { type Extents, extentsOf, type FlatLayout, type Layout, type Range } from "./layout.ts";
import { wantMessages } from "./sequence-passes.ts";

/** Logits and their gradient at once: large enough that a matrix product fills the device, small beside the activations. */
const LOGITS_CHUNK_BYTES = 16 * 2 ** 20;
/**
 * Each chunk of logits reads and writes the whole gradient of the head: 8 bytes for each 2 · rows operations. At so many rows that costs a GPU of
 * 25 operations a byte less than the product itself.
 */
const LOGITS_CHUNK_ROWS = 256;

/** What decides how a model lies in memory. */
export interface Cut {
  readonly microbatch: number;
  /** Layers whose activations the backward pass computes again, from the first one on: 0 to L - 1. */
  readonly recomputedLayers: number;
  /** The widest range that one dispatch binds, in floats. */
  readonly bindingFloats: number;
  readonly logitsChunkBytes?: number | undefined;
  readonly pieceBytes?: number | undefined;
  readonly moments?: Moments | undefined;
  /** They lie outside of the device, and come in blocks. */
  readonly cold?: boolean | undefined;
  readonly keepsMark?: boolean | undefined;
  readonly codec?: Codec | undefined;
  readonly precision?: Precision | undefined;
  /** Adapters are trained, and the weights stay. */
  readonly lora?: LoraShape | undefined;
  /** Also in f32, where nothing needs it: for tests on adapters without f16. */
  readonly scalesLoss?: boolean | undefined;
  /** The model is a rank's part, and its sums are exchanged. */
  readonly island?: IslandCut | undefined;
  /** The model's context is a rank's part of it. */
  readonly sequence?: SequenceCut | undefined;
  /** The model is a stage's layers. */
  readonly stage?: StageCut | undefined;
}

/** So many ranks share each sequence's positions, and the update. */
export interface SequenceCut {
  readonly ranks: number;
  readonly rank: number;
}

/** A stage of a pipeline: which it is, how activations cross, and how many microbatches it has begun and not ended. */
export interface StageCut {
  readonly rank: number;
  readonly ranks: number;
  readonly exchange: Exchange;
  readonly slots: number;
}

/** What an island's exchange asks of a rank's memory. */
export interface IslandCut {
  readonly exchange: Exchange;
  /** Sums that come back from an exchange in int8, to be added up by the kernel that reads them: everybody's partial sums, or one that is ready. */
  readonly shards: number;
  /** Microbatches in flight: while one waits for the others' sums another one is computed. */
  readonly chains: 1 | 2;
}

/** Ends the names of what a microbatch in flight has for itself. */
export const suffixOf = (inFlight: number): string => (inFlight === 0 ? "" : `'${inFlight}`);

export const inFlightOf = ({ island, stage }: Pick<Sizes, "island" | "stage">): number =>
  stage?.slots ?? island?.chains ?? 1;

export interface Sizes extends Extents {
  readonly chunkRows: number; // rows of logits at a time, a multiple of ALIGN_FLOATS
  readonly recomputedLayers: number;
  readonly bindingFloats: number;
  readonly moments: Moments;
  readonly cold: boolean;
  readonly keepsMark: boolean;
  /** The codec, where it is this one and the mark is kept. */
  readonly topK: ChunkTopK | undefined;
  /** Activations, logits and a copy of the weights are f16. */
  readonly half: boolean;
  /** The loss is scaled: what is too large for f16 must not reach the weights. */
  readonly scaled: boolean;
  readonly island: IslandCut | undefined;
  readonly sequence: (SequenceCut & { readonly by: "keys" | "heads" }) | undefined;
  readonly stage: StageCut | undefined;
  /** Norms add what a block gave a block later. */
  readonly ladder: boolean;
}

export function sizesOf(model: RankShape, layout: Layout, cut: Cut): Sizes {
  const { microbatch, recomputedLayers, bindingFloats, logitsChunkBytes } = cut;
  const { moments = "f32", cold = false, keepsMark = false, codec } = cut;
  const topK = keepsMark && codec instanceof ChunkTopK ? codec : undefined;
  const half = cut.precision === "f16";
  const scaled = half || cut.scalesLoss === true;
  if (cut.lora && (keepsMark || half))
    throw new RangeError(
      "an engine with adapters keeps no mark and computes in f32: adapters are small enough to cross whole, and products read the merged weights; leave keepsMark and precision out",
    );
  if ((cut.island || cut.sequence || cut.stage) && (cut.lora || keepsMark || half))
    throw new RangeError(
      "the members of an island train all parameters in f32, and leave the mark to the CPU: leave lora, keepsMark and precision out",
    );
  const extents = extentsOf(model, microbatch, layout);
  const { N, V } = extents;
  const rowBytes = V * elementBytes({ half });
  const wishedRows = logitsChunkBytes
    ? logitsChunkBytes / rowBytes
    : Math.max(LOGITS_CHUNK_BYTES / rowBytes, LOGITS_CHUNK_ROWS);
  const rows = alignedRows(Math.min(wishedRows, (bindingFloats * 4) / rowBytes));
  const chunkRows = Math.min(rows, Math.ceil(N / ALIGN_FLOATS) * ALIGN_FLOATS);
  return {
    ...extents,
    chunkRows,
    recomputedLayers,
    bindingFloats,
    moments,
    cold,
    keepsMark,
    topK,
    half,
    scaled,
    island: cut.island,
    sequence: cut.sequence && { ...cut.sequence, by: sequenceExchange(model, cut.sequence.ranks).by },
    stage: cut.stage,
    ladder: model.residual === "ladder",
  };
}

/** A range of the flat vectors starts where a copy in f16 may start, and moments in 8 bits, too. */
const RANGE_FLOATS = { f32: 2 * ALIGN_FLOATS, "8bit": ALIGN_FLOATS * MOMENT_BLOCK };

/** Words that so many floats take as a moment. */
export const momentWords = (floats: number, moments: Moments): number =>
  moments === "f32" ? floats : (floats / MOMENT_BLOCK) * MOMENT_BLOCK_WORDS;

/** The flat vectors in ranges that fit a binding. */
export function flatRanges(length: number, { bindingFloats, moments }: Sizes): Range[] {
  const step = RANGE_FLOATS[moments];
  const width = Math.max(1, Math.floor(Math.min(bindingFloats, length + step) / step)) * step;
  return Array.from({ length: Math.ceil(length / width) }, (_, i) => ({
    offset: i * width,
    length: Math.min(width, length - i * width),
  }));
}

/** What is updated here of a flat vector: all of it, or of ranks that share sequences each its own part (ZeRO-1), whose moments alone it keeps. */
export function updatedOf(
  length: number,
  { sequence, moments }: { readonly sequence: SequenceCut | undefined; readonly moments: Moments },
): Range {
  const { ranks, rank } = sequence ?? { ranks: 1, rank: 0 };
  const step = RANGE_FLOATS[moments];
  const steps = Math.ceil(length / step);
  const at = (rank: number): number => Math.min(length, Math.round((rank * steps) / ranks) * step);
  return { offset: at(rank), length: at(rank + 1) - at(rank) };
}

/** The same in ranges that fit a binding. */
export function updatedRanges(vectors: Vectors, sizes: Sizes): Range[] {
  const { offset: first, length } = updatedOf(trainedOf(vectors).length, sizes);
  return flatRanges(length, sizes).map(({ offset, length }) => ({ offset: first + offset, length }));
}

/** Both moments of a block: what a disk reads in some milliseconds, so that the thread that does hears others meanwhile; more at once is no faster. */
const COLD_BLOCK_BYTES = 4 * MIB;
/** And at least so many blocks: of three of them there is room on the device, a fifth of what it saves. */
const COLD_BLOCKS_MIN = 16;

/** Of cold moments: the ranges whose moments come at once, all of one length but for the last; none where moments lie in memory. */
export function coldBlocksOf(vectors: Vectors, sizes: Sizes): Range[] {
  if (!sizes.cold) return [];
  const { length } = updatedOf(trainedOf(vectors).length, sizes);
  const bytes = 8 * momentWords(MOMENT_BLOCK, sizes.moments);
  const floats = Math.min((COLD_BLOCK_BYTES / bytes) * MOMENT_BLOCK, length / COLD_BLOCKS_MIN, sizes.bindingFloats);
  return updatedRanges(vectors, { ...sizes, bindingFloats: floats });
}

/** What cold moments take where they are. */
export const coldBytesOf = (vectors: Vectors, sizes: Sizes): number =>
  coldBlocksOf(vectors, sizes).reduce((sum, { length }) => sum + 8 * momentWords(length, sizes.moments), 0);

/** Rows that start where a binding may start, whatever their width; at least one such block. */
export const alignedRows = (rows: number): number => Math.max(1, Math.floor(rows / ALIGN_FLOATS)) * ALIGN_FLOATS;

/** What every layer keeps of itself, computed again or not. */
const keptOf = ({ ladder }: Pick<Sizes, "ladder">): readonly string[] => (ladder ? ["x1", "x2", "rstd1"] : ["x1"]);

/** Which set of activations layer l uses. */
export const setOf = ({ recomputedLayers }: Sizes, layer: number): number => Math.max(0, layer - recomputedLayers);

/** The buffer of an activation of layer l: its own, or of the set of activations that the layer uses. */
export const activationOf = (sizes: Sizes, name: string, layer: number): string =>
  `${name}.${keptOf(sizes).includes(name) ? layer : setOf(sizes, layer)}`;

/** A layer has two blocks, each of which adds to the stream. */
export type Block = "attention" | "feed-forward";

/** The buffer of what a block gives. */
export const ofBlock = ({ ladder }: Pick<Sizes, "ladder">, name: "dy" | "shards" | "partial", block: Block): string =>
  ladder && block === "feed-forward" ? `${name}2` : name;

/** What a step changes: the weights, or adapters beside them. */
export interface Vectors {
  readonly layout: Layout;
  readonly adapters: AdapterLayout | undefined;
}

/** The flat vector that is trained: of the weights' form, or of the adapters'; gradient and moments are of it. */
export const trainedOf = ({
  layout,
  adapters,
}: Vectors): FlatLayout & { readonly buffer: "parameters" | "adapters" } =>
  adapters ? { ...adapters, buffer: "adapters" } : { ...layout, buffer: "parameters" };

export function planMemory(model: RankShape, vectors: Vectors, sizes: Sizes): MemoryPlan {
  const { layout, adapters } = vectors;
  const trained = trainedOf(vectors);
  const { N, V, T, headSize, chunkRows, half } = sizes;
  const plan = new MemoryPlan();
  plan.want("parameters", layout.length, "parameters");
  if (half) plan.want("weights", layout.matrices, "parameters", true);
  if (adapters) {
    plan.want("base", adapters.baseLength, "parameters");
    plan.want("adapters", adapters.length, "adapters");
    for (const name of ["lowX", "lowDy"]) plan.want(name, N * adapters.rankMax, "scratch");
  }
  plan.want("gradient", sizes.keepsMark ? wholeBlocks(layout.length) : trained.length, "gradient");
  const held = (coldBlocksOf(vectors, sizes)[0] ?? updatedOf(trained.length, sizes)).length;
  for (const name of ["momentum", "variance"]) plan.want(name, momentWords(held, sizes.moments), "moments");

  plan.want("logits", isLast(sizes) ? chunkRows * V : 0, "logits", half);
  const want = (name: string, floats: number): void => plan.want(name, floats, "scratch");
  want("losses", N);
  for (const name of ["cosines", "sines"]) want(name, (T * headSize) / 2);
  want(
    "squares",
    GROUPS_MAX * (flatRanges(trained.length, sizes).length + (sizes.island || sizes.stage ? ISLAND_RANGES : 0)),
  );
  want("step", STEP_FLOATS);
  want("report", REPORT_FLOATS);
  want("scaling", SCALING_WORDS);
  if (sizes.sequence) wantMessages(plan, sizes);
  wantMicrobatch(plan, model, sizes, "");
  for (let other = 1; other < inFlightOf(sizes); other++) wantMicrobatch(plan, model, sizes, suffixOf(other));
  return plan;
}

export const isFirst = ({ stage }: Pick<Sizes, "stage">): boolean => (stage?.rank ?? 0) === 0;
export const isLast = ({ stage }: Pick<Sizes, "stage">): boolean =>
  stage === undefined || stage.rank === stage.ranks - 1;

/** A rank's part of a sum, or a stage's activations of a microbatch, as they leave the device. */
export const exchangedBytes = ({ N, C, island, stage }: Sizes): number =>
  4 * ((island ?? stage)?.exchange === "int8" ? shardWords((N * C) / 4) : N * C);

/** Through which what is exchanged leaves the device. A tied embedding's gradient is made of what the first and the last stage have. */
export function islandStagingBytes(sizes: Sizes, { embed }: Layout, plan: MemoryPlan): number {
  const { island, stage } = sizes;
  if (!island && !stage) return 0;
  const squares = plan.blank().view("squares").length * 4;
  const tied = stage && (isFirst(sizes) || isLast(sizes)) ? embed.length * 4 : 0;
  return inFlightOf(sizes) * sumsOf(sizes) * exchangedBytes(sizes) + squares + tied;
}

/** Sums of one microbatch that cross at once. */
export const sumsOf = ({ ladder }: Pick<Sizes, "ladder">): 1 | 2 => (ladder ? 2 : 1);

/** What is everybody's, before and behind what is cut, begins a range of its own. */
const ISLAND_RANGES = 2;

/** What one microbatch in flight has for itself. */
function wantMicrobatch(plan: MemoryPlan, model: RankShape, sizes: Sizes, suffix: string): void {
  const { N, C, A, F, QKV, recomputedLayers, half, island, stage, ladder } = sizes;
  const active = (name: string, elements: number, half: boolean): void =>
    plan.want(`${name}${suffix}`, elements, "activations", half);
  const kept = keptOf(sizes);
  for (let l = 0; l < model.layers; l++)
    for (const name of kept) active(`${name}.${l}`, name === "rstd1" ? N : N * C, half && name !== "rstd1");
  for (let set = 0; set < model.layers - recomputedLayers; set++) {
    const ofSet = (name: string, elements: number, half: boolean): void => {
      if (!kept.includes(name)) active(`${name}.${set}`, elements, half);
    };
    for (const name of ["y1", "x2", "y2"]) ofSet(name, N * C, half);
    ofSet("attended", N * A, half);
    ofSet("qkv", N * QKV, half);
    ofSet("gateUp", N * Math.max(2 * F, QKV), half);
    ofSet("h", N * F, half);
    for (const name of ["rstd1", "rstd2"]) ofSet(name, N, false);
    ofSet("lse", N * model.heads, false);
    if (sizes.sequence?.by === "heads") wantHeads(plan, sizes, set);
  }
  for (const name of ["xLast", "yLast"]) active(name, N * C, half);
  active("rstdLast", N, false);

  const want = (name: string, floats: number, half = false): void =>
    plan.want(`${name}${suffix}`, floats, "scratch", half);
  for (const name of ["dx", "dy", ...(ladder ? ["dy2"] : [])]) want(name, N * C, half);
  want("delta", N * model.heads);
  want("gammaPartials", (2 * model.layers + 1) * alignFloats(gammaBlocks(N) * C));
  for (const name of ["ids", "targets"]) want(name, N);
  want("occurrences", occurrencesLength(N));
  if ((island ?? stage)?.exchange !== "int8") return;
  want("outgoing", shardWords((N * C) / 4));
  if (island)
    for (const name of ladder ? ["shards", "shards2"] : ["shards"]) want(name, island.shards * shardWords((N * C) / 4));
}
