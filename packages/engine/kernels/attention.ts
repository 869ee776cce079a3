// Causal self-attention with grouped heads: forward keeps one log-sum-exp per row and head, backward recomputes the probabilities.
//
// One query (or key) per invocation, or a few in quads, and four keys (or queries) at a time: a quad of lanes loads four rows once for all of its
// invocations, and what stays live over the loop is a few vec4 per channel. A head's channels are written out.
import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import backwardKv from "./attention-backward-kv.wgsl?raw";
import backwardQ from "./attention-backward-q.wgsl?raw";
import forward from "./attention-forward.wgsl?raw";

/** A CPU wants small workgroups, so that both cores have some; a GPU fills its subgroups. */
const groupOf = ({ quads }: Variant): number => (quads ? 16 : 64);

/**
 * Queries (or keys) of an invocation in quads: rows that are loaded once serve more of them, a quarter faster with two at 32 channels. What is live grows
 * with the channels, and so does the time to compile: at 64 channels two took 2.5 to 3 s a kernel where one took 1 s (SwiftShader, 2026-11).
 */
const CHANNELS_LIVE = 64;
const PER_MAX = 4;
const perOf = ({ quads, headSize }: Variant): number =>
  quads ? Math.min(PER_MAX, Math.max(1, Math.floor(CHANNELS_LIVE / headSize))) : 1;

const sourceOf = (source: string) => (variant: Variant) =>
  expand(source, {
    constants: { HS4: variant.headSize / 4, GROUP: groupOf(variant), PER: perOf(variant) },
    repeat: { u: perOf(variant), i: 4, d: variant.headSize / 4 },
    flags: { QUADS: variant.quads },
  });

const shape = { T: "u32", heads: "u32", kvHeads: "u32", scale: "f32", B: "u32" } as const;

const groups = (T: number, variant: Variant): number => Math.ceil(T / (groupOf(variant) * perOf(variant)));

export const attentionForward = kernel({
  label: "attention-forward",
  source: sourceOf(forward),
  shape,
  bindings: { qkv: "read", y: "write", lse: "write" },
  workgroups: ({ T, heads, B }, variant) => [groups(T, variant), heads, B],
});

export const attentionBackwardQ = kernel({
  label: "attention-backward-q",
  source: sourceOf(backwardQ),
  shape,
  bindings: { qkv: "read", y: "read", dy: "read", lse: "read", dqkv: "write", delta: "write" },
  workgroups: ({ T, heads, B }, variant) => [groups(T, variant), heads, B],
});

export const attentionBackwardKv = kernel({
  label: "attention-backward-kv",
  source: sourceOf(backwardKv),
  shape,
  bindings: { qkv: "read", dy: "read", lse: "read", delta: "read", dqkv: "write" },
  workgroups: ({ T, kvHeads, B }, variant) => [groups(T, variant), kvHeads, B],
});

/** Causal: half of the T x T pairs and the diagonal; two products forward. */
export const attentionFlops = (B: number, T: number, C: number): number => 2 * B * T * (T + 1) * C;
