import { diloco } from "./diloco.ts";
import type { Method } from "./method.ts";

/** Half of the layers each round, beside the training, so that each has its turn every H steps; 4 bits a value. The paper has more fragments for deeper models. */
const FRAGMENTS = 2;

export const streaming: Method = {
  name: "streaming",
  title: "Streaming DiLoCo",
  source: "Douillard et al., 2025, arXiv:2501.18512",
  parity: "full",
  compose: (draft) => {
    const { blockSize: _, ...outer } = diloco.compose(draft).outer!;
    return {
      inner: { ...draft.inner, steps: Math.max(1, Math.round(draft.inner.steps / FRAGMENTS)) },
      outer: { ...outer, codec: { name: "e3m0" }, fragments: FRAGMENTS },
      rounds: { ...draft.rounds, overlap: true },
    };
  },
};
