// How fast this machine's GPU is at what a model mostly does, before any of it is here: for who must say so to be given a part of it.
import type { ModelShape } from "#wire";
import { bestMs, MatmulBench } from "../bench.ts";
import { matmulFlops } from "../kernels/matmul.ts";

/** Fills a large GPU's tiles; a software adapter multiplies such matrices in a third of a second. */
const ROWS_MAX = 512;
const WIDTH_MAX = 1024;
/** The best counts: the first ones may find a GPU that is not clocked up. Fifty milliseconds each. */
const ROUNDS = 3;

/** FLOP/s of a product as wide as the model's feed-forward layers, f32, on a device of its own. Rejects with GpuError where there is none. */
export async function productSpeed({ contextLength, dFfn, dModel }: ModelShape): Promise<number> {
  const shape = {
    M: Math.min(contextLength, ROWS_MAX),
    N: Math.min(dFfn, WIDTH_MAX),
    K: Math.min(dModel, WIDTH_MAX),
  };
  const bench = await MatmulBench.open("f32", ["nt"]);
  try {
    const product = bench.matmul({ form: "nt", ...shape });
    const ms = await bestMs(async (times) => {
      const before = performance.now();
      await product.run(times);
      return performance.now() - before;
    }, ROUNDS);
    return matmulFlops(shape) / (ms / 1000);
  } finally {
    bench.destroy();
  }
}
