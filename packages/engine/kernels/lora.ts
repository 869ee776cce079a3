// What adapters need besides products: the merge into the weights that everything else reads, and zeros where no adapter's block is.
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import keepColumnsSource from "./keep-columns.wgsl?raw";
import mergeSource from "./lora-merge.wgsl?raw";
import { flatGroups } from "./optimizer.ts";

const GROUP = 64;
/** Rows of W for each load of A: more than eight are registers that small adapters lack. */
const ROWS = 8;

/** Extents with a 4 count vec4. */
export const loraMerge = kernel({
  label: "lora-merge",
  source: () => expand(mergeSource, { constants: { GROUP, ROWS }, repeat: { r: ROWS, i: 4 } }),
  shape: { rows: "u32", in4: "u32", first: "u32", rank4: "u32", from4: "u32", to4: "u32", scale: "f32" },
  bindings: { base: "read", a: "read", b: "read", w: "write" },
  workgroups: ({ rows, in4 }) => [Math.ceil(in4 / GROUP), Math.ceil(rows / ROWS), 1],
});

/** `n` = rows · width4. */
export const keepColumns = kernel({
  label: "keep-columns",
  source: () => expand(keepColumnsSource, { constants: { GROUP } }),
  shape: { n: "u32", first: "u32", width4: "u32", from4: "u32", to4: "u32" },
  bindings: { x: "write" },
  workgroups: ({ n }) => [flatGroups(n), 1, 1],
});
