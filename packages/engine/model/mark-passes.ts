// Where the mark is kept on the device: what the exchange's passes bind, and in which pieces an update is made.
//
//   mark       the mark, flat, in the swarm's order (the engine's own order is another one), zero behind its end
//   gradient   zero between two steps: meanwhile it holds `own`, the parameters in training, in the swarm's order
//   update     a piece of an update: scales | codes, copied out before the next piece takes its place
import { type MemoryPlan, MIB } from "../device/memory.ts";
import { type Recorder, slice, type View } from "../device/plan.ts";
import { encodeInt8, markAdvance, markCarry, markRebase, UPDATE_BLOCK, UPDATE_BLOCK_WORDS } from "../kernels/mark.ts";
import { flatRanges, type Sizes } from "./buffers.ts";
import type { Layout } from "./layout.ts";
import type { Context } from "./passes.ts";

export const MARK_KERNELS = [encodeInt8, markAdvance, markCarry, markRebase] as const;

/** Small beside everything else that is per parameter; 16 million of them are still one piece. */
const PIECE_BYTES = 16 * MIB;

/** Blocks [first, first + blocks) of an update. */
export interface UpdatePiece {
  readonly first: number;
  readonly blocks: number;
}

export const updateBlocks = ({ parameters }: Layout): number => Math.ceil(parameters / UPDATE_BLOCK);

/** An update as it is copied out: scales, codes, and a word that is not 0 when the training diverged. */
export const updateStagingBytes = (layout: Layout): number => 4 * (updateBlocks(layout) * UPDATE_BLOCK_WORDS + 1);

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
  plan.want("mark", layout.length, "mark");
  plan.want("update", updatePieces(layout, sizes)[0].blocks * UPDATE_BLOCK_WORDS, "mark");
  plan.want("diverged", 1, "mark");
}

/** `encode.i` makes piece i. */
export function markPassesOf({ layout, sizes, memory }: Context): Record<string, (plan: Recorder) => void> {
  if (!sizes.keepsMark) return {};
  const flat = (name: string, offset: number, length: number): View => slice(memory.view(name), offset, length);
  const elementwise =
    (record: (plan: Recorder, n: number, mark: View, own: View) => void) =>
    (plan: Recorder): void => {
      for (const { offset, length } of flatRanges(layout, sizes))
        record(plan, length / 4, flat("mark", offset, length), flat("gradient", offset, length));
    };
  const encode = ({ first, blocks }: UpdatePiece) => [
    `encode.${first}`,
    (plan: Recorder): void => {
      const offset = first * UPDATE_BLOCK;
      const length = Math.min(blocks * UPDATE_BLOCK, layout.length - offset);
      plan.add(
        encodeInt8,
        { n: length / 4, blocks, firstBlock: first },
        {
          mark: flat("mark", offset, length),
          own: flat("gradient", offset, length),
          update: flat("update", 0, blocks * UPDATE_BLOCK_WORDS),
          diverged: memory.view("diverged"),
        },
        length * 10,
      );
    },
  ];
  return {
    ...Object.fromEntries(updatePieces(layout, sizes).map(encode)),
    advance: elementwise((plan, n, mark, own) =>
      plan.add(markAdvance, { n }, { diverged: memory.view("diverged"), mark, own }, n * 4),
    ),
    carry: elementwise((plan, n, mark, own) => plan.add(markCarry, { n }, { own, mark }, n * 4)),
    rebase: elementwise((plan, n, mark, own) => plan.add(markRebase, { n }, { mark, own }, n * 4)),
  };
}
