// Causal self-attention with grouped heads: forward keeps one log-sum-exp per row and head, backward recomputes the probabilities.
//
// 4 queries (or keys) per invocation: a key's load is used four times, and scores stay one vec4. A head's channels are written out.
import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import backwardKv from "./attention-backward-kv.wgsl?raw";
import backwardQ from "./attention-backward-q.wgsl?raw";
import forward from "./attention-forward.wgsl?raw";

const QUERIES = 4;

/** A CPU wants few rows per workgroup, so that both cores have some; a GPU fills a subgroup. */
const groupOf = ({ quads }: Variant): number => (quads ? 4 : 32);

const sourceOf = (source: string) => (variant: Variant) =>
  expand(source, {
    constants: { HS4: variant.headSize / 4, GROUP: groupOf(variant) },
    repeat: { j: QUERIES, d: variant.headSize / 4 },
  });

const shape = { T: "u32", heads: "u32", kvHeads: "u32", scale: "f32", B: "u32" } as const;

const tiles = (T: number, variant: Variant): number => Math.ceil(T / QUERIES / groupOf(variant));

export const attentionForward = kernel({
  label: "attention-forward",
  source: sourceOf(forward),
  shape,
  bindings: { qkv: "read", y: "write", lse: "write" },
  workgroups: ({ T, heads, B }, variant) => [tiles(T, variant), heads, B],
});

export const attentionBackwardQ = kernel({
  label: "attention-backward-q",
  source: sourceOf(backwardQ),
  shape,
  bindings: { qkv: "read", y: "read", dy: "read", lse: "read", dqkv: "write", delta: "write" },
  workgroups: ({ T, heads, B }, variant) => [tiles(T, variant), heads, B],
});

export const attentionBackwardKv = kernel({
  label: "attention-backward-kv",
  source: sourceOf(backwardKv),
  shape,
  bindings: { qkv: "read", dy: "read", lse: "read", delta: "read", dqkv: "write" },
  workgroups: ({ T, kvHeads, B }, variant) => [tiles(T, variant), kvHeads, B],
});

/** Causal: half of the T x T pairs and the diagonal; two products forward. */
export const attentionFlops = (B: number, T: number, C: number): number => 2 * B * T * (T + 1) * C;
