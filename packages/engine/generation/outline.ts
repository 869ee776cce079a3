// A generator on paper: every buffer, and what its passes bind. Like the training engine's outline, so that what was predicted is what is allocated.
//
//   parameters, and of each layer a cache (T, 2·KVH·headSize): 2·L·T·KVH·headSize floats in all; scratch for ROWS rows, logits of one
import type { ModelShape } from "#wire";
import { type BytesByPart, MemoryPlan, MIB, PARTS } from "../device/memory.ts";
import { Rehearsal } from "../device/rehearsal.ts";
import { PLACE_WORDS } from "../kernels/attention-cached.ts";
import { type Extents, extentsOf, type Layout, layoutOf } from "../model/layout.ts";
import { type MemoryLimits, tooLarge } from "../model/outline.ts";
import { generationPasses } from "./passes.ts";

/** Rows of a prompt at a time: a tile of the products. More of them read the weights less often and take more memory. */
const PREFILL_ROWS = 64;
/** Parameters cross in pieces of at most this size. */
const PIECE_BYTES = 64 * MIB;

export interface GenerationSizes extends Extents {
  /** Of a prompt at a time. */
  readonly rows: number;
  readonly KV: number;
  /** Norms add what a block gave a block later. */
  readonly ladder: boolean;
}

export interface GenerationOutline {
  readonly layout: Layout;
  readonly sizes: GenerationSizes;
  readonly memory: MemoryPlan;
  readonly pieceFloats: number;
  readonly bytesByPart: BytesByPart;
  readonly totalBytes: number;
  /** The widest range that a dispatch binds, in floats, by the buffer's name. */
  readonly widestByName: ReadonlyMap<string, number>;
}

export function generationOutline(model: ModelShape): GenerationOutline {
  const layout = layoutOf(model);
  const extents = extentsOf(model, 1, layout);
  const sizes = {
    ...extents,
    rows: Math.min(PREFILL_ROWS, extents.T),
    KV: (extents.QKV - extents.C) / 2,
    ladder: model.residual === "ladder",
  };
  const memory = planMemory(model, layout, sizes);
  const rehearsal = new Rehearsal();
  const uniforms = rehearsal.uniformBytesOf(generationPasses({ model, layout, sizes, memory: memory.blank() }));
  const bytesByPart = Object.fromEntries(
    PARTS.map((part) => {
      const added = part === "scratch" ? uniforms : part === "staging" ? sizes.V * 4 : 0;
      return [part, memory.bytesOf(part) + added];
    }),
  ) as BytesByPart;
  const totalBytes = Object.values(bytesByPart).reduce((a, b) => a + b);
  const pieceFloats = Math.min(layout.length, PIECE_BYTES / 4);
  return { layout, sizes, memory, pieceFloats, bytesByPart, totalBytes, widestByName: rehearsal.widestByName };
}

function planMemory(model: ModelShape, layout: Layout, sizes: GenerationSizes): MemoryPlan {
  const { rows, C, F, V, QKV, KV, T, headSize } = sizes;
  const plan = new MemoryPlan();
  plan.want("parameters", layout.length, "parameters");
  for (let l = 0; l < model.layers; l++) plan.want(`cache.${l}`, T * 2 * KV, "cache");
  const want = (name: string, floats: number): void => plan.want(name, floats, "scratch");
  for (const name of ["x1", "x2", "y", "dy", "attended", ...(sizes.ladder ? ["dy2"] : [])]) want(name, rows * C);
  want("qkv", rows * QKV);
  want("gateUp", rows * 2 * F);
  want("h", rows * F);
  for (const name of ["rstd", "ids"]) want(name, rows);
  for (const name of ["cosines", "sines"]) want(name, (rows * headSize) / 2);
  want("place", PLACE_WORDS);
  for (const name of ["xLast", "dyLast", "xOut", "yOut"]) want(name, C);
  plan.want("logits", V, "logits");
  return plan;
}

export interface GenerationPlan {
  readonly bytesByPart: BytesByPart;
  readonly totalBytes: number;
  /** Why it does not fit, with numbers; undefined: it fits. */
  readonly problem: string | undefined;
}

/** What continuing texts takes, before it is started. Pure: shape and limits in, bytes out. */
export function planGeneration(model: ModelShape, limits?: MemoryLimits): GenerationPlan {
  const { bytesByPart, totalBytes, layout, memory, widestByName } = generationOutline(model);
  const over = limits && tooLarge(memory, widestByName, limits);
  const problem =
    over &&
    `${over.name} needs ${over.needsMib} MiB in one piece and this device allows ${over.allowedMib} MiB: a model of this form may have at most about ${Math.floor(layout.parameters / over.ratio).toLocaleString("en")} parameters here (it has ${layout.parameters.toLocaleString("en")}).`;
  return { bytesByPart, totalBytes, problem };
}
