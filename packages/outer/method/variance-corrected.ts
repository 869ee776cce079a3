import type { Method } from "./method.ts";
import { noLoCo } from "./noloco.ts";

/** Gossip in pairs by means whose variance is that of the models: for peers that began apart. Where all begin alike, as a run's peers do, it is plain gossip. */
export const varianceCorrected: Method = {
  name: "variance-corrected",
  title: "Variance-corrected averaging",
  source: "Tian et al., 2024, arXiv:2404.04616",
  parity: "plan",
  compose: (draft) => {
    const { outer, rounds } = noLoCo.compose(draft);
    return { outer: { ...outer!, learningRate: 1, momentum: 0, correctsVariance: true }, rounds: rounds! };
  },
};
