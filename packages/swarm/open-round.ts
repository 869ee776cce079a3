// The round at the host from its open to its commit: who is in it, what was offered, and when that is enough.
//
//   ready peers -> gather -> open -> offers -> counted -> (more than a commit may name: groups) -> commit
import {
  blobName,
  CONTRIBUTORS_MAX,
  type Contribution,
  type EntryBody,
  type EntryOf,
  encodeRoster,
  type PeerId,
  ROSTER_LISTED_MAX,
  ROSTER_MAX,
  type SignedOffer,
} from "#wire";
import { assert } from "./assert.ts";
import { Groups } from "./groups.ts";
import { byPeer, Offers, type Taken } from "./offers.ts";
import { Places } from "./places.ts";
import type { Aside, Millis } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import type { Session } from "./session.ts";
import { ATTEST_WAIT_MS, GATHER_REST_MS, gatherMs, Pace, RECONNECT_GRACE_MS, type Wake } from "./timing.ts";
import type { Visits } from "./visits.ts";

/** [R27] A lie may be bad luck with memory; three in a row are a broken or hostile machine. */
const LIES_IN_ROW_MAX = 3;

/** The next entry of the log. */
export interface Next {
  readonly body: EntryBody;
  readonly asides?: readonly Aside[];
}

export interface OpenRoundOptions {
  readonly log: RunState;
  readonly visits: Visits;
  readonly wake: Wake;
  /** How many must be ready before the first round opens. */
  readonly startPeers: number;
  /** Of the roster, what the open says. */
  readonly islandsIn: (roster: ReadonlySet<PeerId>) => NonNullable<EntryOf<"open">["islands"]>;
}

export class OpenRound {
  readonly offers: Offers;
  /** Of the current round, or of the last one. */
  roster: ReadonlySet<PeerId> = new Set();
  openedAt: Millis = 0;
  /** How many more must be ready before the first round opens. */
  peersAwaited = 0;
  private readonly log: RunState;
  private readonly visits: Visits;
  private readonly wake: Wake;
  private readonly pace = new Pace();
  private readonly startPeers: number;
  private readonly islandsIn: OpenRoundOptions["islandsIn"];
  private readonly places: Places;
  private groups: Groups | undefined; //             more offers than a commit may name: they are made into fewer
  private deadlineAt: Millis = 0;
  private lostAt: Millis = 0; //                     when a rostered peer last vanished without a word
  private idleSince: Millis | undefined; //          waiting to open; undefined: nobody was ready yet
  private resting = true; //                         the last round did not lead here
  // Of the roster, kept by `refresh`: what `advance` asks at each input.
  private readonly present = new Set<PeerId>(); //   connected
  private readonly missing = new Set<PeerId>(); //   train, and their offer does not count yet
  private readonly hollow = new Set<PeerId>(); //    of these: offered, but the blob never came (a liar, or the host made room)
  private readonly overdue = new Set<PeerId>(); //   of these: have let rounds pass since their last offer
  private readonly departed = new Set<PeerId>(); //  paused, or said goodbye: not waited for
  private readonly newcomers = new Set<PeerId>(); // ready, and not in the roster

  constructor({ log, visits, wake, startPeers, islandsIn }: OpenRoundOptions) {
    this.log = log;
    this.islandsIn = islandsIn;
    this.startPeers = startPeers;
    this.visits = visits;
    this.wake = wake;
    this.offers = new Offers(log, (peer) => this.refresh(peer));
    this.places = new Places(log);
  }

  /** [R24] An open that was on the disk stays open, and its deadline begins anew. */
  start(now: Millis): void {
    this.openedAt = now;
    this.lostAt = now;
    if (this.log.open) this.deadlineAt = now + this.log.open.deadlineMs;
  }

  /** Whether the round may still need that upload. */
  isOffered(hash: string): boolean {
    return this.offers.names(hash) || (this.groups?.names(hash) ?? false);
  }

  // ---- counting -------------------------------------------------------------------------------------------------------------

