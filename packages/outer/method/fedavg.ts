import type { Method } from "./method.ts";

/** Each round begins without moments, and its mean is the next anchor. */
export const fedAvg: Method = {
  name: "fedavg",
  title: "FedAvg",
  source: "McMahan et al., 2017, arXiv:1602.05629; AdamW instead of SGD inside",
  parity: "full",
  compose: ({ inner }) => ({
    inner: { ...inner, resetMoments: true },
    outer: {
      method: "diloco",
      learningRate: 1,
      momentum: 0,
      codec: "int8-block",
      blockSize: 256,
      clipToMedianNorm: true,
    },
  }),
};
