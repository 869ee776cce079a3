// Combine: how much each contribution counts in the weighted mean of a round.
//
//   tokens_i counted = min(tokens_i, m_i · min(assignment, 2 · median of the round))   a peer cannot buy a round by claiming tokens
//                      m_i: peers that it stands for (1, or a group's members); the median is of tokens_i / m_i
//   clip_i           = min(1, median norm / norm_i)                            nor by shouting, when the spec says clipToMedianNorm
//   weight_i         = fround(counted_i / Σ counted · clip_i)                  in f64, rounded once
//
// With fewer than three contributors a median protects nobody: half of it is the other's word.
import type { PeerId } from "#wire";

export interface Counted {
  readonly peer: PeerId;
  readonly tokens: number;
  readonly norm: number; // updateNorm of the update
  readonly members?: number; // of a group; 1 unless given
}

export interface CombineRules {
  readonly assignmentTokens: number; //   what one peer was given to read in the round
  readonly clipToMedianNorm: boolean;
}

/** By peer id, as bytes: the order in which everybody sums. Ids are lower-case hex, so code-unit order is byte order. */
export const byPeer = (a: { readonly peer: PeerId }, b: { readonly peer: PeerId }): number =>
  a.peer < b.peer ? -1 : a.peer > b.peer ? 1 : 0;

/** Weight by peer, in the order in which the updates are summed. Does not depend on the order given. */
export function combineWeights(contributions: readonly Counted[], rules: CombineRules): Map<PeerId, number> {
  const sorted = [...contributions].sort(byPeer);
  const normMax = rules.clipToMedianNorm ? median(sorted.map((c) => c.norm)) : Number.POSITIVE_INFINITY;
  const counted = countedTokens(sorted, rules.assignmentTokens);
  const total = counted.reduce((sum, tokens) => sum + tokens, 0);
  return new Map(
    sorted.map(({ peer, norm }, i) => {
      const clip = norm > normMax ? normMax / norm : 1;
      return [peer, Math.fround((counted[i] / total) * clip)];
    }),
  );
}

/** How many tokens of each count, in the order given. */
export function countedTokens(contributions: readonly Counted[], assignmentTokens: number): number[] {
  const tokensMax = Math.min(
    assignmentTokens,
    2 * median(contributions.map(({ tokens, members = 1 }) => tokens / members)),
  );
  return contributions.map(({ tokens, members = 1 }) => Math.min(tokens, members * tokensMax));
}

/** The middle value; of an even number, the mean of the two in the middle. 0 for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
