// From a commit to its seal: the witness folds it, peers attest what they folded, and the witness's hash decides. [R12]
//
//   commit -> folded (witness), attest (peers) -> everybody has spoken, or 3 s -> seal
import { ATTESTERS_LISTED_MAX, type Attesters, type EntryOf, type PeerId } from "#wire";
import { byPeer } from "./offers.ts";
import type { Next, OpenRound } from "./open-round.ts";
import type { Millis } from "./ports.ts";
import { mixText, type RunState } from "./run-state.ts";
import { ATTEST_WAIT_MS, type Wake } from "./timing.ts";
import type { Visits } from "./visits.ts";

interface Witness {
  readonly anchorHash: string;
  readonly refused: readonly { peer: PeerId; reason: string }[];
  readonly at: Millis;
}

export interface SealingOptions {
  readonly log: RunState;
  readonly visits: Visits;
  readonly round: OpenRound;
  readonly wake: Wake;
}

export class Sealing {
  private readonly log: RunState;
  private readonly visits: Visits;
  private readonly round: OpenRound;
  private readonly wake: Wake;
  private readonly attested = new Map<PeerId, string>(); // anchor hash, for the pending commit
  private readonly awaited = new Set<PeerId>(); //         who has not attested, and is waited for
  private witness: Witness | undefined;
  /** After a restart those of the roster who are back, and fold, have not said so yet. [R24] */
  private back = false;

  constructor({ log, visits, round, wake }: SealingOptions) {
    this.log = log;
    this.visits = visits;
    this.round = round;
    this.wake = wake;
  }

  attest(peer: PeerId, anchorHash: string): void {
    this.attested.set(peer, anchorHash);
    this.awaited.delete(peer);
  }

  folded(now: Millis, anchorHash: string, refused: Witness["refused"]): void {
    this.witness = { anchorHash, refused, at: now };
  }

  /** Another commit, or none. */
  clear(): void {
    this.attested.clear();
    this.witness = undefined;
    this.recount();
  }

  /**
   * That peer came, went, or stands elsewhere. Everybody is awaited who was at the base, joiners included: else one that folds a little
   * slower than the witness never gets in. But not who let the deadline pass, and may be asleep: one that is merely slow has the time
   * in which the next open gathers.
   */
  refresh(peer: PeerId): void {
    const { commit } = this.log;
    const session = this.visits.here.get(peer);
    if (this.log.pairs || commit === undefined || session === undefined || this.attested.has(peer))
      return void this.awaited.delete(peer); // in pairs nobody attests [R49]
    const { willing, foldedRound, paused } = session;
    const { roster, offers } = this.round;
    const rostered = roster.has(peer);
    const silent = rostered && !offers.has(peer) && !commit.contributors.some((c) => c.peer === peer);
    const folds = (willing && foldedRound === commit.round) || (this.back && !paused && rostered);
    if (folds && !silent) this.awaited.add(peer);
    else this.awaited.delete(peer);
  }

  private recount(): void {
    this.awaited.clear();
    if (this.log.commit !== undefined) for (const peer of this.visits.here.all.keys()) this.refresh(peer);
  }

  /** Who has folded to that hash. */
  attestersOf(anchorHash: string): PeerId[] {
    return [...this.attested].filter(([, hash]) => hash === anchorHash).map(([peer]) => peer);
  }

  /** @param releasedAt since when the host appends: after a restart peers come back first [R33] */
  advance(now: Millis, { round }: EntryOf<"commit">, releasedAt: Millis): Next | undefined {
    const { witness } = this;
    const back = releasedAt >= this.round.openedAt;
    if (back !== this.back) {
      this.back = back;
      this.recount();
    }
    if (witness === undefined) return undefined; // it folds, or reads what it needs to: the commit is final either way
    const until = Math.max(witness.at, releasedAt) + ATTEST_WAIT_MS;
    if (this.awaited.size > 0 && now < until) return this.wake.want(until);
    const { anchorHash } = witness;
    const attesters = sampleOf(this.log, this.attestersOf(anchorHash));
    const refused = [...witness.refused].sort(byPeer);
    return { body: { type: "seal", round, anchorHash, attesters, refused } };
  }
}

/** Few are named, many are counted and (seed, round) draws those who may evaluate. [R26] */
export function sampleOf(log: RunState, attesters: readonly PeerId[]): Attesters {
  if (attesters.length <= ATTESTERS_LISTED_MAX) return [...attesters].sort();
  const salt = log.spec.seed ^ (log.round + 1);
  const able = attesters.filter((peer) => log.positionOf(peer) >= 0);
  const drawn = [...(able.length > 0 ? able : attesters)].sort((a, b) => mixText(salt, a) - mixText(salt, b));
  return { count: attesters.length, sample: drawn.slice(0, ATTESTERS_LISTED_MAX).sort() };
}
