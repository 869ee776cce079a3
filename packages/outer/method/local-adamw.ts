import { fedAvg } from "./fedavg.ts";
import type { Method } from "./method.ts";

/** Parameters are averaged, moments stay with their peers and are never sent. */
export const localAdamW: Method = {
  name: "local-adamw",
  title: "Local AdamW",
  source: "Stich, 2019, arXiv:1805.09767 (local SGD), with AdamW inside whose moments stay",
  parity: "full",
  compose: (draft) => ({ outer: fedAvg.compose(draft).outer! }),
};
