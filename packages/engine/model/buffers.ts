// Every buffer of one engine, by name. What the backward pass needs is kept per layer; the rest is scratch that all layers share.
import type { ModelShape } from "#wire";
import { MemoryPlan } from "../device/memory.ts";
import { ALIGN_FLOATS, alignFloats } from "../device/plan.ts";
import { ModelTooLargeError } from "../errors.ts";
import { occurrencesLength } from "../kernels/embedding.ts";
import { GROUPS_MAX, STEP_FLOATS } from "../kernels/optimizer.ts";
import { gammaBlocks } from "../kernels/rmsnorm.ts";
import type { Layout } from "./layout.ts";

/** Logits and their gradient at once: large enough that a matrix product fills the device, small beside the activations. */
const LOGITS_CHUNK_BYTES = 16 * 2 ** 20;

export interface Sizes {
  readonly B: number;
  readonly T: number;
  readonly N: number; //       rows: B·T
  readonly C: number;
  readonly F: number;
  readonly V: number; //       padded
  readonly QKV: number; //     columns of q, k and v together
  readonly headSize: number;
  readonly chunkRows: number; // rows of logits at a time, a multiple of ALIGN_FLOATS
}

export function sizesOf(
  model: ModelShape,
  microbatch: number,
  layout: Layout,
  logitsChunkBytes = LOGITS_CHUNK_BYTES,
): Sizes {
  const { dModel: C, dFfn: F, heads, kvHeads, contextLength: T } = model;
  const headSize = C / heads;
  const N = microbatch * T;
  const V = layout.paddedVocab;
  const chunk = Math.max(1, Math.floor(logitsChunkBytes / (V * 4 * ALIGN_FLOATS))) * ALIGN_FLOATS;
  const chunkRows = Math.min(chunk, Math.ceil(N / ALIGN_FLOATS) * ALIGN_FLOATS);
  return { B: microbatch, T, N, C, F, V, QKV: C + 2 * kvHeads * headSize, headSize, chunkRows };
}

/** Rows that a workgroup of the kernels over single elements covers: the fewest of all kernels. */
const ROWS_PER_WORKGROUP = 4;

/** A dispatch has a bounded number of workgroups per dimension. Throws ModelTooLargeError with the microbatch that fits. */
export function checkRows(rows: number, microbatch: number, limits: GPUSupportedLimits): void {
  const allowed = ROWS_PER_WORKGROUP * limits.maxComputeWorkgroupsPerDimension;
  if (rows <= allowed) return;
  const fits = Math.floor((microbatch * allowed) / rows);
  const remedy =
    fits >= 1
      ? `use at most ${fits} sequences per microbatch (asked: ${microbatch})`
      : "not even one sequence fits: use a shorter context";
  throw new ModelTooLargeError(
    `A microbatch of ${rows.toLocaleString("en")} tokens is more than one dispatch covers on this device (${allowed.toLocaleString("en")}): ${remedy}.`,
  );
}

const FLAT_VECTORS = ["parameters", "gradient", "momentum", "variance"] as const;

export function planMemory(model: ModelShape, layout: Layout, sizes: Sizes, bindingFloats: number): MemoryPlan {
  const { N, C, F, V, QKV, T, headSize, chunkRows } = sizes;
  const plan = new MemoryPlan();
  // The flat vectors are bound tensor by tensor, or in ranges as wide as a binding may be.
  const widest = Math.max(layout.embed.length, ...layout.layers.flatMap((l) => [l.qkv.length, l.gateUp.length]));
  for (const name of FLAT_VECTORS) plan.want(name, layout.length, "model", widest);
  plan.want("squares", GROUPS_MAX * Math.ceil(layout.length / bindingFloats), "model");
  for (const name of ["cosines", "sines"]) plan.want(name, (T * headSize) / 2, "model");
  plan.want("step", STEP_FLOATS, "model");
  plan.want("report", 2, "model");

  const want = (name: string, floats: number): void => plan.want(name, floats, "microbatch");
  want("ids", N);
  want("targets", N);
  want("occurrences", occurrencesLength(N));
  want("losses", N);
  want("logits", chunkRows * V);
  want("gammaPartials", (2 * model.layers + 1) * alignFloats(gammaBlocks(N) * C));
  for (const name of ["embedded", "partial", "dx", "dy"]) want(name, N * C);
  want("dh", N * F);
  want("dgateUp", N * 2 * F);
  want("dqkv", N * QKV);
  want("delta", N * model.heads);
  for (let l = 0; l < model.layers; l++) {
    for (const name of ["x1", "y1", "attended", "x2", "y2"]) want(`${name}.${l}`, N * C);
    for (const name of ["rstd1", "rstd2"]) want(`${name}.${l}`, N);
    want(`qkv.${l}`, N * QKV);
    want(`lse.${l}`, N * model.heads);
    want(`gateUp.${l}`, N * 2 * F);
    want(`h.${l}`, N * F);
  }
  want("xLast", N * C);
  want("yLast", N * C);
  want("rstdLast", N);
  return plan;
}
