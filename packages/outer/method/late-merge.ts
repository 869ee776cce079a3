import type { Method } from "./method.ts";
import { noLoCo } from "./noloco.ts";

/** Gossip in pairs by plain means, nine of ten exchanges in the last tenth of the run; what comes out is the mean of all, merged once. */
export const lateMerge: Method = {
  name: "late-merge",
  title: "Late merge",
  source: "A Single Merging Suffices: Zhu et al., 2025, arXiv:2507.06542",
  parity: "plan",
  compose: (draft) => {
    const { outer, rounds } = noLoCo.compose(draft);
    return {
      inner: { ...draft.inner, lateExchanges: 0.9 },
      outer: { ...outer!, learningRate: 1, momentum: 0 },
      rounds: rounds!,
    };
  },
};
