import type { Method } from "./method.ts";

/** H steps of AdamW, whose moments stay; then Nesterov along the mean pseudo-gradient, in int8 blocks. */
export const diloco: Method = {
  name: "diloco",
  title: "DiLoCo",
  source: "Douillard et al., 2023, arXiv:2311.08105",
  parity: "full",
  compose: ({ outer }) => ({
    outer: {
      method: "diloco",
      learningRate: 0.7,
      momentum: outer.momentum, // the draft's: the paper's 0.9 pays after thousands of rounds
      codec: "int8-block",
      blockSize: 256,
      clipToMedianNorm: true,
    },
  }),
};
