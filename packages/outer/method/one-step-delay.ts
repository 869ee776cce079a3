import { diloco } from "./diloco.ts";
import type { Method } from "./method.ts";

/**
 * DiLoCo whose exchange takes place beside the next round's training. The delayed step meets a replica that has gone on, and keeps its progress:
 * local = anchor' + (local − mark).
 */
export const oneStepDelay: Method = {
  name: "one-step-delay",
  title: "One-step delay",
  source: "the asynchronous DiLoCo of PCCL, 2025, arXiv:2505.14065; the mark rule is ours",
  parity: "full",
  compose: (draft) => ({ ...diloco.compose(draft), rounds: { ...draft.rounds, overlap: true } }),
};
