// Where the mark is kept on the device: what the exchange's passes bind, and in which pieces an update is made.
//
//   mark       the mark, flat, in the swarm's order (the engine's own order is another one), zero behind its end
//   gradient   zero between two steps: meanwhile it holds `own`, the parameters in training, in the swarm's order
//   update     a piece of int8 blocks: scales | codes, copied out before the next piece takes its place
//   owed       with error feedback: kernels/feedback.ts
import { type MemoryPlan, MIB } from "../device/memory.ts";
import { ALIGN_FLOATS, type Recorder, slice, type View } from "../device/plan.ts";
import { feedbackEncode, feedbackSent, feedbackShrink, feedbackWithdraw, selectTopK } from "../kernels/feedback.ts";
import {
  encodeInt8,
  encodeInt8Owed,
  markAdvance,
  markCarry,
  markRebase,
  UPDATE_BLOCK,
  UPDATE_BLOCK_WORDS,
  wholeBlocks,
} from "../kernels/mark.ts";
import type { Sizes } from "./buffers.ts";
import type { Layout, Range } from "./layout.ts";
import type { Context } from "./passes.ts";
import { selectionTable, selectionWords } from "./selection.ts";

const FEEDBACK_KERNELS = [encodeInt8Owed, feedbackEncode, selectTopK, feedbackWithdraw, feedbackSent, feedbackShrink];

export function markKernelsOf({ keepsMark, topK }: Pick<Sizes, "keepsMark" | "topK">): readonly unknown[] {
  if (!keepsMark) return [];
  const encoding = topK ? FEEDBACK_KERNELS : [encodeInt8];
  return [markAdvance, markCarry, markRebase, ...encoding];
}

/** Small beside everything else that is per parameter; 16 million of them are still one piece. */
const PIECE_BYTES = 16 * MIB;

/** Values of one dispatch that chooses among them: a quarter of a second of a software adapter, nothing to a GPU. */
const SELECT_FLOATS = 2 ** 20;

/** Blocks [first, first + blocks) of an update. */
export interface UpdatePiece {
  readonly first: number;
  readonly blocks: number;
}

export const updateBlocks = ({ parameters }: Layout): number => Math.ceil(parameters / UPDATE_BLOCK);

/** int8 blocks as they are copied out: scales, codes, and a word that is not 0 when the training diverged. */
export const updateStagingBytes = (layout: Layout): number => 4 * (updateBlocks(layout) * UPDATE_BLOCK_WORDS + 1);

/** A selection as it is copied out. */
export const selectionStagingBytes = ({ topK }: Pick<Sizes, "topK">): number => (topK ? 4 * selectionWords(topK) : 0);

/** All that an offer copies out. */
export const markStagingBytes = (layout: Layout, sizes: Sizes): number =>
  updateStagingBytes(layout) + selectionStagingBytes(sizes);

export function updatePieces(layout: Layout, { bindingFloats }: Pick<Sizes, "bindingFloats">): UpdatePiece[] {
  const blocks = updateBlocks(layout);
  const most = Math.floor(Math.min(PIECE_BYTES / 4 / UPDATE_BLOCK_WORDS, bindingFloats / UPDATE_BLOCK, blocks));
  const width = Math.max(1, most);
  return Array.from({ length: Math.ceil(blocks / width) }, (_, i) => ({
    first: i * width,
    blocks: Math.min(width, blocks - i * width),
  }));
}

export function wantMark(plan: MemoryPlan, layout: Layout, sizes: Sizes): void {
  plan.want("mark", wholeBlocks(layout.length), "mark");
  plan.want("update", updatePieces(layout, sizes)[0].blocks * UPDATE_BLOCK_WORDS, "mark");
  plan.want("diverged", 1, "mark");
  if (!sizes.topK) return;
  plan.want("owed", wholeBlocks(layout.length), "mark");
  plan.want("table", selectionTable(sizes.topK).entries.length, "mark");
  plan.want("selection", selectionWords(sizes.topK), "mark");
}

/** The flat vectors in ranges of whole blocks that fit a binding. */
function blockRanges({ length }: Layout, { bindingFloats }: Sizes): Range[] {
  const all = wholeBlocks(length);
  const width = Math.max(1, Math.floor(Math.min(bindingFloats, all) / UPDATE_BLOCK)) * UPDATE_BLOCK;
  return Array.from({ length: Math.ceil(all / width) }, (_, i) => ({
    offset: i * width,
    length: Math.min(width, all - i * width),
  }));
}

type Passes = Record<string, (plan: Recorder) => void>;

