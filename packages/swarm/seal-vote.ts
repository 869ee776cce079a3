// Sealing without a witness: the hash that most of those say who were at the base. [R36]
import type { PeerId } from "#wire";
import type { Millis } from "./ports.ts";
import { ATTEST_WAIT_MS, type Wake } from "./timing.ts";

/** Fetching over slow lines and folding on slow machines take less; after this, those who have spoken decide. */
const VOTE_WAIT_MS = 30_000;
/** Peers are here, and not one of them could fetch and fold it: their maker answers nobody. Longer than any backoff of a fetch or a link. */
const NOBODY_MS = 120_000;

type Refused = readonly { readonly peer: PeerId; readonly reason: string }[];
interface Vote {
  readonly anchorHash: string;
  readonly refused: Refused;
}
export interface Verdict extends Vote {
  readonly attesters: readonly PeerId[];
}

export class SealVote {
  private readonly voteByPeer = new Map<PeerId, Vote>(); // of the pending commit
  private since: Millis | undefined;
  private majoritySince: Millis | undefined;
  private silentSince: Millis | undefined; // peers are here, and none has voted

  /** The first word counts. */
  take(peer: PeerId, anchorHash: string, refused: Refused): void {
    if (!this.voteByPeer.has(peer)) this.voteByPeer.set(peer, { anchorHash, refused });
  }

  clear(): void {
    this.voteByPeer.clear();
    this.since = undefined;
    this.majoritySince = undefined;
    this.silentSince = undefined;
  }

  /**
   * @param atBase who is here and was at the commit's base
   * @param tokensOf sealed tokens of a peer, so far
   */
  verdict(now: Millis, atBase: readonly PeerId[], tokensOf: (peer: PeerId) => number, wake: Wake): Verdict | undefined {
    this.since ??= now;
    const voters = new Set([...atBase, ...this.voteByPeer.keys()]);
    const verdict = this.leading(tokensOf);
    if (verdict === undefined) return undefined;
    const majority = 2 * verdict.attesters.length > voters.size;
    this.majoritySince = majority ? (this.majoritySince ?? now) : undefined;
    if (this.voteByPeer.size === voters.size) return verdict;
    const until = Math.min(
      this.since + VOTE_WAIT_MS,
      (this.majoritySince ?? Number.POSITIVE_INFINITY) + ATTEST_WAIT_MS,
    );
    if (now >= until) return verdict;
    wake.want(until);
    return undefined;
  }

  /** Nobody has a word to say, and somebody was here to say one. */
  isHopeless(now: Millis, here: number, wake: Wake): boolean {
    if (this.voteByPeer.size > 0 || here === 0) {
      this.silentSince = undefined;
      return false;
    }
    this.silentSince ??= now;
    const until = this.silentSince + NOBODY_MS;
    if (now < until) wake.want(until);
    return now >= until;
  }

  /** Most voices; then most tokens that the log credits them with, which strangers do not have; then the smaller hash. */
  private leading(tokensOf: (peer: PeerId) => number): Verdict | undefined {
    const groups = new Map<string, { vote: Vote; peers: PeerId[]; tokens: number }>();
    for (const [peer, vote] of [...this.voteByPeer].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const key = `${vote.anchorHash} ${JSON.stringify(vote.refused)}`;
      const group = groups.get(key) ?? { vote, peers: [], tokens: 0 };
      group.peers.push(peer);
      group.tokens += tokensOf(peer);
      groups.set(key, group);
    }
    const [first] = [...groups].sort(
      ([aKey, a], [bKey, b]) => b.peers.length - a.peers.length || b.tokens - a.tokens || (aKey < bKey ? -1 : 1),
    );
    return first && { ...first[1].vote, attesters: first[1].peers };
  }
}
