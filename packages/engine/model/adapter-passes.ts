// What training adapters adds to the passes: their gradients beside each adapted matrix, and the merge after each update.
//
//   t = x Aᵀ    dB += dyᵀ t    u = dy B    dA += uᵀ x         W = base + s B A
//
// Gradients are without s here; report.wgsl multiplies what the update reads. dW, the matrix's own gradient, is never formed: with rank r and N rows that
// saves all but 2 r (1/out + 1/in) of its product.
import { type Recorder, slice, type View } from "../device/plan.ts";
import { keepColumns, loraMerge } from "../kernels/lora.ts";
import { matmulFlops, matmulNn, matmulNt, matmulTn } from "../kernels/matmul.ts";
import type { MatrixAdapter } from "./adapters.ts";
import type { Range } from "./layout.ts";
import type { Context } from "./passes.ts";

/** What an engine with adapters runs besides. */
export const LORA_KERNELS = [loraMerge, keepColumns] as const;

const own = ({ memory }: Context, name: "adapters" | "gradient", { offset, length }: Range): View =>
  slice(memory.view(name), offset, length);

/** dA and dB of rows of dy (rows, out) and x (rows, in), added to the gradient. */
export function adapterBackward(
  plan: Recorder,
  context: Context,
  adapter: MatrixAdapter,
  { dy, x }: { readonly dy: View; readonly x: View },
  rows: number,
): void {
  const { memory } = context;
  const { out, in: into, rank } = adapter;
  const [t, u] = ["lowX", "lowDy"].map((name) => slice(memory.view(name), 0, rows * rank));
  const [a, b] = [own(context, "adapters", adapter.a), own(context, "adapters", adapter.b)];
  const [dA, dB] = [own(context, "gradient", adapter.a), own(context, "gradient", adapter.b)];
  const flops = (M: number, N: number, K: number): number => matmulFlops({ M, N, K });
  plan.add(matmulNt, { M: rows, N: rank, K: into }, { a: x, b: a, c: t }, flops(rows, rank, into));
  plan.add(matmulTn, { M: out, N: rank, K: rows }, { a: dy, b: t, c: dB }, flops(out, rank, rows));
  plan.add(matmulNn, { M: rows, N: rank, K: out }, { a: dy, b, c: u }, flops(rows, rank, out));
  plan.add(matmulTn, { M: rank, N: into, K: rows }, { a: u, b: x, c: dA }, flops(rank, into, rows));
}

const adaptersIn = ({ adapters }: Context): readonly MatrixAdapter[] =>
  adapters?.layers.flatMap((layer) => Object.values(layer)) ?? [];

/** The gradient of B is zero outside its blocks: products of whole rows filled all of it. */
export function recordBlocks(plan: Recorder, context: Context): void {
  for (const { out, rank, b, parts } of adaptersIn(context)) {
    const x = own(context, "gradient", b);
    const width4 = rank / 4;
    const keep = (first: number, rows: number, from: number, columns: number): void => {
      if (rows === 0 || columns === rank) return;
      const shape = { n: rows * width4, first, width4, from4: from / 4, to4: (from + columns) / 4 };
      plan.add(keepColumns, shape, { x }, rows * rank);
    };
    let row = 0;
    for (const { firstRow, rows, from, columns } of parts) {
      keep(row, firstRow - row, 0, 0);
      keep(firstRow, rows, from, columns);
      row = firstRow + rows;
    }
    keep(row, out - row, 0, 0);
  }
}

/** The weights that forward and backward read, anew from the base and the adapters. */
export function recordMerge(plan: Recorder, context: Context): void {
  const { memory, adapters } = context;
  for (const { weight, in: into, rank, a, b, parts } of adaptersIn(context))
    for (const { firstRow, rows, from, columns, base } of parts)
      plan.add(
        loraMerge,
        {
          ...{ rows, in4: into / 4, first: firstRow, rank4: rank / 4 },
          ...{ from4: from / 4, to4: (from + columns) / 4, scale: adapters?.scale ?? 1 },
        },
        {
          base: slice(memory.view("base"), base.offset, base.length),
          a: own(context, "adapters", a),
          b: own(context, "adapters", b),
          w: slice(memory.view("parameters"), weight.offset, weight.length),
        },
        2 * rows * into * columns,
      );
}
