// Which tokens a peer reads: pure addressing, so that every peer and every auditor knows each batch from the log alone.
//
//   (cursor of the `open` entry, roster position, inner step, sequence) -> global window index -> (epoch, place) -> first token
//
// A training window is T+1 ids at stride T: inputs are the first T, targets the last T, so each token is a target once per epoch.
// Global indices count windows since the run began. Epoch e is a permutation of the W windows by (seed, e), and shifts all of them by
// an offset in [0, T), so that window boundaries differ from epoch to epoch. In a round of n peers, H inner steps and w windows a step,
//
//   index = cursor + (innerStep · n + position) · w + sequence      the next round's cursor = cursor + H · n · w
//
// so peers of a round never share an index. A slow peer takes sequences 0..k-1 of its w and leaves the rest unread in this epoch.
import { hash32, permuted } from "./permutation.ts";

export interface DataPlan {
  readonly seed: number; //          the spec's, 32 bits
  readonly trainTokens: number; //   over all training shards
  readonly contextLength: number; // T
}

/** One peer's part of a round; swarm's Assignment is one. */
export interface RoundPlace {
  readonly cursor: number; //         windows assigned before this round, from the `open` entry
  readonly rosterSize: number; //     n
  readonly position: number; //       of this peer in the roster
  readonly windowsPerStep: number; // w
}

/** W, the same in every epoch: the last window still has T+1 ids at the largest offset. RangeError when the text is too short. */
export function windowsPerEpoch({ trainTokens, contextLength }: DataPlan): number {
  const windows = Math.floor(trainTokens / contextLength) - 1;
  if (windows < 1)
    throw new RangeError(
      `training data: ${trainTokens} tokens hold no window of context length ${contextLength}; give at least ${2 * contextLength} tokens`,
    );
  return windows;
}

/** Windows that a round of `steps` inner steps assigns: what the next `open` adds to its cursor. */
export const windowsPerRound = (round: { rosterSize: number; windowsPerStep: number; steps: number }): number =>
  round.rosterSize * round.windowsPerStep * round.steps;

/** Global window index of a peer's sequence (0 <= sequence < windowsPerStep) in an inner step (counted from 0). */
export function windowIndex(
  { cursor, rosterSize, position, windowsPerStep }: RoundPlace,
  innerStep: number,
  sequence: number,
): number {
  if (!(position >= 0 && position < rosterSize && sequence >= 0 && sequence < windowsPerStep && innerStep >= 0))
    throw new RangeError(
      `assignment: position ${position} of ${rosterSize}, sequence ${sequence} of ${windowsPerStep}, inner step ${innerStep} is outside of the round`,
    );
  return cursor + (innerStep * rosterSize + position) * windowsPerStep + sequence;
}

/** First token of the window with that global index. */
export function windowStart(plan: DataPlan, index: number): number {
  const { seed, contextLength } = plan;
  const windows = windowsPerEpoch(plan);
  const epoch = Math.floor(index / windows);
  const place = permuted(index - epoch * windows, windows, hash32(seed, epoch, 0));
  const offset = hash32(seed, epoch, 1) % contextLength;
  return offset + place * contextLength;
}
