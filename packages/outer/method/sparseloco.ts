import type { Method } from "./method.ts";

/** Of each chunk of 4,096 the 64 largest, in 2 bits, with error feedback; the outer step is plain SGD. */
export const sparseLoCo: Method = {
  name: "sparseloco",
  title: "SparseLoCo",
  source: "Sarfi et al., 2025, arXiv:2508.15706",
  parity: "full",
  compose: () => ({
    outer: {
      method: "diloco",
      learningRate: 1,
      momentum: 0,
      codec: { name: "chunk-top-k", chunk: 4096, k: 64, feedback: 0.95 },
      clipToMedianNorm: true,
    },
  }),
};
