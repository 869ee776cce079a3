// The run as a fold of its log: what every reader (sequencer, peer, replay, API, page) knows after the entries so far.
//
//   fault = state.apply(entry)      undefined: taken; a text: this entry may not follow, and nothing has changed
//
// The chain (hashes, signatures) is wire's chainFault; here are the rules of meaning, [R1] to [R5] in docs/PROTOCOL.md.

import { codecOf, type OpenedAt, updateBytesMax } from "#outer";
import {
  type Contribution,
  creditedTo,
  decodeManifest,
  decodeRoster,
  type EntryBody,
  type EntryOf,
  type GroupContribution,
  goalReason,
  holdersOf,
  isGroup,
  type LogEntry,
  type Offer,
  type PeerId,
  ROSTER_LISTED_MAX,
  type RunSpec,
  type SignedOffer,
  sampleOfAttesters,
  sizeOfRoster,
} from "#wire";
import { assert } from "./assert.ts";

export interface Credit {
  tokens: number; //        sealed and not refused
  rounds: number; //        sealed commits that name this peer and did not refuse it
  refused: number; //       contributions with weight 0 by rule
  refusedInRow: number;
  loss: number | null; //   newest training loss that a commit named
}

export interface SealedRound {
  readonly commit: EntryOf<"commit">;
  readonly opened: OpenedAt;
  readonly anchorHash: string; // after this round
  readonly refused: readonly PeerId[];
  /** Blob of its roster, if its open did not list it. */
  readonly rosterBlob: string | undefined;
  /** Who may evaluate that anchor; empty when none is due. [R21] */
  readonly evaluators: readonly PeerId[];
}

export interface RunStateOptions {
  readonly run: string;
  readonly spec: RunSpec;
  readonly genesisHash?: string | undefined;
  /** The rosters and manifests that the log names by blob, where this reader has them: the host does. */
  readonly aside?: (hash: string) => Uint8Array | undefined;
}

/** An evaluation may arrive while the swarm is some rounds further; older anchors than this are of no interest. */
const ANCHORS_KEPT_MIN = 16;
/** Opens come again at a deadline at the soonest, and a checkpoint every few rounds: rosters beyond this stay on the host's disk, 33 bytes a peer. */
const SUPERSEDED_MAX = 64;

export class RunState {
  readonly run: string;
  readonly spec: RunSpec;
  seq = -1; //                     last entry taken
  round = 0; //                    rounds sealed
  /** The anchor after `round` rounds; undefined while nobody has named genesis. */
  anchorHash: string | undefined;
  tokens = 0; //                   sealed and not refused
  cursor = 0; //                   windows assigned so far
  open: EntryOf<"open"> | undefined;
  commit: EntryOf<"commit"> | undefined; // not yet sealed
  checkpoint: EntryOf<"checkpoint"> | undefined;
  previousCheckpoint: EntryOf<"checkpoint"> | undefined;
  ended: string | undefined;
  /** By round, from the second newest checkpoint on: what a peer that restores must fold. */
  readonly sealedByRound = new Map<number, SealedRound>();
  readonly contributions = new Map<PeerId, Credit>();
  readonly evals: EntryOf<"eval">[] = [];
  /** Blobs that the newest checkpoint made unneeded: updates and checkpoints before the second newest. */
  unretained: readonly string[] = [];
  readonly assignmentTokens: number; // H * windowsPerStep * T
  readonly updateBytesMax: number;
  /** Whether more offers than a commit may name can be made into groups: an update must be able to hold the sum of others. [R27] */
  readonly mayGroup: boolean;
  /** Peers have replicas of their own, and fold in pairs: the anchor is what their updates merge to. [R48] */
  readonly pairs: boolean;
  /** This reader's place in a roster that its open does not list, as the host has told it. */
  seat: { readonly openSeq: number; readonly position: number } | undefined;
  private readonly genesisHash: string | undefined;
  /** Blobs of rosters whose open was superseded or voided since the newest checkpoint. */
  private readonly superseded = new Set<string>();
  private readonly aside: (hash: string) => Uint8Array | undefined;
  /** Of the newest open: position by peer. Undefined when it is named and we do not have its blob. */
  private placeByPeer: ReadonlyMap<PeerId, number> | undefined;

