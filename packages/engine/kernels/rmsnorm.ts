// RMSNorm with the residual stream: forward takes K partial sums (K = 1 in every pass, K > 1 for split matrices), backward gives the
// stream's gradient and, in two stages without atomics, the weights'.
import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import decode from "./decode-shard.wgsl?raw";
import backward from "./rmsnorm-backward.wgsl?raw";
import forward from "./rmsnorm-forward.wgsl?raw";
import gammaSum from "./rmsnorm-gamma-sum.wgsl?raw";
import { SHARD_VECTORS } from "./shard.ts";

/** A row's invocations x rows of a workgroup. On a software adapter a quad adds up through its lanes, because a barrier costs a CPU more than the sums. */
const LANES = 4;
const ROWS = 16;
/** Rows whose sum goes into one partial gradient of a norm's weight: √(tokens) or so keeps both stages short. */
const BLOCK = 32;
/** BLOCK rows of so many invocations are the largest workgroup that every device takes. */
const BLOCK_LANES = 8;

export const gammaBlocks = (rows: number): number => Math.ceil(rows / BLOCK);

const flags = ({ quads }: Variant, SHARDS: boolean) => ({ QUADS: quads, BARRIER: !quads, SHARDS });

const forwardSource = (shards: boolean) => (variant: Variant) =>
  expand(shards ? forward.replace("DECODE", decode) : forward, {
    constants: { LANES, ROWS, SHARD_VECTORS },
    flags: flags(variant, shards),
    half: variant.half,
  });

const backwardSource = (shards: boolean) => (variant: Variant) =>
  expand(shards ? backward.replace("DECODE", decode) : backward, {
    constants: { LANES: BLOCK_LANES, BLOCK, SHARD_VECTORS },
    flags: flags(variant, shards),
    half: variant.half,
  });

export const rmsnormForward = kernel({
  label: "rmsnorm-forward",
  source: forwardSource(false),
  shape: { rows: "u32", C: "u32", K: "u32", eps: "f32" },
  bindings: { partials: "read", residual: "read", gamma: "read", residualOut: "write", y: "write", rstd: "write" },
  stored: ["partials", "residual", "residualOut", "y"],
  workgroups: ({ rows }) => [Math.ceil(rows / ROWS), 1, 1],
});

export const rmsnormBackward = kernel({
  label: "rmsnorm-backward",
  source: backwardSource(false),
  shape: { rows: "u32", C: "u32", accumulate: "u32" },
  bindings: { dy: "read", x: "read", rstd: "read", gamma: "read", dx: "write", partials: "write" },
  stored: ["dy", "x", "dx"],
  workgroups: ({ rows }) => [gammaBlocks(rows), 1, 1],
});

/**
 * An all-reduce's last step, the residual and the norm in one kernel: shards (S, words), as they came from peers, are decoded, summed in their order behind the K
 * partials, added to the residual and normalized. Whoever takes the same shards in the same order has the same bits.
 */
export const allReduceNormForward = kernel({
  label: "all-reduce-norm-forward",
  source: forwardSource(true),
  shape: { ...rmsnormForward.shape, shards: "u32" },
  bindings: { ...rmsnormForward.bindings, shards: "read" },
  stored: ["partials", "residual", "residualOut", "y"],
  workgroups: rmsnormForward.workgroups,
});

/** Its backward pass: dy, our part of it (K = 1; 0: there is none), becomes the sum with the shards of it that came from peers. */
export const allReduceNormBackward = kernel({
  label: "all-reduce-norm-backward",
  source: backwardSource(true),
  shape: { ...rmsnormBackward.shape, K: "u32", shards: "u32" },
  bindings: { ...rmsnormBackward.bindings, dy: "write", shards: "read" },
  stored: ["dy", "x", "dx"],
  workgroups: rmsnormBackward.workgroups,
});

export const rmsnormGammaSum = kernel({
  label: "rmsnorm-gamma-sum",
  source: () => expand(gammaSum, {}),
  shape: { norms: "u32", blocks: "u32", C: "u32", stride: "u32", partialStride: "u32" },
  bindings: { partials: "read", dgamma: "write" },
  workgroups: ({ norms, C }) => [Math.ceil(C / 4 / 16), Math.ceil(norms / 4), 1],
});
