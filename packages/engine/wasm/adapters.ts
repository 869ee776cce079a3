// Training adapters on WASM: where they and the weights beside them lie, and what they add to the programs.
//
//   t = x Aᵀ, u = dy B      then      dB += dyᵀ t, dA += uᵀ x      and after an update, before anything else:  W = base + s B A
//
// Adapters lie in the swarm's order. Gradients come out right because the step's scale has s in it (step.ts): nothing else is trained.
import { type Adapter, adaptersOf, adapterTable, loraScale } from "#outer";
import type { LoraShape, LoraTarget, ModelShape } from "#wire";
import { toOf } from "../model/adapters.ts";
import type { FlatLayout, Layout } from "../model/layout.ts";
import type { Arena } from "./arena.ts";
import { f32x4, i32, type Module, v128 } from "./assembler.ts";
import { matmul, type Op, overRows, type Phase, type Program } from "./program.ts";
import { alongRow, rowsOfTask } from "./vector.ts";

/** Floats that kernels over flat vectors take at once. */
const FLAT = 16;
/** Adapters beside one of the engine's matrices, at most: q, k and v. */
const AT_ONCE = 3;

interface PlacedAdapter extends Adapter {
  /** Its rows of "parameters". */
  readonly weightAt: number; // in floats
  /** Its weights in "base". */
  readonly baseAt: number;
}

export interface WasmAdapters extends FlatLayout {
  readonly rank: number;
  readonly scale: number;
  readonly all: readonly PlacedAdapter[];
  readonly baseLength: number;
}

export function placeAdapters(model: ModelShape, layout: Layout, lora: LoraShape): WasmAdapters {
  const { length: parameters } = adapterTable(model, lora);
  let baseLength = 0;
  const all = adaptersOf(model, lora).map((adapter): PlacedAdapter => {
    const baseAt = baseLength;
    baseLength += adapter.out * adapter.in;
    return { ...adapter, baseAt, weightAt: toOf(layout, adapter.weightOffset) };
  });
  const length = Math.ceil(parameters / FLAT) * FLAT;
  const places = [{ from: 0, to: 0, length: parameters }];
  return {
    ...{ parameters, length, matrices: length, places, all, baseLength },
    rank: lora.rank,
    scale: loraScale(lora),
  };
}

/** "base" from the model's weights in the engine's order. */
export function baseOf({ all, baseLength }: WasmAdapters, weights: Float32Array): Float32Array<ArrayBuffer> {
  const base = new Float32Array(baseLength);
  for (const { weightAt, baseAt, out, in: into } of all)
    base.set(weights.subarray(weightAt, weightAt + out * into), baseAt);
  return base;
}

export function wantAdapters(arena: Arena, { length, baseLength, rank }: WasmAdapters, N: number): void {
  arena.want("base", baseLength, "model");
  arena.want("adapters", length, "model");
  for (const name of ["lowX", "lowDy"]) arena.want(name, AT_ONCE * N * rank, "microbatch");
}

interface Given {
  readonly arena: Arena;
  readonly adapters: WasmAdapters;
}

/**
 * Two phases beside one of the engine's matrices: what the second one adds to.
 * @param targets what the matrix is made of, in order of rows; those without an adapter are passed over
 * @param dy (N, out of the whole matrix), x (N, in): addresses
 */
export function adapterBackward(
  { arena, adapters }: Given,
  layer: number,
  targets: readonly LoraTarget[],
  { dy, x }: { readonly dy: number; readonly x: number },
  {
    N,
    out,
    into,
    firstRows,
  }: { readonly N: number; readonly out: number; readonly into: number; readonly firstRows: readonly number[] },
): { readonly products: Phase; readonly gradients: Phase } {
  const { rank, all } = adapters;
  const products: Op[] = [];
  const gradients: Op[] = [];
  const at = (name: string, floats: number): number => arena.at(name) + 4 * floats;
  const matrix = (at: number, columns: number) => ({ at, columns });
  for (const [i, target] of targets.entries()) {
    const own = all.find((adapter) => adapter.layer === layer && adapter.target === target);
    if (!own) continue;
    const [t, u] = ["lowX", "lowDy"].map((name) => matrix(at(name, i * N * rank), rank));
    const dOwn = matrix(dy + 4 * firstRows[i], out);
    const [a, b] = [matrix(at("adapters", own.aOffset), into), matrix(at("adapters", own.bOffset), rank)];
    const [dA, dB] = [matrix(at("gradient", own.aOffset), into), matrix(at("gradient", own.bOffset), rank)];
    products.push(
      matmul("nt", { a: matrix(x, into), b: a, c: t }, [N, rank, into]),
      matmul("nn", { a: dOwn, b, c: u }, [N, rank, own.out]),
    );
    gradients.push(
      matmul("tn", { a: dOwn, b: t, c: dB }, [own.out, rank, N]),
      matmul("tn", { a: u, b: matrix(x, into), c: dA }, [rank, into, N]),
    );
  }
  return { products, gradients };
}

/** The weights that forward and backward read, anew. */
export function mergeProgram({ arena, adapters }: Given): Program {
  const { all, rank, scale } = adapters;
  const at = (name: string, floats: number): number => arena.at(name) + 4 * floats;
  return [
    all.map(({ weightAt, baseAt, aOffset, bOffset, out, in: into }) =>
      overRows("lora-merge", out, into * rank, [
        ...[at("base", baseAt), at("adapters", aOffset), at("adapters", bOffset), at("parameters", weightAt)],
        ...[out, into, rank, scale],
      ]),
    ),
  ];
}

/** w (rows, I) = base (rows, I) + scale · b (rows, rank) · a (rank, I); I is a multiple of 4. */
export function defineMerge(module: Module): void {
  module.define(
    "lora-merge",
    ["i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "i32", "f32"],
    (f, task, perTask, base, a, b, w, rows, I, rank, scale) => {
      const width = f.int(i32.shl(I, 2));
      const factor = f.vector(f32x4.splat(scale));
      const [sum, k, from, one] = [f.vector(), f.int(), f.int(), f.int()];
      rowsOfTask(f, { task, perTask, rows }, (row) => {
        const first = f.int(i32.mul(row, width));
        const own = f.int(i32.add(b, i32.shl(i32.mul(row, rank), 2)));
        alongRow(f, width, (at) => {
          f.set(sum, v128.zero);
          f.set(from, i32.add(a, at));
          f.set(one, own);
          f.for(k, 0, rank, 1, () => {
            f.set(sum, f32x4.add(sum, f32x4.mul(v128.loadSplat(one), v128.load(from))));
            f.advance(from, width);
            f.advance(one, 4);
          });
          const place = i32.add(first, at);
          f.store(i32.add(w, place), f32x4.add(v128.load(i32.add(base, place)), f32x4.mul(sum, factor)));
        });
      });
    },
  );
}