  constructor({ run, spec, genesisHash, aside = () => undefined }: RunStateOptions) {
    this.aside = aside;
    this.run = run;
    this.spec = spec;
    this.genesisHash = genesisHash;
    this.anchorHash = genesisHash;
    this.assignmentTokens = spec.inner.steps * spec.inner.windowsPerStep * spec.model.contextLength;
    const codec = codecOf(spec);
    this.updateBytesMax = updateBytesMax(codec);
    this.pairs = spec.rounds.topology === "pairs";
    // A group's aggregate is made where the host keeps updates, and hides who would be whose partner.
    this.mayGroup = codec.sums && holdersOf(spec) === undefined && !this.pairs;
  }

  /** The anchor after so many rounds, while it is kept. */
  anchorAt(round: number): string | undefined {
    if (round === this.round) return this.anchorHash;
    if (round === 0) return this.genesisHash ?? this.sealedByRound.get(0)?.commit.baseHash;
    return this.sealedByRound.get(round - 1)?.anchorHash;
  }

  /** How that round was opened, whose commit is pending or kept. */
  openedAt(round: number): OpenedAt {
    const opened =
      this.sealedByRound.get(round)?.opened ?? (this.open?.round === round ? openedAt(this.open) : undefined);
    assert(opened !== undefined, "a commit has an open");
    return opened;
  }

  /** Fewest inner steps that may be offered: a quarter of H. */
  get stepsMin(): number {
    return Math.ceil(this.spec.inner.steps / 4);
  }

  /** Who is in the newest open, as far as this reader knows. */
  get roster(): readonly PeerId[] {
    return this.open === undefined || this.placeByPeer === undefined ? [] : [...this.placeByPeer.keys()];
  }

  /** A peer's place in the newest open; -1: none. Of a named roster, a reader without its blob knows its own seat alone. [R26] */
  positionOf(peer: PeerId): number {
    if (this.open === undefined) return -1;
    if (this.placeByPeer !== undefined) return this.placeByPeer.get(peer) ?? -1;
    return this.seat?.openSeq === this.open.seq ? this.seat.position : -1;
  }

  /** The spec's goal is reached: only the last evaluation and `end` follow. */
  get endReached(): string | undefined {
    const { roundsMax, tokensMax } = this.spec.end;
    if (roundsMax !== undefined && this.round >= roundsMax) return goalReason({ of: "rounds", count: roundsMax });
    if (tokensMax !== undefined && this.tokens >= tokensMax) return goalReason({ of: "tokens", count: tokensMax });
    return undefined;
  }

  /** Why this offer does not answer the open round. [R4] */
  offerFault(offer: Offer): string | undefined {
    const { open } = this;
    if (open === undefined || this.commit !== undefined) return `no round is open for offers`;
    if (offer.round !== open.round || offer.openSeq !== open.seq)
      return `the offer answers open ${offer.openSeq}, but open ${open.seq} of round ${open.round} is current`;
    return this.contributionFault(open, offer);
  }

  /** Why this body may not be the next entry. */
  mayAppend(body: EntryBody): string | undefined {
    return this.fault({ ...body, seq: this.seq + 1 } as LogEntry);
  }

  apply(entry: LogEntry): string | undefined {
    const fault = this.fault(entry);
    if (fault !== undefined) return `entry ${entry.seq} (${entry.type}): ${fault}`;
    this.seq = entry.seq;
    switch (entry.type) {
      case "open":
        this.supersede();
        this.open = entry;
        this.placeByPeer = placesOf("size" in entry.roster ? this.rosterBlob(entry.roster.blob) : entry.roster);
        this.anchorHash = entry.baseHash;
        this.cursor += sizeOfRoster(entry.roster) * this.spec.inner.steps * this.spec.inner.windowsPerStep;
        break;
      case "commit":
        this.commit = entry;
        break;
      case "seal":
        this.seal(entry);
        break;
      case "void":
        this.supersede();
        this.commit = undefined;
        this.open = undefined;
        break;
      case "eval":
        this.evals.push(entry);
        break;
      case "checkpoint":
        this.takeCheckpoint(entry);
        break;
      case "end":
        this.ended = entry.reason;
        break;
    }
    return undefined;
  }

