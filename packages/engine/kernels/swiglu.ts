// The feed-forward gate, forward and backward. gate and up are adjacent, so that one matrix product makes both.
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import backward from "./swiglu-backward.wgsl?raw";
import forward from "./swiglu-forward.wgsl?raw";

const workgroups = ({ rows, F }: { readonly rows: number; readonly F: number }) =>
  [Math.ceil(F / 4 / 16), Math.ceil(rows / 4), 1] as const;

export const swigluForward = kernel({
  label: "swiglu-forward",
  source: () => expand(forward, {}),
  shape: { rows: "u32", F: "u32" },
  bindings: { gateUp: "read", h: "write" },
  workgroups,
});

/** In place: gateUp becomes its own gradient. */
export const swigluBackward = kernel({
  label: "swiglu-backward",
  source: () => expand(backward, {}),
  shape: { rows: "u32", F: "u32" },
  bindings: { dh: "read", gateUp: "write" },
  workgroups,
});
