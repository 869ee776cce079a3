import type { Method } from "./method.ts";

/**
 * Local steps whose mean comes a round late, beside the next round's training, and counts the less the further the anchor is from where it leads to. Momentum, rate and
 * clip are those of the authors' code, in which the clip has no effect by mistake; the penalty's formula and the mark rule, which keeps what was
 * trained meanwhile, are ours.
 */
export const co2: Method = {
  name: "co2",
  title: "CO2",
  source: "Sun et al., 2024, arXiv:2401.16265",
  parity: "full",
  compose: ({ rounds }) => ({
    outer: {
      method: "co2",
      learningRate: 1,
      momentum: 0.5,
      momentumClip: 1,
      codec: "int8-block",
      blockSize: 256,
      clipToMedianNorm: true,
    },
    rounds: { ...rounds, overlap: true },
  }),
};