  /** Somebody of the roster is not connected. */
  get someoneAway(): boolean {
    return this.present.size < this.roster.size;
  }

  /** That peer came, went, stands elsewhere, or its offer does. */
  refresh(peer: PeerId): void {
    const session = this.visits.here.get(peer);
    const rostered = this.roster.has(peer);
    const willing = session?.willing ?? false;
    const missing = rostered && willing && !this.offers.counts(peer);
    put(this.present, peer, rostered && session !== undefined);
    put(this.missing, peer, missing);
    put(this.hollow, peer, missing && this.offers.has(peer));
    put(this.overdue, peer, missing && session?.overdueSince !== undefined);
    put(this.departed, peer, rostered && !willing && (session?.paused || session?.bye !== undefined));
    put(this.newcomers, peer, !rostered && willing && session?.foldedRound === this.log.round);
    this.groups?.touched();
  }

  private recount(): void {
    for (const set of [this.present, this.missing, this.hollow, this.overdue, this.departed, this.newcomers])
      set.clear();
    for (const peer of this.visits.here.all.keys()) this.refresh(peer);
  }

  stored(hash: string, bytes: number): void {
    this.offers.stored(hash, bytes);
    this.groups?.touched();
  }

  dropped(hash: string): void {
    this.offers.dropped(hash);
    this.groups?.touched();
  }

  // ---- peers come, speak and go -------------------------------------------------------------------------------------------

  /** It is back: all that it may have missed. */
  tellPlace(peer: PeerId): void {
    this.tellSeat(peer);
    this.tellReduce(peer);
  }

  tellSeat(peer: PeerId): void {
    for (const message of this.places.seatOf(peer)) this.visits.send(peer, message);
  }

  private tellReduce(peer: PeerId): void {
    for (const message of this.places.reduceOf(peer, this.groups)) this.visits.send(peer, message);
  }

  /** A reload looks like a closed page, so it is waited for like a crash. */
  left(now: Millis, peer: PeerId, { bye }: Session): void {
    if (bye === undefined && this.roster.has(peer)) this.lostAt = now;
  }

  /** [R10] The first offer of a peer for an open counts, once its blob is here. */
  offer(now: Millis, from: PeerId, session: Session, offer: SignedOffer): Taken {
    const taken = this.offers.take(from, offer);
    // A peer that came after the open measured something else than a round.
    if (taken === "first" && session.connectedAt <= this.openedAt)
      this.pace.record(from, this.roundMs(now, session, offer.steps));
    return taken;
  }

  /** [R32] Who had steps done before the open offers soon after it, and still needs H steps for a round from its beginning. */
  private roundMs(now: Millis, { stepMs }: Session, steps: number): Millis {
    const H = this.log.spec.inner.steps;
    return Math.max(((now - this.openedAt) * H) / steps, H * (stepMs ?? 0));
  }

  /** @returns why this vote is out of place */
  voteOfGroup(from: PeerId, vote: Parameters<Groups["vote"]>[1]): string | undefined {
    if (this.groups === undefined || vote.openSeq !== this.log.open?.seq) return undefined; // the round is over, or the host began again
    return this.groups.vote(from, vote);
  }

  // ---- entries that were appended -------------------------------------------------------------------------------------------

  opened(now: Millis, open: EntryOf<"open">): void {
    this.offers.reopen();
    this.groups = undefined;
    this.roster = new Set(this.log.roster);
    this.recount();
    this.openedAt = now;
    this.deadlineAt = now + open.deadlineMs;
  }

  committed(now: Millis): void {
    if (this.groups !== undefined) this.judgeGroups(this.groups);
    for (const peer of this.roster) {
      const session = this.visits.here.get(peer);
      if (session === undefined) continue;
      if (this.offers.counts(peer)) session.overdueSince = undefined;
      else if (session.willing && session.connectedAt <= this.openedAt && now < this.awaitedUntil(session)) {
        session.overdueSince ??= this.openedAt;
        // It was late: its round takes longer than this one did, we do not know how much.
        if (!this.offers.has(peer)) this.pace.record(peer, 1.5 * (now - this.openedAt));
      }
    }
  }

