// Rotary position embedding, Hugging Face's Llama convention (rotate half).
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import source from "./rope.wgsl?raw";
import { eachOf, overRows } from "./rows.ts";

const packOf = (half: number): number => (half % 4 === 0 ? 4 : 2);

/** `turned` heads (q's and then k's) of `2 * half` channels each, from the start of every row. */
export const rope = kernel({
  label: "rope",
  source: (variant) => {
    const PACK = packOf(variant.headSize / 2);
    return expand(source, {
      constants: { PACK, EACH: eachOf(variant) },
      flags: { WIDE: PACK === 4 },
      half: variant.half,
    });
  },
  shape: { rows: "u32", T: "u32", stride: "u32", turned: "u32", half: "u32", direction: "f32" },
  bindings: { cosines: "read", sines: "read", qkv: "write" },
  stored: ["qkv"],
  workgroups: ({ rows, turned, half }, variant) => overRows((turned * half) / packOf(half), rows, variant),
});

/** Cosine and sine of position · theta^(−2i/HS), each of shape (T, HS/2). @param positions T of them, or 0 … T − 1 */
export function ropeTables(
  positions: number | readonly number[],
  headSize: number,
  theta: number,
): { cosines: Float32Array<ArrayBuffer>; sines: Float32Array<ArrayBuffer> } {
  const half = headSize / 2;
  const rows = typeof positions === "number" ? Array.from({ length: positions }, (_, t) => t) : positions;
  const angles = Float64Array.from(
    { length: rows.length * half },
    (_, at) => rows[Math.floor(at / half)] * theta ** (-(at % half) / half),
  );
  return { cosines: Float32Array.from(angles, Math.cos), sines: Float32Array.from(angles, Math.sin) };
}