  private fault(entry: LogEntry): string | undefined {
    if (entry.seq !== this.seq + 1) return `entry ${this.seq + 1} belongs here`;
    if (this.ended !== undefined) return "the run has ended"; // [R5]
    switch (entry.type) {
      case "open":
        return this.openFault(entry);
      case "commit":
        return this.commitFault(entry);
      case "seal":
        if (this.commit === undefined || entry.round !== this.round) return "it answers no commit"; // [R3]
        if (!ascending(sampleOfAttesters(entry.attesters))) return "attesters are not sorted";
        if (!ascending(entry.refused.map(({ peer }) => peer))) return "refused contributors are not sorted";
        return entry.refused.every(({ peer }) => this.commit?.contributors.some((c) => c.peer === peer))
          ? undefined
          : "it refuses somebody whom the commit does not name";
      case "void":
        return this.commit === undefined || entry.round !== this.round ? "it answers no commit" : undefined;
      case "eval":
        if (entry.round <= (this.evals.at(-1)?.round ?? 0)) return "this anchor or a later one is evaluated already";
        return this.anchorAt(entry.round) === entry.anchorHash ? undefined : "it is about no anchor of the last rounds";
      case "checkpoint":
        if (entry.round <= (this.checkpoint?.round ?? 0)) return "a checkpoint of this round or a later one exists";
        return this.anchorAt(entry.round) === entry.anchorHash ? undefined : "it is about no anchor of the last rounds";
      case "end":
        return this.commit === undefined ? undefined : "a commit waits for its seal";
    }
  }

  private openFault(open: EntryOf<"open">): string | undefined {
    const { deadlineMinMs, deadlineMaxMs } = this.spec.rounds;
    if (this.commit !== undefined) return "a commit waits for its seal"; // [R2]
    if (this.endReached !== undefined) return "the run's goal is reached";
    if (open.round !== this.round) return `round ${this.round} is the next`;
    if (this.anchorHash !== undefined && open.baseHash !== this.anchorHash)
      return "another base than the head's anchor";
    if (open.cursor !== this.cursor) return `the cursor is at ${this.cursor}`;
    if (open.tokensBefore !== this.tokens) return `${this.tokens} tokens are committed`;
    if (!("size" in open.roster) && !ascending(open.roster)) return "the roster is not sorted";
    if ("size" in open.roster && open.roster.size <= ROSTER_LISTED_MAX) return "a roster of this size is listed"; // [R26]
    if (open.deadlineMs < deadlineMinMs || open.deadlineMs > deadlineMaxMs)
      return "a deadline outside of the spec's bounds";
    return islandsFault(open);
  }

  private commitFault(commit: EntryOf<"commit">): string | undefined {
    const { open } = this;
    if (open === undefined || this.commit !== undefined) return "it answers no open"; // [R2]
    if (commit.openSeq !== open.seq || commit.round !== open.round) return `open ${open.seq} is current`;
    if (commit.baseHash !== open.baseHash) return "another base than its open";
    if (commit.contributors.length > this.spec.rounds.maxContributors) return "more contributors than the spec allows";
    if (!ascending(commit.contributors.map(({ peer }) => peer))) return "contributors are not sorted";
    for (const contribution of commit.contributors) {
      const fault = isGroup(contribution) ? this.groupFault(contribution) : this.offerFault(contribution);
      if (fault !== undefined) return `contribution of ${contribution.peer.slice(0, 8)}: ${fault}`;
    }
    return undefined;
  }

  private contributionFault(open: EntryOf<"open">, offer: Offer): string | undefined {
    const { steps: H, windowsPerStep } = this.spec.inner;
    if (this.placeByPeer?.has(offer.peer) === false) return "this peer is not in the roster of the round";
    if (offer.baseHash !== open.baseHash) return "the update starts from another anchor";
    if (offer.steps < this.stepsMin || offer.steps > H)
      return `${offer.steps} steps where ${this.stepsMin} to ${H} count`;
    if (offer.tokens > offer.steps * windowsPerStep * this.spec.model.contextLength)
      return `${offer.tokens} tokens are more than ${offer.steps} steps of the assignment hold`;
    if (offer.bytes > this.updateBytesMax)
      return `an update of ${offer.bytes} bytes; ${this.updateBytesMax} are the most`;
    return undefined;
  }

