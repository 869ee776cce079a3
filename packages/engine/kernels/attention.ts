// Causal self-attention with grouped heads: forward keeps one log-sum-exp per row and head, backward recomputes the probabilities.
//
// One query (or key) per invocation, or a few in quads, and four keys (or queries) at a time: a quad of lanes loads four rows once for all of its
// invocations, and what stays live over the loop is a few vec4 per channel. A head's channels are written out.
import { kernel, type Tuning, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import backwardKv from "./attention-backward-kv.wgsl?raw";
import backwardKvLoop from "./attention-backward-kv-loop.wgsl?raw";
import backwardQ from "./attention-backward-q.wgsl?raw";
import backwardQLoop from "./attention-backward-q-loop.wgsl?raw";
import forward from "./attention-forward.wgsl?raw";
import forwardLoop from "./attention-forward-loop.wgsl?raw";

const shape = { T: "u32", heads: "u32", kvHeads: "u32", scale: "f32", B: "u32" } as const;

/** A CPU wants small workgroups, so that both cores have some; a GPU fills its subgroups. */
const groupOf = ({ quads, tile }: Variant): number => tile?.groupX ?? (quads ? 16 : 64);

/**
 * Channels of queries (or keys) that an invocation keeps live in quads. Rows that are loaded once serve more of them with more: at 32 channels two queries are a
 * quarter to two fifths faster than one, in all three kernels, which take 0.2 s longer to compile for it (SwiftShader, 2026-11). At twice as much a compiler may
 * take minutes.
 */
const LIVE = 64;
const PER_MAX = 4;
const perOf = ({ quads, headSize, tile }: Variant): number =>
  tile?.rows ?? (quads ? Math.min(PER_MAX, Math.max(1, Math.floor(LIVE / headSize))) : 1);

const candidates = (variant: Variant): Variant[] =>
  [1, 2]
    .filter((rows) => rows !== perOf(variant) && rows * variant.headSize <= LIVE)
    .map((rows) => ({ ...variant, tile: { rows, cols: 4, groupX: groupOf(variant), groupY: 1 } }));

type Extent = keyof typeof shape;
const TRIAL_MAX = { T: 1024, B: 8 };
const trial = (given: Readonly<Record<Extent, number>>): Readonly<Record<Extent, number>> => ({
  ...given,
  T: Math.min(given.T, TRIAL_MAX.T),
  B: Math.min(given.B, TRIAL_MAX.B),
});

/** @param floats of what is as large as y, as qkv, and as lse */
const tuningOf = <Binding extends string>(
  floats: (y: number, qkv: number, statistics: number) => Readonly<Record<Binding, number>>,
): Tuning<Extent, Binding> => ({
  candidates,
  trial,
  floats: ({ T, B, heads, kvHeads }, { headSize }) =>
    floats(B * T * heads * headSize, B * T * (heads + 2 * kvHeads) * headSize, B * T * heads),
});

/** @param loop over keys or queries, the same where they are another rank's (attention-block.ts) */
export const attentionSource = (source: string, loop: string) => (variant: Variant) =>
  expand(
    source.replace("  LOOP\n", () => loop),
    {
      constants: { HS4: variant.headSize / 4, GROUP: groupOf(variant), PER: perOf(variant) },
      repeat: { u: perOf(variant), i: 4, d: variant.headSize / 4 },
      flags: { QUADS: variant.quads },
      half: variant.half,
    },
  );

/** Workgroups for so many queries (or keys). */
export const attentionGroups = (T: number, variant: Variant): number =>
  Math.ceil(T / (groupOf(variant) * perOf(variant)));

export const attentionForward = kernel({
  label: "attention-forward",
  source: attentionSource(forward, forwardLoop),
  shape,
  bindings: { qkv: "read", y: "write", lse: "write" },
  stored: ["qkv", "y"],
  workgroups: ({ T, heads, B }, variant) => [attentionGroups(T, variant), heads, B],
  tuning: tuningOf((y, qkv, lse) => ({ qkv, y, lse })),
});

export const attentionBackwardQ = kernel({
  label: "attention-backward-q",
  source: attentionSource(backwardQ, backwardQLoop),
  shape,
  bindings: { qkv: "read", y: "read", dy: "read", lse: "read", dqkv: "write", delta: "write" },
  stored: ["qkv", "y", "dy", "dqkv"],
  workgroups: ({ T, heads, B }, variant) => [attentionGroups(T, variant), heads, B],
  tuning: tuningOf((y, qkv, lse) => ({ qkv, y, dy: y, lse, dqkv: qkv, delta: lse })),
});

export const attentionBackwardKv = kernel({
  label: "attention-backward-kv",
  source: attentionSource(backwardKv, backwardKvLoop),
  shape,
  bindings: { qkv: "read", dy: "read", lse: "read", delta: "read", dqkv: "write" },
  stored: ["qkv", "dy", "dqkv"],
  workgroups: ({ T, kvHeads, B }, variant) => [attentionGroups(T, variant), kvHeads, B],
  tuning: tuningOf((y, qkv, lse) => ({ qkv, dy: y, lse, delta: lse, dqkv: qkv })),
});

/** Causal: half of the T x T pairs and the diagonal; two products forward. */
export const attentionFlops = (B: number, T: number, C: number): number => 2 * B * T * (T + 1) * C;
