// The curves that the page draws, of those that the host has.
import type { Series } from "#wire";

export const seriesShown = [
  "trainLoss",
  "evalLoss",
  "tokensPerSecond",
  "roster",
  "contributors",
  "updateBytes",
  "roundMs",
] as const satisfies readonly Series["metric"][];
