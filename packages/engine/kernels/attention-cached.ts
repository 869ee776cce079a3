// Attention over keys and values that were kept: decoding asks with one row, a prompt with a few at a time. `place` says where: what changes from
// call to call is data, never part of a plan.
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import attention from "./attention-cached.wgsl?raw";
import keep from "./cache-keep.wgsl?raw";

/** Words of `place`: the position of the first row, and how many rows count. */
export const PLACE_WORDS = 2;

/** One head of one row is all that a workgroup has: a few keys for each lane are a context. On a CPU a quad is one vector, and a barrier costs more. */
const LANES = 64;

export const cacheKeep = kernel({
  label: "cache-keep",
  source: () => expand(keep, {}),
  shape: { stride: "u32", skip: "u32", width: "u32", T: "u32", rows: "u32" },
  bindings: { place: "read", qkv: "read", cache: "write" },
  workgroups: ({ width, rows }) => [Math.ceil(width / 16), Math.ceil(rows / 4), 1],
});

export const attentionCached = kernel({
  label: "attention-cached",
  source: ({ quads, headSize }) => {
    const HS4 = headSize / 4;
    const PARTS = Math.max(1, Math.floor(LANES / HS4));
    return expand(attention, {
      constants: { HS4, LANES: quads ? 4 : LANES, PARTS, EACH: Math.ceil(HS4 / LANES) },
      flags: { QUADS: quads, BARRIER: !quads },
    });
  },
  shape: { T: "u32", heads: "u32", kvHeads: "u32", scale: "f32", rows: "u32" },
  bindings: { place: "read", qkv: "read", cache: "read", y: "write" },
  workgroups: ({ heads, rows }) => [rows, heads, 1],
});
