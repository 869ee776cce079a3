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
import type { RunSpec } from "#wire";
import { hash32, permuted } from "./permutation.ts";

export interface DataPlan {
  readonly seed: number; //          the spec's, 32 bits
  readonly trainTokens: number; //   over all training shards
  readonly contextLength: number; // T
  /** Absent: an epoch mixes all windows, so that a peer needs all shards at once. */
  readonly mixing?: { readonly shardTokens: number; readonly shards: number } | undefined;
}

/** How a run's windows are addressed. */
export const dataPlan = ({ seed, data, model }: Pick<RunSpec, "seed" | "data" | "model">): DataPlan => ({
  seed,
  trainTokens: data.train.reduce((sum, { tokens }) => sum + tokens, 0),
  contextLength: model.contextLength,
  mixing: data.mixedShards === undefined ? undefined : { shardTokens: data.train[0].tokens, shards: data.mixedShards },
});

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
  const place = placeOf(plan, windows, epoch, index - epoch * windows);
  const offset = hash32(seed, epoch, 1) % contextLength;
  return offset + place * contextLength;
}

/**
 * A permutation of the epoch's windows. With mixing, windows of a shard's length are a chunk, chunks come in an order by chance, and the windows of
 * K chunks that follow one another are mixed: near in time is near in few shards, and each round still reads from all over the text.
 */
function placeOf({ seed, contextLength, mixing }: DataPlan, windows: number, epoch: number, index: number): number {
  if (mixing === undefined) return permuted(index, windows, hash32(seed, epoch, 0));
  const perChunk = Math.max(1, Math.floor(mixing.shardTokens / contextLength));
  const chunks = Math.floor(windows / perChunk);
  const inChunks = chunks * perChunk;
  if (index >= inChunks) return inChunks + permuted(index - inChunks, windows - inChunks, hash32(seed, epoch, 2)); // less than a chunk: last
  const perGroup = mixing.shards * perChunk;
  const group = Math.floor(index / perGroup);
  const size = Math.min(perGroup, inChunks - group * perGroup);
  const inGroup = permuted(index - group * perGroup, size, hash32(seed, epoch, 3, group));
  const chunk = permuted(group * mixing.shards + Math.floor(inGroup / perChunk), chunks, hash32(seed, epoch, 0));
  return chunk * perChunk + (inGroup % perChunk);
}
