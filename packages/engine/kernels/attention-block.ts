// Attention between the ranks that share a sequence's positions: some of one's queries against keys and values of another rank, all of which they see (the
// zig-zag cut needs no mask: island/zig-zag.ts). What a query attends to is the sum of its own causal block (attention.ts) and of these, in any order.
//
//   forward    y, lse  <-  and this block                     backward   dq += of this block;   dkv = of this block, which its owner adds to its own
import { kernel } from "../device/kernel.ts";
import { attentionGroups, attentionSource } from "./attention.ts";
import backwardKvLoop from "./attention-backward-kv-loop.wgsl?raw";
import backwardQLoop from "./attention-backward-q-loop.wgsl?raw";
import backwardKv from "./attention-block-backward-kv.wgsl?raw";
import backwardQ from "./attention-block-backward-q.wgsl?raw";
import forward from "./attention-block-forward.wgsl?raw";
import queries from "./attention-block-queries.wgsl?raw";
import forwardLoop from "./attention-forward-loop.wgsl?raw";
import addSource from "./keys-add.wgsl?raw";
import takeSource from "./keys-take.wgsl?raw";
import { inRows, overRows } from "./rows.ts";

/** Rows first … first + queries − 1 of T, of each sequence; `keys` rows of each sequence of the other rank. */
const shape = {
  T: "u32",
  heads: "u32",
  kvHeads: "u32",
  scale: "f32",
  first: "u32",
  queries: "u32",
  keys: "u32",
  B: "u32",
} as const;

/** Which queries an invocation has, and where another rank's keys lie: the same wherever queries walk over keys. */
const withQueries = (source: string): string => source.replace("  QUERIES\n", () => queries);

export const attentionBlockForward = kernel({
  label: "attention-block-forward",
  source: attentionSource(withQueries(forward), forwardLoop),
  shape,
  bindings: { qkv: "read", kv: "read", y: "write", lse: "write" },
  stored: ["qkv", "kv", "y"],
  workgroups: ({ queries, heads, B }, variant) => [attentionGroups(queries, variant), heads, B],
});

export const attentionBlockBackwardQ = kernel({
  label: "attention-block-backward-q",
  source: attentionSource(withQueries(backwardQ), backwardQLoop),
  shape,
  bindings: { qkv: "read", kv: "read", dy: "read", lse: "read", delta: "read", dqkv: "write" },
  stored: ["qkv", "kv", "dy", "dqkv"],
  workgroups: ({ queries, heads, B }, variant) => [attentionGroups(queries, variant), heads, B],
});

export const attentionBlockBackwardKv = kernel({
  label: "attention-block-backward-kv",
  source: attentionSource(backwardKv, backwardKvLoop),
  shape,
  bindings: { qkv: "read", kv: "read", dy: "read", lse: "read", delta: "read", dkv: "write" },
  stored: ["qkv", "kv", "dy", "dkv"],
  workgroups: ({ keys, kvHeads, B }, variant) => [attentionGroups(keys, variant), kvHeads, B],
});

/** Extents with a 4 count vec4. */
export const keysTake = kernel({
  label: "keys-take",
  source: inRows(takeSource),
  shape: { rows: "u32", stride4: "u32", width4: "u32" },
  bindings: { qkv: "read", kv: "write" },
  stored: ["qkv", "kv"],
  workgroups: ({ rows, width4 }, variant) => overRows(width4, rows, variant),
});

/** `rows` = sequences · keys; extents with a 4 count vec4. */
export const keysAdd = kernel({
  label: "keys-add",
  source: inRows(addSource),
  shape: { rows: "u32", stride4: "u32", width4: "u32", keys: "u32", T: "u32" },
  bindings: { dkv: "read", dqkv: "write" },
  stored: ["dkv", "dqkv"],
  workgroups: ({ rows, width4 }, variant) => overRows(width4, rows, variant),
});

/** All pairs; two products forward. */
export const attentionBlockFlops = (B: number, queries: number, keys: number, C: number): number =>
  4 * B * queries * keys * C;
