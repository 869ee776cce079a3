import type { Method } from "./method.ts";

/** Gossip at every step, with plain SGD along a tracked gradient: the sum of what peers track is the sum of their gradients. */
export const gradientTracking: Method = {
  name: "dsgt",
  title: "Gradient tracking",
  source: "Pu and Nedić, 2018, arXiv:1805.11454",
  parity: "plan",
  compose: ({ inner: { resetMoments: _, ...inner }, rounds: { overlap: __, ...rounds } }) => ({
    inner: { ...inner, steps: 1 },
    outer: {
      extract: "tracked",
      method: "dsgt",
      learningRate: Math.min(2, 100 * inner.learningRate), // SGD's; so a sweep of inner rates is one of these
      momentum: 0,
      codec: { name: "f32" },
      clipToMedianNorm: false,
    },
    rounds: { ...rounds, topology: "pairs" },
  }),
};