  /** [R27] */
  private groupFault(group: GroupContribution): string | undefined {
    const { members, attesters, refused } = group;
    if (!this.mayGroup) return "this run's updates are not made into groups";
    if (members > this.spec.rounds.maxContributors) return `a group of ${members}`;
    if (attesters > members || 2 * attesters <= members) return `${attesters} of ${members} members attest to it`;
    if (refused.length >= members || !ascending(refused)) return "its refused members are not sorted, or all";
    if (group.tokens > (members - refused.length) * this.assignmentTokens)
      return `${group.tokens} tokens are more than the assignments of ${members - refused.length} members hold`;
    if (group.bytes > this.updateBytesMax)
      return `an aggregate of ${group.bytes} bytes; ${this.updateBytesMax} are the most`;
    if (this.placeByPeer?.has(group.peer) === false) return "its first attester is not in the roster of the round";
    return undefined;
  }

  /** Who stands behind a contribution; of a group, as far as this reader has its manifest. */
  offersOf(contribution: Contribution): readonly SignedOffer[] {
    if (!isGroup(contribution)) return [contribution];
    const bytes = this.aside(contribution.manifest);
    return (bytes && decodeManifest(bytes)) ?? [];
  }

  private rosterBlob(hash: string): readonly PeerId[] | undefined {
    const bytes = this.aside(hash);
    return bytes && decodeRoster(bytes);
  }

  /** [R55] What is refused is the offering peer's own: it made the update. */
  private credit(offer: SignedOffer, counted: boolean): void {
    const shares = counted ? creditedTo(this.open!, offer) : [offer];
    for (const share of shares) this.creditOne({ ...share, loss: offer.loss }, counted);
  }

  private creditOne({ peer, tokens, loss }: Pick<SignedOffer, "peer" | "tokens" | "loss">, counted: boolean): void {
    const before = this.contributions.get(peer) ?? { tokens: 0, rounds: 0, refused: 0, refusedInRow: 0, loss: null };
    this.contributions.set(peer, {
      tokens: before.tokens + (counted ? tokens : 0),
      rounds: before.rounds + (counted ? 1 : 0),
      refused: before.refused + (counted ? 0 : 1),
      refusedInRow: counted ? 0 : before.refusedInRow + 1,
      loss,
    });
  }

  private seal(seal: EntryOf<"seal">): void {
    const commit = this.commit!;
    const { roster } = this.open!;
    const rosterBlob = rosterBlobOf(this.open!);
    const refused = seal.refused.map(({ peer }) => peer);
    for (const contribution of commit.contributors) {
      const counted = !refused.includes(contribution.peer);
      if (counted) this.tokens += contribution.tokens;
      const refusedInside: readonly PeerId[] = isGroup(contribution) ? contribution.refused : [];
      for (const offer of this.offersOf(contribution))
        this.credit(offer, counted && !refusedInside.includes(offer.peer));
    }
    this.round += 1;
    this.anchorHash = seal.anchorHash;
    const opened = openedAt(this.open!);
    this.open = undefined;
    this.commit = undefined;
    const evaluators = this.chooseEvaluators(this.able(seal, commit, roster));
    this.sealedByRound.set(seal.round, {
      commit,
      opened,
      anchorHash: seal.anchorHash,
      refused,
      rosterBlob,
      evaluators,
    });
    this.prune();
  }

  /** Who attested is alive and at this anchor: a better choice than the roster, and it stands in the log as well. In pairs nobody attests. */
  private able(
    { attesters: said }: EntryOf<"seal">,
    { contributors }: EntryOf<"commit">,
    roster: EntryOf<"open">["roster"],
  ): readonly PeerId[] {
    if (this.pairs) return contributors.map(({ peer }) => peer);
    const attesters = sampleOfAttesters(said);
    return attesters.length > 0 || "size" in roster ? attesters : roster;
  }

