// A shard: a partial sum as peers of an island send it to each other, int8 in blocks that share a scale.
//
//   x (vectors, vec4) -> encodeShard -> scales (blocks, f32) | codes (vectors, four a word) -> the kernels that sum and normalize
import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import encodeSource from "./encode-shard.wgsl?raw";

/** 64 numbers a scale: 1.06 bytes each. Activations have outliers, and a smaller block keeps them to itself. */
export const SHARD_VECTORS = 16;

const GROUP = SHARD_VECTORS;
/** Blocks at once, as in mark.ts. */
const GROUPS_MAX = 4096;

const shardBlocks = (vectors: number): number => Math.ceil(vectors / SHARD_VECTORS);
/** Of 4 bytes. */
export const shardWords = (vectors: number): number => shardBlocks(vectors) + vectors;

export const encodeShard = kernel({
  label: "encode-shard",
  source: ({ quads, half }: Variant) =>
    expand(encodeSource, {
      constants: { GROUP: quads ? 4 : GROUP, SHARD_VECTORS },
      flags: { QUADS: quads, BARRIER: !quads },
      half,
    }),
  shape: { vectors: "u32" },
  bindings: { x: "read", shard: "write" },
  stored: ["x"],
  workgroups: ({ vectors }) => [Math.min(shardBlocks(vectors), GROUPS_MAX), 1, 1],
});
