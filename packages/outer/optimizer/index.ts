// The outer step of the method that a run names: the anchor moves along the mean of what its peers sent.
import type { RunSpec } from "#wire";
import { assert } from "../assert.ts";
import { sharedTable } from "../lora.ts";
import { learningRateAt, type OpenedAt } from "../schedule.ts";
import type { SharedState } from "../state.ts";
import { adamwStep } from "./adamw.ts";
import { adaptiveStep } from "./adaptive.ts";
import { co2Step } from "./co2.ts";
import { nesterovStep } from "./nesterov.ts";

/** Whether the method keeps a second moment beside the velocity. */
export const hasVariance = ({ method }: Pick<RunSpec["outer"], "method">): boolean =>
  !["diloco", "co2", "noloco", "dsgt"].includes(method);

/** Where in its run an outer step is taken. */
export interface OuterPlace {
  readonly round: number;
  /** Asked by methods whose learning rate follows the run's schedule. */
  readonly opened: OpenedAt | undefined;
}

/** Applies the mean (one value per parameter), in place. */
export function outerStep(
  state: SharedState,
  mean: Float32Array,
  spec: Pick<RunSpec, "model" | "lora" | "inner" | "outer" | "end">,
  { round, opened }: OuterPlace,
): void {
  const { method, tau } = spec.outer;
  if (method === "diloco") return nesterovStep(state, mean, spec.outer);
  if (method === "co2") return co2Step(state, mean, sharedTable(spec), spec.outer);
  if (method === "noloco" || method === "dsgt") return merge(state, mean);
  if (method === "adamw") {
    assert(opened !== undefined, "AdamW's rate follows the schedule: the fold is told how its round was opened");
    const learningRate = learningRateAt(spec, opened.tokensBefore, 0, opened.rosterSize);
    return adamwStep(state, mean, sharedTable(spec), { ...spec.inner, learningRate, step: round + 1 });
  }
  assert(tau !== undefined, "the spec of an adaptive method has a tau");
  adaptiveStep(state, mean, { ...spec.outer, method, tau });
}

/** In pairs the anchor is the mean of its peers' parameters, whatever was before; what they go on from is their own (pair.ts). */
function merge({ parameters, velocity }: SharedState, mean: Float32Array): void {
  velocity.fill(0);
  for (let i = 0; i < mean.length; i++) if (mean[i] - mean[i] === 0) parameters[i] = mean[i] + 0; // -0 + 0 is +0
}
