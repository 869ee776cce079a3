// Matrix products in the three transpositions of a linear layer (weights W are [out, in], rows are tokens):
//
//   forward   Y  (M, N) = X  (M, K) · Wᵀ     matmulNt
//   backward  dX (M, N) = dY (M, K) · W      matmulNn
//             dW (M, N) += dYᵀ · X           matmulTn, K tokens
//
// Register tiles with direct loads: on SwiftShader (2 cores, 2026-11) 512³ ran at 2.4 to 3.1 GFLOP/s so, at 4.7 with rows shared by quadBroadcast
// (a busy machine), and a tile of 32x8 is 10 to 15 % above one of 16x8; 4x1 invocations keep both cores busy at small shapes. All three
// transpose what they load into dot products over K: outer products, four vec4 live at once, ran at two thirds of that.
//
// Adapters that are not software share 64x64 tiles in workgroup memory instead (8 KiB, within WebGPU's default limits), as other engines found best on
// real GPUs. That choice is theirs, not a measurement of ours: nobody has timed it on a GPU here yet.
import { kernel, type Variant, type Workgroups } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import nn from "./matmul-nn.wgsl?raw";
import nt from "./matmul-nt.wgsl?raw";
import tiled from "./matmul-tiled.wgsl?raw";
import tn from "./matmul-tn.wgsl?raw";

interface Tile {
  readonly rows: number; // of C per invocation; in quads a multiple of 16, four lanes load a quarter each
  readonly cols: number;
  readonly groupX: number;
  readonly groupY: number;
}

/** A workgroup in quads is four lanes wide, so that they always share their rows. */
const tileOf = ({ quads }: Variant): Tile =>
  quads ? { rows: 32, cols: 8, groupX: 4, groupY: 1 } : { rows: 8, cols: 8, groupX: 8, groupY: 8 };

const TILE = 64;

interface Form {
  readonly registers: string;
  /** Whether a row of the operand runs along K. */
  readonly aByRows: boolean;
  readonly bByRows: boolean;
  readonly accumulate: boolean;
}

const sourceOf = (form: Form) => (variant: Variant) => {
  if (variant.tiled) {
    const flags = { A_BY_ROWS: form.aByRows, B_BY_ROWS: form.bByRows, ACCUMULATE: form.accumulate };
    return expand(tiled, { repeat: { i: 4 }, flags, half: variant.half });
  }
  const { rows, cols, groupX, groupY } = tileOf(variant);
  return expand(form.registers, {
    constants: { ROWS: rows, COLS4: cols / 4, GROUP_X: groupX, GROUP_Y: groupY },
    repeat: { g: Math.ceil(rows / 16), j: Math.min(4, rows / 4), i: 4, v: cols / 4 },
    flags: { QUADS: variant.quads },
    half: variant.half,
  });
};

interface MatmulShape {
  readonly M: number;
  readonly N: number;
}

const workgroups = ({ M, N }: MatmulShape, variant: Variant): Workgroups => {
  if (variant.tiled) return [Math.ceil(N / TILE), Math.ceil(M / TILE), 1];
  const { rows, cols, groupX, groupY } = tileOf(variant);
  return [Math.ceil(N / (cols * groupX)), Math.ceil(M / (rows * groupY)), 1];
};

const matmul = (label: string, form: Form) =>
  kernel({
    label,
    source: sourceOf(form),
    shape: { M: "u32", N: "u32", K: "u32" },
    bindings: { a: "read", b: "read", c: "write" },
    stored: form.accumulate ? ["a", "b"] : ["a", "b", "c"],
    workgroups,
  });

export const matmulNt = matmul("matmul-nt", { registers: nt, aByRows: true, bByRows: true, accumulate: false });
export const matmulNn = matmul("matmul-nn", { registers: nn, aByRows: true, bByRows: false, accumulate: false });
export const matmulTn = matmul("matmul-tn", { registers: tn, aByRows: false, bByRows: false, accumulate: true });

export const matmulFlops = ({ M, N, K }: { M: number; N: number; K: number }): number => 2 * M * N * K;
