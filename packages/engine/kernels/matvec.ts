// A linear layer for one row: what decoding does instead of a matrix product. It waits for memory, so all lanes read the weights in order.
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import source from "./matvec.wgsl?raw";

/** Two subgroups of most GPUs: enough reads in flight for one workgroup, and rows of a few hundred still keep all of it busy. */
const LANES = 64;
/** Rows that a workgroup owns. */
const ROWS = 4;

export const matvec = kernel({
  label: "matvec",
  source: ({ quads, half }) =>
    expand(source, {
      constants: { LANES: quads ? 4 : LANES },
      repeat: { i: 4 },
      flags: { QUADS: quads, BARRIER: !quads },
      half,
    }),
  shape: { N: "u32", K: "u32" },
  bindings: { w: "read", x: "read", y: "write" },
  stored: ["w", "x", "y"],
  workgroups: ({ N }) => [Math.ceil(N / ROWS), 1, 1],
});
