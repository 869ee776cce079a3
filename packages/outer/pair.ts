// The fold of a pair: what a peer whose replica is its own makes of a commit. Nobody else arrives at the same bits, and nobody has to.
//
//   (phi, m) of this peer  +  its update and its partner's  ->  (phi, m) for the next round            phi: "parameters", m: "velocity"
import type { EntryOf, PeerId, RunSpec } from "#wire";
import { codecOf } from "./codec/index.ts";
import { checked, readerOf } from "./contribution.ts";
import { noLoCoStep } from "./optimizer/noloco.ts";
import type { SharedState } from "./state.ts";

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
  const mean = meanOfPair(spec, commit, pair, blob);
  if (mean !== undefined) noLoCoStep(own, mean, spec.outer);
}

/** The mean of what these peers sent, as far as it decodes; undefined: none of it does. */
export function meanOfPair(
  spec: RunSpec,
  commit: EntryOf<"commit">,
  pair: readonly PeerId[],
  blob: (hash: string) => Uint8Array | undefined,
): Float32Array | undefined {
  const codec = codecOf(spec).at(commit.round);
  const { bytesOf, read } = readerOf(codec, commit, blob);
  const decoded = commit.contributors
    .filter(({ peer }) => pair.includes(peer))
    .map((contribution) => read(contribution, checked(contribution, bytesOf(contribution))))
    .filter((update) => typeof update !== "string");
  if (decoded.length === 0) return undefined;
  const mean = new Float32Array(codec.length);
  for (const update of decoded) update.addTo(mean, fround(1 / decoded.length), 0, mean.length);
  return mean;
}
