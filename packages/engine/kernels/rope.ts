// Rotary position embedding, Hugging Face's Llama convention (rotate half).
import { kernel } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import source from "./rope.wgsl?raw";

/** `turned` heads (q's and then k's) of `2 * half` channels each, from the start of every row. */
export const rope = kernel({
  label: "rope",
  source: () => expand(source, {}),
  shape: { rows: "u32", T: "u32", stride: "u32", turned: "u32", half: "u32", direction: "f32" },
  bindings: { table: "read", qkv: "write" },
  workgroups: ({ rows, turned, half }) => [Math.ceil((turned * half) / 16), Math.ceil(rows / 4), 1],
});

/** (cos, sin) of position · theta^(−2i/HS), shape (T, HS/2, 2). */
export function ropeTable(T: number, headSize: number, theta: number): Float32Array<ArrayBuffer> {
  const half = headSize / 2;
  const table = new Float32Array(T * headSize);
  for (let t = 0; t < T; t++) {
    for (let i = 0; i < half; i++) {
      const angle = t * theta ** (-i / half);
      table[(t * half + i) * 2] = Math.cos(angle);
      table[(t * half + i) * 2 + 1] = Math.sin(angle);
    }
  }
  return table;
}
