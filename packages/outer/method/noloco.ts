import type { Method } from "./method.ts";

/** Peers keep parameters of their own; each round everyone averages with one other, drawn anew. What is judged is the mean of all. */
export const noLoCo: Method = {
  name: "noloco",
  title: "NoLoCo",
  source: "Kolehmainen et al., 2025, arXiv:2506.10911, without its pipelines",
  parity: "plan",
  compose: ({ rounds: { overlap: _, ...rounds } }) => ({
    outer: {
      extract: "parameters",
      method: "noloco",
      learningRate: 0.7,
      momentum: 0.5, // of 0.9 the peers would drift apart at this rate
      codec: { name: "f16" },
      clipToMedianNorm: false,
    },
    rounds: { ...rounds, topology: "pairs" },
  }),
};
