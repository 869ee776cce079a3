import { diloco } from "./diloco.ts";
import type { Method } from "./method.ts";

/** DiLoCo whose pseudo-gradients cross as their projection on 8 directions a matrix, which all peers share and turn together. */
export const powerSgd: Method = {
  name: "power-sgd",
  title: "PowerSGD",
  source: "Vogels et al., 2019, arXiv:1905.13727, around DiLoCo's rounds",
  parity: "full",
  compose: (draft) => {
    const { blockSize: _, ...outer } = diloco.compose(draft).outer!;
    return { outer: { ...outer, codec: { name: "power-sgd", rank: 8, feedback: 0.95 } } };
  },
};
