// RMSNorm with the residual stream: forward takes K partial sums (K = 1 in every pass, K > 1 for split matrices), backward gives the
// stream's gradient and, in two stages without atomics, the weights'.
import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import backward from "./rmsnorm-backward.wgsl?raw";
import forward from "./rmsnorm-forward.wgsl?raw";
import gammaSum from "./rmsnorm-gamma-sum.wgsl?raw";

/** A row's invocations x rows of a workgroup. On a software adapter a quad adds up through its lanes, because a barrier costs a CPU more than the sums. */
const LANES = 4;
const ROWS = 16;
/** Rows whose sum goes into one partial gradient of a norm's weight: √(tokens) or so keeps both stages short. */
const BLOCK = 32;
/** BLOCK rows of so many invocations are the largest workgroup that every device takes. */
const BLOCK_LANES = 8;

export const gammaBlocks = (rows: number): number => Math.ceil(rows / BLOCK);

const flags = ({ quads }: Variant) => ({ QUADS: quads, BARRIER: !quads });

export const rmsnormForward = kernel({
  label: "rmsnorm-forward",
  source: (variant) => expand(forward, { constants: { LANES, ROWS }, flags: flags(variant), half: variant.half }),
  shape: { rows: "u32", C: "u32", K: "u32", eps: "f32" },
  bindings: { partials: "read", residual: "read", gamma: "read", residualOut: "write", y: "write", rstd: "write" },
  stored: ["partials", "residual", "residualOut", "y"],
  workgroups: ({ rows }) => [Math.ceil(rows / ROWS), 1, 1],
});

export const rmsnormBackward = kernel({
  label: "rmsnorm-backward",
  source: (variant) =>
    expand(backward, { constants: { LANES: BLOCK_LANES, BLOCK }, flags: flags(variant), half: variant.half }),
  shape: { rows: "u32", C: "u32", accumulate: "u32" },
  bindings: { dy: "read", x: "read", rstd: "read", gamma: "read", dx: "write", partials: "write" },
  stored: ["dy", "x", "dx"],
  workgroups: ({ rows }) => [gammaBlocks(rows), 1, 1],
});

export const rmsnormGammaSum = kernel({
  label: "rmsnorm-gamma-sum",
  source: () => expand(gammaSum, {}),
  shape: { norms: "u32", blocks: "u32", C: "u32", stride: "u32", partialStride: "u32" },
  bindings: { partials: "read", dgamma: "write" },
  workgroups: ({ norms, C }) => [Math.ceil(C / 4 / 16), Math.ceil(norms / 4), 1],
});
