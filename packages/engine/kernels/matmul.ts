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
// Adapters that are not software share 64x64 tiles in workgroup memory instead (8 KiB, 16 for the largest candidate: WebGPU's default limit), as other
// engines found best on real GPUs. That is where they start; what is best for a shape they measure (tuning/).
import { kernel, type Tile, type Tuning, type Variant, type Workgroups } from "../device/kernel.ts";
import { expand } from "../device/template.ts";
import nn from "./matmul-nn.wgsl?raw";
import nt from "./matmul-nt.wgsl?raw";
import tiled from "./matmul-tiled.wgsl?raw";
import tn from "./matmul-tn.wgsl?raw";

const tile = (rows: number, cols: number, groupX: number, groupY: number): Tile => ({ rows, cols, groupX, groupY });

/**
 * What an invocation owns of C. In quads rows are a multiple of 16, of which four lanes load a quarter each, and a workgroup is a multiple of four
 * lanes wide, so that they always share their rows. Shared tiles belong to 16x16 invocations.
 */
function tileOf(variant: Variant): Tile {
  if (variant.tile) return variant.tile;
  if (variant.tiled) return tile(4, 4, 16, 16);
  return variant.quads ? tile(32, 8, 4, 1) : tile(8, 8, 8, 8);
}

/** Few, because each is a pipeline to compile. On a GPU larger shared tiles load less for each operation, smaller ones fill it at small shapes. */
function candidates(variant: Variant): Variant[] {
  if (variant.tiled)
    return [
      ...[tile(8, 4, 16, 16), tile(8, 8, 16, 16)].map((cut) => ({ ...variant, tile: cut })),
      ...[tile(8, 8, 8, 8), tile(4, 4, 8, 8)].map((cut) => ({ ...variant, tiled: false, tile: cut })),
    ];
  const cuts = variant.quads ? [tile(32, 8, 8, 1), tile(64, 8, 4, 1)] : [tile(8, 8, 4, 4), tile(4, 4, 8, 8)];
  return cuts.map((cut) => ({ ...variant, tile: cut }));
}

/** So large a product is cut like any larger one; its operands and result take 50 MB. */
const TRIAL_EXTENT_MAX = 2048;

interface Form {
  readonly registers: string;
  /** Whether a row of the operand runs along K. */
  readonly aByRows: boolean;
  readonly bByRows: boolean;
  readonly accumulate: boolean;
}

const sourceOf = (form: Form) => (variant: Variant) => {
  const { rows, cols, groupX, groupY } = tileOf(variant);
  if (variant.tiled) {
    const flags = { A_BY_ROWS: form.aByRows, B_BY_ROWS: form.bByRows, ACCUMULATE: form.accumulate };
    const constants = { ROWS4: rows / 4, COLS4: cols / 4 };
    return expand(tiled, { constants, repeat: { u: rows / 4, v: cols / 4, i: 4 }, flags, half: variant.half });
  }
  return expand(form.registers, {
    constants: { ROWS: rows, COLS4: cols / 4, GROUP_X: groupX, GROUP_Y: groupY },
    repeat: { g: Math.ceil(rows / 16), j: Math.min(4, rows / 4), i: 4, v: cols / 4 },
    flags: { QUADS: variant.quads },
    half: variant.half,
  });
};

type MatmulShape = Readonly<Record<"M" | "N" | "K", number>>;

const workgroups = ({ M, N }: MatmulShape, variant: Variant): Workgroups => {
  const { rows, cols, groupX, groupY } = tileOf(variant);
  return [Math.ceil(N / (cols * groupX)), Math.ceil(M / (rows * groupY)), 1];
};

const tuning: Tuning<"M" | "N" | "K", "a" | "b" | "c"> = {
  candidates,
  trial: ({ M, N, K }) => {
    const [m, n, k] = [M, N, K].map((extent) => Math.min(extent, TRIAL_EXTENT_MAX));
    return { M: m, N: n, K: k };
  },
  floats: ({ M, N, K }) => ({ a: M * K, b: N * K, c: M * N }),
};

const matmul = (label: string, form: Form) =>
  kernel({
    label,
    source: sourceOf(form),
    shape: { M: "u32", N: "u32", K: "u32" },
    bindings: { a: "read", b: "read", c: "write" },
    stored: form.accumulate ? ["a", "b"] : ["a", "b", "c"],
    workgroups,
    tuning,
  });

export const matmulNt = matmul("matmul-nt", { registers: nt, aByRows: true, bByRows: true, accumulate: false });
export const matmulNn = matmul("matmul-nn", { registers: nn, aByRows: true, bByRows: false, accumulate: false });
export const matmulTn = matmul("matmul-tn", { registers: tn, aByRows: false, bByRows: false, accumulate: true });

export const matmulFlops = ({ M, N, K }: MatmulShape): number => 2 * M * N * K;
