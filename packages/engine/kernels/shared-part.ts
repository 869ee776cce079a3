// What goes from rows to heads and back where ranks share sequences (model/heads-passes.ts): copies of a part out of a whole, and into one.
import { kernel, type Variant } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import { eachOf, overRows } from "./rows.ts";
import source from "./shared-part.wgsl?raw";

/** `rows` = sequences · T of the part; extents with a 4 count vec4. One of ranks and groups is 1: the part has all positions, or all heads. */
const shape = {
  rows: "u32",
  T: "u32",
  width4: "u32",
  k4: "u32",
  ranks: "u32",
  rank: "u32",
  groups: "u32",
  group: "u32",
} as const;

const sourceOf = (PUT: boolean) => (variant: Variant) =>
  expand(source, { constants: { EACH: eachOf(variant) }, flags: { PUT }, half: variant.half });

const shared = { shape, stored: ["whole", "part"] } as const;
type Extents = Readonly<Record<"rows" | "width4", number>>;
const workgroups = ({ rows, width4 }: Extents, variant: Variant) => overRows(width4, rows, variant);

export const partTake = kernel({
  ...{ ...shared, workgroups },
  label: "part-take",
  source: sourceOf(false),
  bindings: { whole: "read", part: "write" },
});

export const partPut = kernel({
  ...{ ...shared, workgroups },
  label: "part-put",
  source: sourceOf(true),
  bindings: { part: "read", whole: "write" },
});
