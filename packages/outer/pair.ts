// The fold of a pair: what a peer whose replica is its own makes of a commit. Nobody else arrives at the same bits, and nobody has to.
//
//   (phi, m) of this peer  +  its update and its partner's  ->  (phi, m) for the next round            phi: "parameters", m: "velocity"
import type { EntryOf, PeerId, RunSpec } from "#wire";
import { codecOf, type Decoded } from "./codec/index.ts";
import { checked, readerOf } from "./contribution.ts";
import { sharedTable } from "./lora.ts";
import { noLoCoStep } from "./optimizer/noloco.ts";
import type { SharedState } from "./state.ts";
import { correctVariance } from "./variance.ts";

const { fround } = Math;

/**
 * Folds the parameters of these peers' updates into `own`, in place. One that does not decode is left out; without any, `own` stays.
 * @param pair this peer and its partner, or this peer alone
 * @param blob the bytes of that name
 */
export function applyPair(
  own: SharedState,
  spec: RunSpec,
  commit: EntryOf<"commit">,
  pair: readonly PeerId[],
  blob: (hash: string) => Uint8Array | undefined,
): void {
  const updates = updatesOfPair(spec, commit, pair, blob);
  const { length } = own.parameters;
  const mean = meanOf(updates, length);
  if (mean === undefined) return;
  if (spec.outer.correctsVariance) {
    const models = updates.map((update) => meanOf([update], length)!);
    correctVariance(mean, models, sharedTable(spec));
  }
  noLoCoStep(own, mean, spec.outer);
}

/** The mean of what these peers sent, as far as it decodes; undefined: none of it does. */
export function meanOfPair(
  spec: RunSpec,
  commit: EntryOf<"commit">,
  pair: readonly PeerId[],
  blob: (hash: string) => Uint8Array | undefined,
): Float32Array | undefined {
  return meanOf(updatesOfPair(spec, commit, pair, blob), codecOf(spec).at(commit.round).length);
}

function updatesOfPair(
  spec: RunSpec,
  commit: EntryOf<"commit">,
  pair: readonly PeerId[],
  blob: (hash: string) => Uint8Array | undefined,
): Decoded[] {
  const { bytesOf, read } = readerOf(codecOf(spec).at(commit.round), commit, blob);
  return commit.contributors
    .filter(({ peer }) => pair.includes(peer))
    .map((contribution) => read(contribution, checked(contribution, bytesOf(contribution))))
    .filter((update) => typeof update !== "string");
}

function meanOf(updates: readonly Decoded[], length: number): Float32Array | undefined {
  if (updates.length === 0) return undefined;
  const mean = new Float32Array(length);
  for (const update of updates) update.addTo(mean, fround(1 / updates.length), 0, length);
  return mean;
}
