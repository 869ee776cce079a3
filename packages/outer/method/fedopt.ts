import type { Method } from "./method.ts";

const paper = { source: "Reddi et al., 2021, arXiv:2003.00295", parity: "full" } as const;
const int8 = { codec: "int8-block", blockSize: 256, clipToMedianNorm: true } as const;

/** An adaptive outer step: each parameter moves at a rate of its own. The paper's Adagrad has no momentum. */
export const fedAdagrad: Method = {
  ...paper,
  name: "fedadagrad",
  title: "FedAdagrad",
  compose: () => ({ outer: { ...int8, method: "fedadagrad", learningRate: 0.01, momentum: 0, tau: 1e-3 } }),
};

export const fedAdam: Method = {
  ...paper,
  name: "fedadam",
  title: "FedAdam",
  compose: () => ({ outer: { ...int8, method: "fedadam", learningRate: 0.01, momentum: 0.9, beta2: 0.99, tau: 1e-3 } }),
};

export const fedYogi: Method = {
  ...paper,
  name: "fedyogi",
  title: "FedYogi",
  compose: () => ({ outer: { ...int8, method: "fedyogi", learningRate: 0.01, momentum: 0.9, beta2: 0.99, tau: 1e-3 } }),
};
