// The exchange's arithmetic on the device: a pseudo-gradient as int8 blocks, and the mark before and after. `own` is the parameters in training.
import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import encodeInt8Source from "./encode-int8.wgsl?raw";
import advanceSource from "./mark-advance.wgsl?raw";
import carrySource from "./mark-carry.wgsl?raw";
import rebaseSource from "./mark-rebase.wgsl?raw";
import { flatGroups } from "./optimizer.ts";

export const GROUP = 64;
/** Blocks at once: enough for any GPU, and a software adapter does not pay for starting more. */
export const GROUPS_MAX = 4096;

/** Floats of an update that share a scale: what a run's spec says, and the only number that it may say. */
export const UPDATE_BLOCK = 256;
/** Floats that hold so many in whole blocks. */
export const wholeBlocks = (floats: number): number => Math.ceil(floats / UPDATE_BLOCK) * UPDATE_BLOCK;

/** Words of a block in an update: its scale, and four codes a word. */
export const UPDATE_BLOCK_WORDS = 1 + UPDATE_BLOCK / 4;

/** Where there are quads a workgroup is one, as in optimizer.ts: a barrier costs a CPU more than the maximum of 256 floats. */
const encodeSource =
  (OWED: boolean) =>
  ({ quads }: Variant): string =>
    expand(encodeInt8Source, {
      constants: { GROUP: quads ? 4 : GROUP },
      flags: { QUADS: quads, BARRIER: !quads, OWED },
    });

export const encodeInt8 = kernel({
  label: "encode-int8",
  source: encodeSource(false),
  shape: { blocks: "u32", firstBlock: "u32" },
  bindings: { mark: "read", own: "read", update: "write", diverged: "write" },
  workgroups: ({ blocks }) => [Math.min(blocks, GROUPS_MAX), 1, 1],
});

/** The same of owed + (mark − own). */
export const encodeInt8Owed = kernel({
  label: "encode-int8-owed",
  source: encodeSource(true),
  shape: encodeInt8.shape,
  bindings: { ...encodeInt8.bindings, owed: "read" },
  workgroups: encodeInt8.workgroups,
});

export const elementwise = (source: string) => () => expand(source, { constants: { GROUP } });
export const flatWorkgroups = ({ n }: Readonly<Record<"n", number>>) => [flatGroups(n), 1, 1] as const;

/** `n` counts vec4 in these three. */
export const markAdvance = kernel({
  label: "mark-advance",
  source: elementwise(advanceSource),
  shape: { n: "u32" },
  bindings: { diverged: "read", mark: "write", own: "write" },
  workgroups: flatWorkgroups,
});

export const markCarry = kernel({
  label: "mark-carry",
  source: elementwise(carrySource),
  shape: { n: "u32" },
  bindings: { own: "read", mark: "write" },
  workgroups: flatWorkgroups,
});

export const markRebase = kernel({
  label: "mark-rebase",
  source: elementwise(rebaseSource),
  shape: { n: "u32" },
  bindings: { mark: "write", own: "write" },
  workgroups: flatWorkgroups,
});
