// The sizes of one engine, and every buffer that it keeps in linear memory, by name.
import type { ModelShape } from "#wire";
import { type Extents, extentsOf, type Layout } from "../model/layout.ts";
import { type WasmAdapters, wantAdapters } from "./adapters.ts";
import { Arena } from "./arena.ts";
import { attentionScratchBytes } from "./attention.ts";
import { MATMUL_SCRATCH_BYTES } from "./program.ts";
import { REPORT_BYTES, STEP_BYTES } from "./step.ts";

/** Logits and their gradient at once: what a second-level cache holds, so that loss and both products find them there. */
const LOGITS_CHUNK_BYTES = 2 ** 20;

export interface Sizes extends Extents {
  readonly chunkRows: number; // rows of logits at a time
  /** Norms add what a block gave a block later. */
  readonly ladder: boolean;
}

export function sizesOf(model: ModelShape, microbatch: number, layout: Layout): Sizes {
  const extents = extentsOf(model, microbatch, layout);
  const { N, V } = extents;
  const chunkRows = Math.min(N, Math.max(64, Math.floor(LOGITS_CHUNK_BYTES / (4 * V))));
  return { ...extents, chunkRows, ladder: model.residual === "ladder" };
}

/** What a step changes: the weights, or adapters beside them. */
export interface Vectors {
  readonly layout: Layout;
  readonly adapters: WasmAdapters | undefined;
}

/** Everything that an engine with so many threads keeps. Throws ModelTooLargeError. */
export function planArena(model: ModelShape, { layout, adapters }: Vectors, sizes: Sizes, threads: number): Arena {
  const { N, C, F, V, QKV, T, headSize, chunkRows } = sizes;
  const arena = new Arena();
  const trained = adapters ?? layout;
  arena.want("parameters", layout.length, "model");
  for (const name of ["gradient", "momentum", "variance"]) arena.want(name, trained.length, "model");
  arena.want("squares", trained.length / 4096 + 1, "model");
  if (adapters) wantAdapters(arena, adapters, N);
  for (const name of ["cosines", "sines"]) arena.want(name, (T * headSize) / 2, "model");
  arena.want("step", STEP_BYTES / 4, "model");
  arena.want("report", REPORT_BYTES / 4, "model");
  const scratchBytes = Math.max(MATMUL_SCRATCH_BYTES, attentionScratchBytes(T, headSize));
  for (let i = 0; i < threads; i++) arena.want(`scratch.${i}`, scratchBytes / 4, "thread");

  const want = (name: string, floats: number): void => arena.want(name, floats, "microbatch");
  for (const name of ["ids", "targets", "losses"]) want(name, N);
  want("logits", chunkRows * V);
  for (const name of ["embedded", "partial", "dx", "dy", ...(sizes.ladder ? ["partial2", "dy2"] : [])])
    want(name, N * C);
  want("dh", N * F);
  want("dgateUp", N * 2 * F);
  want("dqkv", N * QKV);
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
  return arena;
}
