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
 * Channels of queries (or keys) that an invocation keeps live in quads. Rows that are loaded once serve more of them with more: at 32 channels two queries are a
 * quarter faster than one, in all three kernels. But they compile twice as long, and the first step waits for that: 0.1 s forward, 0.3 s for each
 * kernel of the backward pass, which therefore keeps one (SwiftShader, 2026-11).
 */
const LIVE = { forward: 64, backward: 32 };
const PER_MAX = 4;
const perOf = ({ quads, headSize }: Variant, live: number): number =>
  quads ? Math.min(PER_MAX, Math.max(1, Math.floor(live / headSize))) : 1;

const sourceOf = (source: string, live: number) => (variant: Variant) =>
  expand(source, {
    constants: { HS4: variant.headSize / 4, GROUP: groupOf(variant), PER: perOf(variant, live) },
    repeat: { u: perOf(variant, live), i: 4, d: variant.headSize / 4 },
    flags: { QUADS: variant.quads },
    half: variant.half,
  });

const shape = { T: "u32", heads: "u32", kvHeads: "u32", scale: "f32", B: "u32" } as const;

const groups = (T: number, variant: Variant, live: number): number =>
  Math.ceil(T / (groupOf(variant) * perOf(variant, live)));

export const attentionForward = kernel({
  label: "attention-forward",
  source: sourceOf(forward, LIVE.forward),
  shape,
  bindings: { qkv: "read", y: "write", lse: "write" },
  stored: ["qkv", "y"],
  workgroups: ({ T, heads, B }, variant) => [groups(T, variant, LIVE.forward), heads, B],
});

export const attentionBackwardQ = kernel({
  label: "attention-backward-q",
  source: sourceOf(backwardQ, LIVE.backward),
  shape,
  bindings: { qkv: "read", y: "read", dy: "read", lse: "read", dqkv: "write", delta: "write" },
  stored: ["qkv", "y", "dy", "dqkv"],
  workgroups: ({ T, heads, B }, variant) => [groups(T, variant, LIVE.backward), heads, B],
});

export const attentionBackwardKv = kernel({
  label: "attention-backward-kv",
  source: sourceOf(backwardKv, LIVE.backward),
  shape,
  bindings: { qkv: "read", dy: "read", lse: "read", delta: "read", dqkv: "write" },
  stored: ["qkv", "dy", "dqkv"],
  workgroups: ({ T, kvHeads, B }, variant) => [groups(T, variant, LIVE.backward), kvHeads, B],
});

/** Causal: half of the T x T pairs and the diagonal; two products forward. */
export const attentionFlops = (B: number, T: number, C: number): number => 2 * B * T * (T + 1) * C;
