import { positionsOf, rowsOfRank } from "../island/zig-zag.ts";
import { partPut, partTake } from "../kernels/shared-part.ts";
import { normals, prng } from "../reference/testing.ts";
import { type Check, exactly } from "./check.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

/** Copies: queries, keys and values of all rows of some heads, and of some rows of all heads, by their places. @param D channels of a head */
export async function checkSharedParts(runner: KernelRunner, D: number): Promise<Check[]> {
  const [B, T, NH, KVH, ranks] = [2, 18, 6, 3, 3];
  const [wide, rows] = [(NH + 2 * KVH) * D, rowsOfRank(T, ranks)];
  const width = wide / ranks;
  const random = prng(D);
  const headsOf = (rank: number) => ({
    shape: { rows: B * T, T, ranks: 1, rank: 0, groups: ranks, group: rank },
    whole: B * T * wide,
    row: (row: number) => row * wide,
    column: (column: number) => {
      const part = Math.floor(column / D);
      const own = NH / ranks;
      const head = part < own ? rank * own + part : NH + keyHead(part - own, rank);
      return head * D + (column % D);
    },
  });
  const keyHead = (own: number, rank: number): number =>
    Math.floor(own / (KVH / ranks)) * KVH + rank * (KVH / ranks) + (own % (KVH / ranks));
  const positions = (rank: number) => {
    const held = positionsOf(T, ranks, rank);
    return {
      shape: { rows: B * rows, T: rows, ranks, rank, groups: 1, group: 0 },
      whole: B * T * width,
      row: (row: number) => (Math.floor(row / rows) * T + held[row % rows]) * width,
      column: (column: number) => column,
    };
  };
  const checks: Check[] = [];
  for (const [name, { shape, whole: length, row, column }] of [
    ["heads", headsOf(1)],
    ["positions", positions(1)],
  ] as const) {
    const whole = f32(runner.stored(normals(random, length)));
    const extents = { ...shape, width4: width / 4, k4: name === "heads" ? ((KVH / ranks) * D) / 4 : 0 };
    const elements = shape.rows * width;
    const at = (i: number): number => row(Math.floor(i / width)) + column(i % width);
    const { part } = await runner.run(partTake, extents, { whole, part: unwritten(elements) });
    const wrong = part.map((x, i) => x - whole[at(i)]);
    checks.push(exactly(partTake, name, wrong, 0));
    const put = await runner.run(partPut, extents, { part: part.map((x) => 2 * x), whole });
    const expected = whole.slice();
    for (let i = 0; i < elements; i++) expected[at(i)] *= 2;
    checks.push(
      exactly(
        partPut,
        name,
        put.whole.map((x, i) => x - expected[i]),
        0,
      ),
    );
  }
  return checks;
}
