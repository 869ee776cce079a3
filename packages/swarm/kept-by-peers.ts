// A run whose updates its peers keep, seen from the host: no witness, and no blob on its disk. Peers hold what is offered, vote on
// what a commit folds to, and make the checkpoints. [R35] [R36] [R37]
//
//   offers -> held by enough -> counted;  commit -> votes -> seal | void;  anchor -> make-checkpoint -> checkpoint
import {
  type EntryBody,
  type EntryOf,
  type HostMessage,
  offersIn,
  type PeerId,
  type PeerMessage,
  type RunSpec,
} from "#wire";
import { CheckpointVote } from "./checkpoint-vote.ts";
import { Holders } from "./holders.ts";
import { byPeer } from "./offers.ts";
import type { Next, OpenRound } from "./open-round.ts";
import type { Millis } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import { SealVote } from "./seal-vote.ts";
import { sampleOf } from "./sealing.ts";
import type { Wake } from "./timing.ts";
import type { Visits } from "./visits.ts";

type Send = { readonly type: "send"; readonly to: PeerId; readonly message: HostMessage };

export interface KeptByPeersOptions {
  readonly spec: RunSpec;
  /** Holders of an update beside its maker. */
  readonly k: number;
  readonly log: RunState;
  readonly visits: Visits;
  readonly round: OpenRound;
  readonly wake: Wake;
  /** Who is not ready, and holds what it is asked to: members of islands. */
  readonly followers: () => readonly PeerId[];
}

export class KeptByPeers {
  private readonly log: RunState;
  private readonly visits: Visits;
  private readonly round: OpenRound;
  private readonly wake: Wake;
  private readonly followers: KeptByPeersOptions["followers"];
  private readonly holders: Holders;
  private readonly vote = new SealVote();
  private readonly checkpoint: CheckpointVote;

  constructor({ spec, k, log, visits, round, wake, followers }: KeptByPeersOptions) {
    this.followers = followers;
    this.log = log;
    this.visits = visits;
    this.round = round;
    this.wake = wake;
    this.holders = new Holders(k, spec.seed);
    this.checkpoint = new CheckpointVote(k, spec.seed);
  }

  gone(peer: PeerId): void {
    this.holders.gone(peer);
    this.checkpoint.gone(peer);
  }

  kept(peer: PeerId, hash: string): void {
    this.holders.kept(peer, hash); // else the round is over: it was asked for
  }

  committed(commit: EntryOf<"commit">): void {
    this.holders.track(offersIn(commit)); // groups are made where the host keeps updates
    this.vote.clear();
  }

  attest(peer: PeerId, anchorHash: string, refused: readonly { peer: PeerId; reason: string }[]): void {
    this.holders.attested(peer);
    this.vote.take(peer, anchorHash, refused);
  }

  /** [R37] @returns whether enough peers were asked */
  askCheckpoint(round: number, anchorHash: string): Send[] {
    const at = [...this.visits.here.all].filter(([, { foldedRound }]) => foldedRound === round).map(([peer]) => peer);
    return at.length === 0 ? [] : this.checkpoint.ask(round, anchorHash, at);
  }

  /** [R37] @returns the entry that enough peers agree on */
  checkpointMade(
    from: PeerId,
    { round, anchorHash, blobs }: Extract<PeerMessage, { type: "checkpoint-made" }>,
  ): EntryBody | undefined {
    const agreed = this.checkpoint.take(from, { round, anchorHash, blobs });
    if (agreed === undefined || agreed === "unasked") return undefined;
    return { type: "checkpoint", round, anchorHash, blobs: [...agreed.blobs] };
  }

  /** [R35] Offers are safe before they count: enough peers hold what they name. */
  advance(now: Millis): Send[] {
    const { holders, visits, wake } = this;
    const { offers } = this.round;
    if (this.log.commit === undefined) holders.track(offers.all());
    const here = visits.here.willing;
    const linked = (a: PeerId, b: PeerId): boolean =>
      visits.here.get(a)?.links.some(({ peer }) => peer === b) ?? visits.mesh.neighbours(a).includes(b);
    const out = holders.advance(now, here, this.followers(), linked, wake);
    for (const { update, bytes } of offers.all())
      if (holders.isSafe(update, here)) offers.stored(update, bytes);
      else offers.dropped(update);
    return out;
  }

  /** [R36] The hash of most of those who were at the base; a commit whose blob nobody has is void. */
  decide(now: Millis, { round, contributors }: EntryOf<"commit">): Next | undefined {
    const { vote, visits, log, wake } = this;
    const atBase = [...visits.here.willingAt(round)];
    const tokensOf = (peer: PeerId): number => log.contributions.get(peer)?.tokens ?? 0;
    const verdict = vote.verdict(now, atBase, tokensOf, wake);
    if (verdict !== undefined) {
      const { anchorHash } = verdict;
      const named = verdict.refused.filter(({ peer }) => contributors.some((c) => c.peer === peer)).sort(byPeer);
      const refused = named.filter(({ peer }, i) => i === 0 || named[i - 1].peer !== peer);
      const attesters = sampleOf(log, verdict.attesters);
      return { body: { type: "seal", round, anchorHash, attesters, refused } };
    }
    const here = new Set([...visits.here.willing, ...this.followers()]);
    const lost = this.holders.lost(now, here, wake);
    if (lost !== undefined) {
      const reason = `nobody who is here holds update ${lost.hash} of ${lost.maker.slice(0, 8)}`;
      return { body: { type: "void", round, reason } };
    }
    if (!vote.isHopeless(now, here.size, wake)) return undefined;
    return { body: { type: "void", round, reason: "nobody who is here could fetch and fold it" } };
  }
}