  /** [R7] The run's longest deadline is what a round may take; from whom nothing came for so long, nothing is expected until it comes. */
  private awaitedUntil({ overdueSince }: Session): Millis {
    return (overdueSince ?? Number.POSITIVE_INFINITY) + this.log.spec.rounds.deadlineMaxMs;
  }

  /** @returns uploads that no commit named, which `window` retention forgets */
  sealed(now: Millis): string[] {
    const unneeded = this.offers.uncommitted();
    this.offers.clear();
    this.idleSince = now;
    this.resting = false;
    return unneeded;
  }

  /** @returns what the voided commit named and nobody needs any more, beside what it did not [R20] */
  voided(now: Millis, commit: EntryOf<"commit"> | undefined): string[] {
    this.offers.clear();
    for (const { update, bytes } of commit?.contributors ?? []) this.offers.stored(update, bytes);
    const unneeded = this.offers.uncommitted(); // the run may need it for something else
    this.offers.clear();
    this.idleSince = now;
    return unneeded;
  }

  /** [R27] A lie costs no more than itself once; the third in a row ends the visit. Who was refused by his group is told. */
  private judgeGroups(groups: Groups): void {
    for (const [peer, lied] of groups.lies()) {
      const session = this.visits.here.get(peer);
      if (session === undefined) continue; // and who had not attested when the commit came has said nothing, false or true
      session.liedInRow = lied ? session.liedInRow + 1 : 0;
      if (session.liedInRow < LIES_IN_ROW_MAX) continue;
      const message = `${session.liedInRow} aggregates in a row were not what the group computed; reload the page`;
      this.visits.sendAway(peer, message);
    }
  }

  // ---- what comes next --------------------------------------------------------------------------------------------------------

  /** [R6] Nobody who was at the last base is left out for being a little late. */
  gather(now: Millis, paused: boolean): Next | undefined {
    const { here } = this.visits;
    const { round } = this.log;
    const ready = here.willingAt(round);
    this.peersAwaited = round === 0 ? Math.max(0, this.startPeers - ready.size) : 0;
    if (ready.size === 0 || this.peersAwaited > 0 || paused) {
      this.idleSince = undefined;
      this.resting = true;
      return undefined;
    }
    this.idleSince ??= now;
    const gathersMs = this.resting ? GATHER_REST_MS : gatherMs(this.idleSince - this.openedAt);
    // In pairs no seal waited for those who exchange, so the open does: else who meets is always late for those who do not. [R49] (seed 4)
    const until = this.idleSince + (this.log.pairs ? Math.max(ATTEST_WAIT_MS, gathersMs) : gathersMs);
    const awaited = this.resting ? here.awakeElsewhere(round) : here.willingAt(round - 1).size;
    if (awaited > 0 && now < until) return this.wake.want(until);
    return this.open([...ready]);
  }

  private open(roster: PeerId[]): Next {
    const { round, anchorHash, cursor, tokens, spec } = this.log;
    assert(anchorHash !== undefined, "the sequencer knows genesis");
    const named = roster.sort().slice(0, ROSTER_MAX);
    const announcedMs = new Map<PeerId, number>();
    for (const peer of named) {
      const stepMs = this.visits.here.get(peer)?.stepMs;
      if (stepMs) announcedMs.set(peer, stepMs * spec.inner.steps);
    }
    const { deadlineMinMs, deadlineMaxMs } = spec.rounds;
    const deadlineMs = this.pace.deadlineMs(named, announcedMs, deadlineMinMs, deadlineMaxMs);
    this.idleSince = undefined;
    const listed = named.length <= ROSTER_LISTED_MAX;
    const islands = this.islandsIn(new Set(named));
    const bytes = encodeRoster(named);
    const name = blobName(bytes);
    const body = {
      type: "open" as const,
      round,
      roster: listed ? named : { size: named.length, blob: name },
      baseHash: anchorHash,
      cursor,
      tokensBefore: tokens,
      deadlineMs,
      ...(islands.length > 0 && { islands }),
    };
    return { body, asides: listed ? [] : [{ name, bytes }] };
  }

