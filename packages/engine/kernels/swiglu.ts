// The feed-forward gate, forward and backward. gate and up are adjacent, so that one matrix product makes both.
import { kernel, type Variant } from "../device/kernel.ts";
import { inRows, overRows } from "./rows.ts";
import backward from "./swiglu-backward.wgsl?raw";
import forward from "./swiglu-forward.wgsl?raw";

const workgroups = ({ rows, F }: { readonly rows: number; readonly F: number }, variant: Variant) =>
  overRows(F / 4, rows, variant);

export const swigluForward = kernel({
  label: "swiglu-forward",
  source: inRows(forward),
  shape: { rows: "u32", F: "u32" },
  bindings: { gateUp: "read", h: "write" },
  stored: ["gateUp", "h"],
  workgroups,
});

/** In place: gateUp becomes its own gradient. */
export const swigluBackward = kernel({
  label: "swiglu-backward",
  source: inRows(backward),
  shape: { rows: "u32", F: "u32" },
  bindings: { dh: "read", gateUp: "write" },
  stored: ["dh", "gateUp"],
  workgroups,
});