/** `encode.i` makes the piece of int8 blocks that begins at block i. */
export function markPassesOf(context: Context): Passes {
  const { layout, sizes, memory } = context;
  if (!sizes.keepsMark) return {};
  const ranges = blockRanges(layout, sizes);
  const flat = (name: string, { offset, length }: Range): View => slice(memory.view(name), offset, length);
  const diverged = memory.view("diverged");
  const eachRange =
    (record: (plan: Recorder, n: number, range: Range) => void) =>
    (plan: Recorder): void => {
      for (const range of ranges) record(plan, range.length / 4, range);
    };
  const advance = (name: string) =>
    eachRange((plan, n, range) =>
      plan.add(markAdvance, { n }, { diverged, mark: flat(name, range), own: flat("gradient", range) }, n * 4),
    );
  const passes: Passes = {
    advance: advance("mark"),
    carry: eachRange((plan, n, range) =>
      plan.add(markCarry, { n }, { own: flat("gradient", range), mark: flat("mark", range) }, n * 4),
    ),
    rebase: eachRange((plan, n, range) =>
      plan.add(markRebase, { n }, { mark: flat("mark", range), own: flat("gradient", range) }, n * 4),
    ),
  };
  for (const { first, blocks } of updatePieces(layout, sizes)) {
    const range = { offset: first * UPDATE_BLOCK, length: blocks * UPDATE_BLOCK };
    const update = slice(memory.view("update"), 0, blocks * UPDATE_BLOCK_WORDS);
    const views = { mark: flat("mark", range), own: flat("gradient", range), update, diverged };
    const shape = { blocks, firstBlock: first };
    const flops = range.length * 10;
    passes[`encode.${first}`] = (plan) =>
      sizes.topK
        ? plan.add(encodeInt8Owed, shape, { ...views, owed: flat("owed", range) }, flops)
        : plan.add(encodeInt8, shape, views, flops);
  }
  return sizes.topK
    ? { ...passes, ...feedbackPassesOf(context, sizes.topK, eachRange), keep: advance("owed") }
    : passes;
}

function feedbackPassesOf(
  { layout, sizes, memory }: Context,
  codec: NonNullable<Sizes["topK"]>,
  eachRange: (record: (plan: Recorder, n: number, range: Range) => void) => (plan: Recorder) => void,
): Passes {
  const flat = (name: string, { offset, length }: Range): View => slice(memory.view(name), offset, length);
  const at = (name: string): View => memory.view(name);
  const { chunks } = codec;
  const { kept } = selectionTable(codec);
  const [table, selection] = [
    slice(at("table"), 0, 4 * chunks.length),
    slice(at("selection"), 0, selectionWords(codec)),
  ];
  /** Chunks in a row whose values fit a binding, with the range that they lie in. */
  const eachPiece = (
    floatsMax: number,
    record: (shape: Record<"chunks" | "first" | "base" | "all" | "kept", number>, range: Range) => void,
  ): void => {
    const most = Math.max(Math.min(sizes.bindingFloats, floatsMax), codec.block + ALIGN_FLOATS);
    for (let first = 0; first < chunks.length; ) {
      const offset = Math.floor(chunks[first].start / ALIGN_FLOATS) * ALIGN_FLOATS;
      let end = first + 1;
      const endOf = (c: number): number => chunks[c].start + chunks[c].length - offset;
      while (end < chunks.length && endOf(end) <= most) end++;
      const length = Math.min(endOf(end - 1), wholeBlocks(layout.length) - offset);
      record({ chunks: end - first, first, base: offset, all: chunks.length, kept }, { offset, length });
      first = end;
    }
  };
  const beta = codec.feedback;
  return {
    encoded: eachRange((plan, n, range) =>
      plan.add(
        feedbackEncode,
        { n, firstBlock: range.offset / UPDATE_BLOCK },
        {
          mark: flat("mark", range),
          owed: flat("owed", range),
          own: flat("gradient", range),
          diverged: at("diverged"),
        },
        n * 8,
      ),
    ),
    select: (plan) =>
      eachPiece(SELECT_FLOATS, (shape, range) =>
        plan.add(selectTopK, shape, { table, values: flat("gradient", range), selection }, range.length * 60),
      ),
    withdraw: eachRange((plan, n, range) =>
      plan.add(
        feedbackWithdraw,
        { n },
        { mark: flat("mark", range), owed: flat("owed", range), own: flat("gradient", range) },
        n * 8,
      ),
    ),
    sent: (plan) =>
      eachPiece(layout.length, (shape, range) =>
        plan.add(feedbackSent, shape, { table, selection, owed: flat("owed", range) }),
      ),
    shrink: eachRange((plan, n, range) => plan.add(feedbackShrink, { n, beta }, { owed: flat("owed", range) }, n * 4)),
  };
}
