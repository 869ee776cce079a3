import { keepColumns, loraMerge } from "../kernels/lora.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, compare, exactly } from "./check.ts";
import { f32, type KernelRunner } from "./runner.ts";

/** Rows before and behind those that are merged, and as many columns of B: what must stay as it is. */
const AROUND = 4;

export async function checkLora(
  runner: KernelRunner,
  { rows, I, columns }: { readonly rows: number; readonly I: number; readonly columns: number },
): Promise<Check[]> {
  const random = prng(rows);
  const [all, rank] = [rows + 2 * AROUND, columns + 2 * AROUND];
  const [base, a, b] = [rows * I, rank * I, all * rank].map((floats) => f32(normals(random, floats)));
  const w = f32(normals(random, all * I));
  const scale = 0.5;
  const block = { from4: AROUND / 4, to4: (AROUND + columns) / 4 };
  const shape = { rows, in4: I / 4, first: AROUND, rank4: rank / 4, ...block, scale };
  const merged = await runner.run(loraMerge, shape, { base, a, b, w });
  const truth = Float64Array.from(w);
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < I; i++) {
      let sum = 0;
      for (let k = AROUND; k < AROUND + columns; k++) sum += b[(AROUND + row) * rank + k] * a[k * I + i];
      truth[(AROUND + row) * I + i] = base[row * I + i] + scale * sum;
    }
  const first = AROUND * I;
  const outside = [...merged.w.subarray(0, first), ...merged.w.subarray(w.length - first)].map(
    (x, i) => x - w[i < first ? i : w.length - 2 * first + i],
  );

  const keeping = { n: (rows * rank) / 4, first: AROUND, width4: rank / 4, ...block };
  const kept = await runner.run(keepColumns, keeping, { x: b });
  const wrong = Array.from(kept.x, (x, i) => {
    const [row, column] = [Math.floor(i / rank) - AROUND, (i % rank) - AROUND];
    const stays = row < 0 || row >= rows || (column >= 0 && column < columns);
    return x - (stays ? b[i] : 0);
  });
  return [
    compare(loraMerge, "w", merged.w, truth, 1e-6),
    exactly(loraMerge, "rows of others", outside, 0),
    exactly(keepColumns, "x", wrong, 0),
  ];
}
