import { localAdamW } from "./local-adamw.ts";
import type { Method } from "./method.ts";

/**
 * Local AdamW whose rounds grow as the learning rate falls: H at its peak, then by the square of peak over rate. Late steps are small, so what peers learn apart is close, and
 * long rounds find flatter minima.
 */
export const qsr: Method = {
  name: "qsr",
  title: "QSR",
  source: "Gu et al., 2024, arXiv:2310.14423, around Local AdamW",
  parity: "full",
  compose: (draft) => ({
    ...localAdamW.compose(draft),
    inner: { ...draft.inner, growth: Math.sqrt(draft.inner.steps) * draft.inner.learningRate },
  }),
};
