// What an engine records once for each step: the copy of the weights, the norm of the gradient, the report, the update.
import { type Recorder, slice, type View } from "../device/plan.ts";
import {
  adamw,
  adamw8bit,
  flatGroups,
  GROUPS_MAX,
  halve,
  MOMENT_BLOCK,
  report,
  squares,
} from "../kernels/optimizer.ts";
import { recordBlocks, recordMerge } from "./adapter-passes.ts";
import { coldBlocksOf, flatRanges, isFirst, momentWords, trainedOf, updatedRanges } from "./buffers.ts";
import type { Range } from "./layout.ts";
import type { Context } from "./passes.ts";

export const STEP_KERNELS = [squares, report, adamw] as const;

/** What an engine in mixed precision runs besides. */
export const HALF_KERNELS = [halve] as const;

/** What an engine with such moments runs besides. */
export const MOMENT_KERNELS = { f32: [], "8bit": [adamw8bit] } as const;

/** Recorded once, replayed for every step. */
export const stepPassesOf = (context: Context) => ({
  weights: (plan: Recorder): void => recordWeights(plan, context),
  update: (plan: Recorder): void => {
    recordBlocks(plan, context);
    recordUpdate(plan, context);
    if (!context.sizes.cold) recordMerge(plan, context); // else when all blocks are updated
  },
  merge: (plan: Recorder): void => recordMerge(plan, context),
  report: (plan: Recorder): void => recordReport(plan, context, 0),
});
export type StepPass = keyof ReturnType<typeof stepPassesOf>;

/** Of cold moments, the update of each block's parameters. */
export const coldPassesOf = (context: Context): Record<string, (plan: Recorder) => void> =>
  Object.fromEntries(
    coldBlocksOf(context, context.sizes).map((block, i) => [
      `block.${i}`,
      (plan: Recorder) => recordAdamw(plan, context, block, 0),
    ]),
  );

/** Of an island's rank or stage: its part of the gradient's norm. Afterwards the sum of everybody's is the first of `squares`. */
export const squaresPassOf = (context: Context) => ({
  squares: (plan: Recorder): void => recordIslandSquares(plan, context),
});

/** The copy of the matrices in f16, before anything reads it. */
function recordWeights(plan: Recorder, { layout, sizes, memory }: Context): void {
  if (!sizes.half) return;
  for (const { offset, length } of flatRanges(layout.matrices, sizes)) {
    const part = (name: string): View => slice(memory.view(name), offset, length);
    plan.add(halve, { n: length / 4 }, { x: part("parameters"), y: part("weights") }, length);
  }
}

/** Norm of the gradient, report, AdamW: over ranges of the flat vectors that fit a binding. */
function recordUpdate(plan: Recorder, context: Context): void {
  const { sizes } = context;
  const ranges = updatedRanges(context, sizes);
  const summed = sizes.island || sizes.sequence || sizes.stage; // over ranks: the sum is there already
  recordReport(plan, context, summed ? 1 : recordSquares(plan, context, ranges, 0));
  if (sizes.cold) return;
  for (const range of ranges) recordAdamw(plan, context, range, range.offset - ranges[0].offset);
}

/** @param from where the range's moments begin in their buffers, in floats of parameters */
function recordAdamw(plan: Recorder, context: Context, range: Range, from: number): void {
  const { sizes, memory } = context;
  const trained = trainedOf(context);
  const decayed = Math.max(0, Math.min(range.length, trained.matrices - range.offset));
  const flat = (name: string): View => slice(memory.view(name), range.offset, range.length);
  const moment = (name: string): View => {
    const [at, words] = [from, range.length].map((floats) => momentWords(floats, sizes.moments));
    return slice(memory.view(name), at, words);
  };
  const views = {
    ...{ step: memory.view("step"), report: memory.view("report") },
    ...{ parameters: flat(trained.buffer), gradient: flat("gradient") },
    ...{ momentum: moment("momentum"), variance: moment("variance") },
  };
  if (sizes.moments === "f32")
    return plan.add(adamw, { n: range.length / 4, decayed: decayed / 4 }, views, range.length * 20);
  const [n, decayedBlocks, first] = [range.length, decayed, range.offset].map((floats) => floats / MOMENT_BLOCK);
  plan.add(adamw8bit, { n, decayed: decayedBlocks, first }, views, range.length * 60);
}

/** Partial sums of squares, from place `first` on. @returns the place behind them: earlier ranges are full, GROUPS_MAX groups each */
function recordSquares(plan: Recorder, { memory }: Context, ranges: readonly Range[], first: number): number {
  let end = first;
  ranges.forEach(({ offset, length }, i) => {
    const n = length / 4;
    const groups = flatGroups(n);
    const at = first + i * GROUPS_MAX;
    const partials = slice(memory.view("squares"), at, groups);
    plan.add(squares, { n }, { x: slice(memory.view("gradient"), offset, length), partials }, length * 2);
    end = at + groups;
  });
  return end;
}

/** Where in `squares` an island's rank has the partial sums of what is everybody's, and of what is its own. */
export interface IslandSquares {
  readonly everybodys: readonly Range[];
  readonly own: readonly Range[];
}

export function islandSquaresOf({ layout, sizes }: Pick<Context, "layout" | "sizes">): IslandSquares & {
  readonly ranges: Readonly<Record<keyof IslandSquares, readonly Range[]>>;
} {
  const cutFrom = layout.layers[0].qkv.offset;
  const { stage } = sizes;
  const within = (from: number, to: number): Range[] =>
    flatRanges(to - from, sizes).map(({ offset, length }) => ({ offset: from + offset, length }));
  const isTwice = stage && !isFirst(sizes) && layout.embed === layout.head; // a tied embedding counts at the first stage
  const ranges = stage
    ? { everybodys: [], own: within(isTwice ? cutFrom : 0, layout.length) }
    : {
        everybodys: [...within(0, cutFrom), ...within(layout.matrices, layout.length)],
        own: within(cutFrom, layout.matrices),
      };
  const placesOf = (ranges: readonly Range[], first: number): Range[] =>
    ranges.map(({ length }, i) => ({ offset: (first + i) * GROUPS_MAX, length: flatGroups(length / 4) }));
  return {
    ranges,
    everybodys: placesOf(ranges.everybodys, 0),
    own: placesOf(ranges.own, ranges.everybodys.length),
  };
}

function recordIslandSquares(plan: Recorder, context: Context): void {
  const { everybodys, own } = islandSquaresOf(context).ranges;
  recordSquares(plan, context, everybodys, 0);
  recordSquares(plan, context, own, everybodys.length * GROUPS_MAX);
}

function recordReport(plan: Recorder, { adapters, sizes, memory }: Context, partials: number): void {
  const at = (name: string): View => memory.view(name);
  plan.add(
    report,
    { rows: sizes.N, partials, scaled: sizes.scaled ? 1 : 0, gain: adapters?.scale ?? 1 },
    { step: at("step"), partials: at("squares"), losses: at("losses"), report: at("report"), scaling: at("scaling") },
  );
}
