import type { Method } from "./method.ts";

/** The baseline: everybody's gradient at every step, and one AdamW for all. */
export const ddp: Method = {
  name: "ddp",
  title: "DDP",
  source: "Li et al., 2020, arXiv:2006.15704; AdamW: Loshchilov and Hutter, 2019, arXiv:1711.05101",
  parity: "full",
  compose: ({ inner: { resetMoments: _, ...inner } }) => ({
    inner: { ...inner, steps: 1 },
    outer: {
      extract: "gradient",
      method: "adamw",
      learningRate: 1,
      momentum: 0,
      codec: { name: "f32" },
      clipToMedianNorm: false,
    },
  }),
};
