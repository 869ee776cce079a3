// Who exchanges with whom where a round goes in pairs (NoLoCo: Kolehmainen et al., 2025, arXiv:2506.10911): a fresh random matching each round.
//
//   (seed, round, who contributes) -> a permutation of them -> first with second, third with fourth …     the last of an odd number is alone
//
// A random matching halves the disagreement between peers each round, however many there are.
import type { PeerId } from "#wire";
import { mix } from "../random.ts";

/** What a round's pairs follow from: a commit is one. */
interface Round {
  readonly round: number;
  readonly contributors: readonly { readonly peer: PeerId }[];
}

/** All pairs of the round; the odd one out is not among them. The order in which contributors are named does not matter. */
export function pairsOf({ round, contributors }: Round, seed: number): [PeerId, PeerId][] {
  const peers = contributors.map(({ peer }) => peer).sort();
  const key = mix(mix(seed) ^ round);
  for (let last = peers.length - 1; last > 0; last--) {
    const other = (mix(key ^ last) >>> 0) % (last + 1); // its bias is below 1 in 2^26 for 32 contributors
    [peers[last], peers[other]] = [peers[other], peers[last]];
  }
  return Array.from({ length: peers.length >> 1 }, (_, i) => [peers[2 * i], peers[2 * i + 1]]);
}

/** The one that `self` exchanges with; undefined: it is the odd one out, or does not contribute. */
export function pairOf(round: Round, self: PeerId, seed: number): PeerId | undefined {
  const pair = pairsOf(round, seed).find((both) => both.includes(self));
  return pair?.find((peer) => peer !== self);
}
