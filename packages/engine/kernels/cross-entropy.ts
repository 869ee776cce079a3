// Cross-entropy, forward and backward at once, over a chunk of rows: full logits of a large vocabulary would not fit one binding.
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import source from "./cross-entropy.wgsl?raw";

const LANES = 4;
const ROWS = 16;

export const crossEntropy = kernel({
  label: "cross-entropy",
  source: ({ quads, half }) =>
    expand(source, { constants: { LANES, ROWS }, flags: { QUADS: quads, BARRIER: !quads }, half }),
  shape: { rows: "u32", V: "u32", firstRow: "u32" },
  bindings: { step: "read", targets: "read", logits: "write", losses: "write", scaling: "read" },
  stored: ["logits"],
  workgroups: ({ rows }) => [Math.ceil(rows / ROWS), 1, 1],
});