  /** [R7] */
  advance(now: Millis, open: EntryOf<"open">, paused: boolean): Next | undefined {
    if (this.groups !== undefined) return this.advanceGroups(now, open, this.groups);
    const { missing, overdue, newcomers, hollow, roster } = this;
    const counted = this.offers.countedSize;
    const graceUntil = this.lostAt + RECONNECT_GRACE_MS;
    if (counted > 0) {
      if (now >= this.deadlineAt) return this.close(now, open);
      this.wake.want(this.deadlineAt);
      if (missing.size > overdue.size) return undefined;
      const awaitedUntil = Math.max(0, ...[...overdue].map((peer) => this.awaitedUntil(this.visits.here.get(peer)!)));
      if (now < awaitedUntil) return this.wake.want(awaitedUntil);
      // Who paused or said goodbye is not waited for; who vanished may be back in a moment.
      const quorum = Math.min(this.log.spec.rounds.quorum, roster.size - this.departed.size - overdue.size);
      if (counted >= quorum || now >= graceUntil) return this.close(now, open);
      return this.wake.want(graceUntil);
    }
    // A hollow offer is in the way of another.
    if ((newcomers.size === 0 && hollow.size === 0) || paused) return undefined; // the round stays open until an offer arrives, or rests
    const from = missing.size === 0 ? Math.min(graceUntil, this.deadlineAt) : this.deadlineAt;
    if (now < from) return this.wake.want(from);
    return this.open([...newcomers, ...missing]); // supersedes: nobody who could train is left out
  }

  /** What is there counts. More than a commit may name are made into groups first: of neighbours, so that their updates go one hop. [R27] */
  private close(now: Millis, open: EntryOf<"open">): Next | undefined {
    const most = this.contributorsMax;
    const offers = this.offers.drawn(this.log.mayGroup ? most * most : most);
    if (offers.length <= most) return commitOf(open, offers);
    const offerByPeer = new Map(offers.map((offer) => [offer.peer, offer]));
    const ordered = this.visits.mesh.inOrder([...offerByPeer.keys()]).map((peer) => offerByPeer.get(peer)!);
    this.groups = new Groups(open.seq, ordered, most, now, now + open.deadlineMs);
    for (const peer of this.groups.members()) this.tellReduce(peer);
    return this.advanceGroups(now, open, this.groups);
  }

  private advanceGroups(now: Millis, open: EntryOf<"open">, groups: Groups): Next | undefined {
    const { over, wakeAt, ask } = groups.advance(
      now,
      (peer) => this.visits.here.has(peer),
      (hash, bytes) => this.offers.isStored(hash, bytes),
    );
    for (const { peer, hash } of ask) this.visits.send(peer, { type: "send-up", hash });
    if (!over) return this.wake.want(wakeAt);
    const done = groups.done();
    const contributors = [...groups.singles, ...done.map(({ contribution }) => contribution)].sort(byPeer);
    if (contributors.length === 0) return commitOf(open, this.offers.drawn(this.contributorsMax)); // as if there were no groups
    const asides = done.map(({ contribution, manifest }) => ({ name: contribution.manifest, bytes: manifest }));
    return commitOf(open, contributors, asides);
  }

  private get contributorsMax(): number {
    return Math.min(CONTRIBUTORS_MAX, this.log.spec.rounds.maxContributors);
  }
}

function put(set: Set<PeerId>, peer: PeerId, belongs: boolean): void {
  if (belongs) set.add(peer);
  else set.delete(peer);
}

const commitOf = (
  { round, seq, baseHash }: EntryOf<"open">,
  contributors: Contribution[],
  asides: readonly Aside[] = [],
): Next => ({ body: { type: "commit", round, openSeq: seq, baseHash, contributors }, asides });
