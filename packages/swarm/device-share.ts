// A slow device takes fewer sequences per inner step, not fewer steps: H is equal for all, and a commit weighs by tokens. [R9]
import type { Millis } from "./ports.ts";

/**
 * Training fills this part of what a deadline leaves. It must stay above a half: deadlines of a steady swarm are twice its median round,
 * so rounds that shrank to less would shrink their own deadlines, round by round. The rest is encoding, uploading, and a device that heats up.
 */
const FILL = 0.7;
/** A share is kept while it fits within this, and grows when at least a quarter more would fit: neighbouring shares do not alternate. */
const FILL_KEPT = 0.85;
const GROWTH_MIN = 1.25;

export interface DeviceSpeed {
  readonly windowsPerStep: number; // the assignment: never more
  readonly windows: number; //       taken per step now
  readonly windowMs: Millis; //      measured: a step's time divided by its windows
  readonly steps: number; //         still to do
  readonly leftMs: Millis; //        to the deadline
}

/** Windows per inner step, 1 to windowsPerStep, so that the steps fit into the time that is left. */
export function windowsForDevice({ windowsPerStep, windows, windowMs, steps, leftMs }: DeviceSpeed): number {
  if (!(windowMs > 0) || steps < 1) return windows;
  const fitting = (FILL * leftMs) / (steps * windowMs);
  const keeps = steps * windows * windowMs <= FILL_KEPT * leftMs && fitting < GROWTH_MIN * windows;
  return keeps ? windows : Math.max(1, Math.min(windowsPerStep, Math.floor(fitting)));
}
