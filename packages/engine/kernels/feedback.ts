// Chunked top-k with error feedback on the device: what an offer encodes, which of it is kept, and what is owed after it.
//
//   owed     between two offers β · feedback; while one is in flight what it encoded
//   encoded = owed + (mark − own)      -> the k largest of each chunk, which the codec packs      (outer's codec/chunk-top-k.ts)
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import encodeSource from "./feedback-encode.wgsl?raw";
import sentSource from "./feedback-sent.wgsl?raw";
import shrinkSource from "./feedback-shrink.wgsl?raw";
import withdrawSource from "./feedback-withdraw.wgsl?raw";
import { elementwise, flatWorkgroups, GROUP, GROUPS_MAX } from "./mark.ts";
import selectSource from "./select-top-k.wgsl?raw";

const chunkWorkgroups = ({ chunks }: Readonly<Record<"chunks", number>>) =>
  [Math.min(chunks, GROUPS_MAX), 1, 1] as const;

/** `n` counts vec4, here and in the two that follow. */
export const feedbackEncode = kernel({
  label: "feedback-encode",
  source: elementwise(encodeSource),
  shape: { n: "u32", firstBlock: "u32" },
  bindings: { mark: "read", owed: "read", own: "write", diverged: "write" },
  workgroups: flatWorkgroups,
});

export const feedbackWithdraw = kernel({
  label: "feedback-withdraw",
  source: elementwise(withdrawSource),
  shape: { n: "u32" },
  bindings: { mark: "write", owed: "write", own: "write" },
  workgroups: flatWorkgroups,
});

export const feedbackShrink = kernel({
  label: "feedback-shrink",
  source: elementwise(shrinkSource),
  shape: { n: "u32", beta: "f32" },
  bindings: { owed: "write" },
  workgroups: flatWorkgroups,
});

/** Chunks [first, first + chunks) of the table; the values that are bound begin at float `base`. */
export const selectTopK = kernel({
  label: "select-top-k",
  source: ({ quads }) =>
    expand(selectSource, {
      constants: { GROUP: quads ? 4 : GROUP },
      flags: { QUADS: quads, BARRIER: !quads },
    }),
  shape: { chunks: "u32", first: "u32", base: "u32", all: "u32", kept: "u32" },
  bindings: { table: "read", values: "read", selection: "write" },
  workgroups: chunkWorkgroups,
});

export const feedbackSent = kernel({
  label: "feedback-sent",
  source: elementwise(sentSource),
  shape: { chunks: "u32", first: "u32", base: "u32", all: "u32", kept: "u32" },
  bindings: { table: "read", selection: "read", owed: "write" },
  workgroups: chunkWorkgroups,
});
