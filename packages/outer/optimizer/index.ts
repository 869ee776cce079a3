// The outer step of the method that a run names: the anchor moves along the mean of the pseudo-gradients.
import type { RunSpec } from "#wire";
import { assert } from "../assert.ts";
import type { SharedState } from "../state.ts";
import { adaptiveStep } from "./adaptive.ts";
import { nesterovStep } from "./nesterov.ts";

type OuterSpec = RunSpec["outer"];

/** Whether the method keeps a second moment beside the velocity. */
export const hasVariance = ({ method }: Pick<OuterSpec, "method">): boolean => method !== "diloco";

/** Applies the mean (one value per parameter), in place. */
export function outerStep(state: SharedState, mean: Float32Array, outer: OuterSpec): void {
  const { method, tau } = outer;
  if (method === "diloco") return nesterovStep(state, mean, outer);
  assert(tau !== undefined, "the spec of an adaptive method has a tau");
  adaptiveStep(state, mean, { ...outer, method, tau });
}
