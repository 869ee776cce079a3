// A program: what one pass runs, recorded once. Phases follow one another; the tasks of a phase are independent and any thread may take any.
import { DEPTH, EDGE_BYTES, TILE_COLUMNS, TILE_ROWS } from "./matmul.ts";

/** A kernel's calls: kernel(task, ...args) for task = 0 .. tasks - 1. Addresses and sizes are in the arguments. */
export interface Op {
  readonly kernel: string;
  readonly tasks: number;
  readonly args: readonly number[];
}

/** Between two phases every thread waits for all. */
export type Phase = readonly Op[];
export type Program = readonly Phase[];

/** A block of a product: large enough that packing its columns costs little, small enough that threads share the work evenly. */
const BLOCK_ROWS = 16 * TILE_ROWS;
const BLOCK_COLUMNS = 8 * TILE_COLUMNS;
export const MATMUL_SCRATCH_BYTES = EDGE_BYTES + BLOCK_COLUMNS * DEPTH * 4;

/** Floats per task of what walks over memory: a few tens of microseconds. */
const FLOATS_PER_TASK = 16_384;

export interface Matrix {
  readonly at: number; //     bytes
  readonly columns: number; // floats from row to row
}

/** C (M, N) from A and B in one of three forms (matmul.ts). */
export function matmul(
  form: "nt" | "nn" | "tn",
  { a, b, c }: { readonly a: Matrix; readonly b: Matrix; readonly c: Matrix },
  [M, N, K]: readonly [number, number, number],
): Op {
  return {
    kernel: `matmul-${form}`,
    tasks: Math.ceil(M / BLOCK_ROWS) * Math.ceil(N / BLOCK_COLUMNS),
    args: [BLOCK_ROWS, BLOCK_COLUMNS, a.at, 4 * a.columns, b.at, 4 * b.columns, c.at, 4 * c.columns, M, N, K],
  };
}

/** A kernel over rows of `width` floats: kernel(task, perTask, ...args). */
export function overRows(kernel: string, rows: number, width: number, args: readonly number[]): Op {
  const perTask = Math.max(1, Math.floor(FLOATS_PER_TASK / width));
  return { kernel, tasks: Math.ceil(rows / perTask), args: [perTask, ...args] };
}

/** A kernel over columns, `rows` floats high each. */
export function overColumns(kernel: string, rows: number, columns: number, args: readonly number[]): Op {
  const perTask = 16 * Math.max(1, Math.floor(FLOATS_PER_TASK / (16 * rows)));
  return { kernel, tasks: Math.ceil(columns / perTask), args: [perTask, ...args] };
}

/** A kernel over a flat vector of n floats, a multiple of 16. */
export function overFlat(kernel: string, n: number, args: readonly number[]): Op {
  return { kernel, tasks: Math.ceil(n / FLOATS_PER_TASK), args: [FLOATS_PER_TASK, ...args] };
}

export const once = (kernel: string, args: readonly number[]): Op => ({ kernel, tasks: 1, args });