  /** [R21] One peer every so many rounds; when it left, another two rounds later; at the end everybody, and the first counts. */
  private chooseEvaluators(able: readonly PeerId[]): readonly PeerId[] {
    const last = this.evals.at(-1)?.round ?? 0;
    if (this.endReached !== undefined) return able;
    const due = this.round - (this.round % this.spec.evaluation.everyRounds);
    if (due === 0 || last >= due || this.round === due + 1 || able.length === 0) return [];
    return [able[mix(this.spec.seed, this.round) % able.length]];
  }

  /** The open comes to nothing. */
  private supersede(): void {
    const blob = this.open && rosterBlobOf(this.open);
    if (blob !== undefined && this.superseded.size < SUPERSEDED_MAX) this.superseded.add(blob);
  }

  private takeCheckpoint(entry: EntryOf<"checkpoint">): void {
    const dropped = this.previousCheckpoint;
    this.previousCheckpoint = this.checkpoint;
    this.checkpoint = entry;
    const kept = new Set(entry.blobs.map(({ hash }) => hash));
    for (const { hash } of this.previousCheckpoint?.blobs ?? []) kept.add(hash);
    const unneeded = new Set(dropped?.blobs.map(({ hash }) => hash));
    for (const [round, { commit, rosterBlob }] of this.sealedByRound) {
      const past = this.previousCheckpoint !== undefined && round < this.previousCheckpoint.round;
      for (const { update } of commit.contributors) (past ? unneeded : kept).add(update);
      if (rosterBlob !== undefined) (past ? unneeded : kept).add(rosterBlob); // a steady swarm names the same one again and again
    }
    const current = this.open && rosterBlobOf(this.open);
    if (current !== undefined) kept.add(current);
    for (const blob of this.superseded) unneeded.add(blob);
    this.superseded.clear();
    for (const { update } of this.commit?.contributors ?? []) kept.add(update);
    this.unretained = [...unneeded].filter((hash) => !kept.has(hash));
    this.prune();
  }

  private prune(): void {
    const from = Math.min(this.previousCheckpoint?.round ?? 0, this.round - ANCHORS_KEPT_MIN);
    for (const round of this.sealedByRound.keys()) {
      if (round >= from) break; // insertion order is round order
      this.sealedByRound.delete(round);
    }
  }
}

export const openedAt = ({ tokensBefore, roster }: EntryOf<"open">): OpenedAt => ({
  tokensBefore,
  rosterSize: sizeOfRoster(roster),
});

/** [R55] Only a listed roster says who is in it to everybody. */
function islandsFault({ islands = [], roster }: EntryOf<"open">): string | undefined {
  if (!ascending(islands.map(({ leader }) => leader))) return "its islands are not sorted";
  const members = islands.flatMap((island) => island.members);
  if (new Set(members).size < members.length) return "somebody is in two islands";
  for (const { leader, members } of islands) {
    if (members[0] !== leader) return "an island's leader is not its first member";
    if ("size" in roster) continue;
    if (!roster.includes(leader)) return "an island's leader is not in the roster";
    if (members.some((peer, rank) => rank > 0 && roster.includes(peer)))
      return "a member of an island is in the roster";
  }
  return undefined;
}

const rosterBlobOf = ({ roster }: EntryOf<"open">): string | undefined => ("size" in roster ? roster.blob : undefined);

const placesOf = (roster: readonly PeerId[] | undefined): ReadonlyMap<PeerId, number> | undefined =>
  roster && new Map(roster.map((peer, position) => [peer, position]));

/** Strictly ascending, so sorted and without doubles; ids are hex, so string order is byte order. */
export const ascending = (ids: readonly string[]): boolean => ids.every((id, i) => i === 0 || ids[i - 1] < id);

/** Murmur3's finalizer over both numbers: choices that every reader of the log makes alike. */
export function mix(seed: number, value: number): number {
  let hash = (seed ^ Math.imul(value + 1, 0x9e37_79b9)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** FNV-1a over the characters of an id: to draw among ids with mix. */
export function mixText(seed: number, text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  return mix(seed, hash >>> 0);
}
