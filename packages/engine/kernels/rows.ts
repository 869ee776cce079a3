// Kernels over single elements: a workgroup is 16 vec4 of a row wide and 4 invocations high, and each invocation takes EACH rows.
import type { Variant, Workgroups } from "../device/kernel.ts";
import { expand } from "../device/template.ts";

/** Starting an invocation costs a software adapter about as much as a vec4 of work; a GPU hides its latency behind many. */
export const eachOf = ({ quads }: Variant): number => (quads ? 8 : 1);

export const inRows = (source: string) => (variant: Variant) =>
  expand(source, { constants: { EACH: eachOf(variant) }, half: variant.half });

/** @param packs of a row: a vec4 or what else an invocation takes at once */
export const overRows = (packs: number, rows: number, variant: Variant): Workgroups => [
  Math.ceil(packs / 16),
  Math.ceil(rows / (4 * eachOf(variant))),
  1,
];
