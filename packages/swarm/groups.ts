// More offers than a commit may name: the host puts them into groups, each of which makes one update of its members'. [R27]
//
//   counted offers -> plan -> reduce (to the members) -> attest-group (a majority agrees) -> send-up (one uploads) -> contributions
//
// At most maxContributors groups of at most maxContributors members: so a peer receives at most 2 · maxContributors - 1 updates a round.
import {
  blobName,
  type Contribution,
  type EntryOf,
  encodeManifest,
  type GroupContribution,
  isGroup,
  type PeerId,
  type PeerMessage,
  type SignedOffer,
} from "#wire";
import type { Millis } from "./ports.ts";

/** An aggregate comes up in this time on a line of 2 Mbit/s for a million parameters; then another member is asked. */
const UPLOAD_WAIT_MS = 10_000;
/** Once most groups are done, the others have as long again as those took; and at least this, for a jittery line. */
const REST_MIN_MS = 1_000;

export type GroupVote = Extract<PeerMessage, { type: "attest-group" }>;

/** For `reduce`: what a member needs to make the aggregate. */
export interface Reduce {
  readonly openSeq: number;
  readonly manifest: string;
  readonly members: readonly { peer: PeerId; update: string; bytes: number; tokens: number }[];
}

interface Group {
  readonly offers: readonly SignedOffer[]; // sorted by peer
  readonly manifest: { readonly name: string; readonly bytes: Uint8Array };
  readonly voteByPeer: Map<PeerId, GroupVote>;
  agreed: GroupVote | undefined;
  doneAt: Millis | undefined; //              agreed, and on the host's disk
  asked: PeerId[]; //                         to upload it, the last one until `askedUntil`
  askedUntil: Millis;
}

/**
 * Sizes of the groups that so many offers are put into: as equal as can be, a single offer being a group of one.
 * @param most groups, and members of each
 */
function groupSizes(offers: number, most: number): number[] {
  const groups = Math.min(most, offers);
  return Array.from({ length: groups }, (_, i) => Math.floor(offers / groups) + (i < offers % groups ? 1 : 0));
}

export class Groups {
  /** Offers that count by themselves. */
  readonly singles: readonly SignedOffer[];
  private readonly openSeq: number;
  private readonly startedAt: Millis;
  private readonly until: Millis;
  private readonly groups: readonly Group[];
  private readonly groupByPeer = new Map<PeerId, Group>();
  /** Until then nothing comes by itself. */
  private calmUntil: Millis = Number.NEGATIVE_INFINITY;

  /** @param ordered runs of it are neighbours in the mesh; at most most² */
  constructor(openSeq: number, ordered: readonly SignedOffer[], most: number, now: Millis, until: Millis) {
    this.openSeq = openSeq;
    this.startedAt = now;
    this.until = until;
    const singles: SignedOffer[] = [];
    const groups: Group[] = [];
    let from = 0;
    for (const size of groupSizes(ordered.length, most)) {
      const offers = ordered.slice(from, from + size).sort((a, b) => (a.peer < b.peer ? -1 : 1));
      from += size;
      if (size === 1) {
        singles.push(offers[0]);
        continue;
      }
      const bytes = encodeManifest(offers);
      const manifest = { name: blobName(bytes), bytes };
      const group = {
        offers,
        manifest,
        voteByPeer: new Map(),
        agreed: undefined,
        doneAt: undefined,
        asked: [],
        askedUntil: 0,
      };
      groups.push(group);
      for (const { peer } of offers) this.groupByPeer.set(peer, group);
    }
    this.singles = singles;
    this.groups = groups;
  }

  /** Everybody who is in a group. */
  members(): PeerId[] {
    return [...this.groupByPeer.keys()];
  }

  reduceFor(peer: PeerId): Reduce | undefined {
    const group = this.groupByPeer.get(peer);
    if (group === undefined) return undefined;
    return reduceOf(this.openSeq, group.manifest.name, group.offers);
  }

  /** @returns why this vote is out of place */
  vote(from: PeerId, vote: GroupVote): string | undefined {
    const group = this.groupByPeer.get(from);
    if (group === undefined) return "an attest to a group of others";
    if (group.manifest.name !== vote.manifest) return undefined; // of the plan before a restart
    const first = group.voteByPeer.get(from);
    if (first !== undefined) return sameVote(first, vote) ? undefined : "two aggregates of one group";
    group.voteByPeer.set(from, vote);
    this.touched();
    const agreeing = [...group.voteByPeer.values()].filter((other) => sameVote(other, vote)).length;
    if (2 * agreeing > group.offers.length) group.agreed ??= vote;
    return undefined;
  }

  /** An aggregate that a majority has agreed on: worth its place on the disk. */
  names(hash: string): boolean {
    return this.groups.some(({ agreed }) => agreed?.update === hash);
  }

  /** Somebody came or went, or a blob did: what `advance` found holds no longer. */
  touched(): void {
    this.calmUntil = Number.NEGATIVE_INFINITY;
  }

  /**
   * Whom to ask for which aggregate now, and until when there is nothing to do; `over`: name what is done.
   * @param isHere connected; @param isStored on the disk with so many bytes
   */
  advance(
    now: Millis,
    isHere: (peer: PeerId) => boolean,
    isStored: (hash: string, bytes: number) => boolean,
  ): { over: boolean; wakeAt: Millis; ask: { peer: PeerId; hash: string }[] } {
    const ask: { peer: PeerId; hash: string }[] = [];
    if (now < this.calmUntil) return { over: false, wakeAt: this.calmUntil, ask };
    let wakeAt = this.until;
    let open = 0;
    for (const group of this.groups) {
      const { agreed } = group;
      if (group.doneAt === undefined && agreed !== undefined && isStored(agreed.update, agreed.bytes))
        group.doneAt = now;
      if (group.doneAt !== undefined) continue;
      const living = group.offers.filter(({ peer }) => isHere(peer) || group.voteByPeer.has(peer)).length;
      if (agreed === undefined) {
        if (2 * living > group.offers.length) open += 1; // else there will be no majority
        continue;
      }
      open += 1;
      if (now >= group.askedUntil) {
        const next = this.agreeing(group).find((peer) => isHere(peer) && !group.asked.includes(peer));
        if (next === undefined)
          group.asked = []; // all have been asked: from the first again
        else {
          group.asked.push(next);
          ask.push({ peer: next, hash: agreed.update });
        }
        group.askedUntil = now + UPLOAD_WAIT_MS;
      }
      wakeAt = Math.min(wakeAt, group.askedUntil);
    }
    if (open === 0 || now >= this.until) return { over: true, wakeAt: now, ask };
    const doneAt = this.groups.flatMap((group) => group.doneAt ?? []).sort((a, b) => a - b);
    const most = doneAt[this.groups.length >> 1];
    if (most !== undefined) {
      const restUntil = most + Math.max(REST_MIN_MS, most - this.startedAt);
      if (now >= restUntil) return { over: true, wakeAt: now, ask };
      wakeAt = Math.min(wakeAt, restUntil);
    }
    this.calmUntil = wakeAt;
    return { over: false, wakeAt, ask };
  }

  /** The groups that a commit may name, and their manifests. */
  done(): { contribution: GroupContribution; manifest: Uint8Array }[] {
    return this.groups.flatMap((group) => {
      const { agreed, offers, manifest } = group;
      if (group.doneAt === undefined || agreed === undefined) return [];
      const attesters = this.agreeing(group);
      const counted = offers.filter(({ peer }) => !agreed.refused.includes(peer));
      const tokens = counted.reduce((sum, offer) => sum + offer.tokens, 0);
      const contribution: GroupContribution = {
        peer: [...attesters].sort()[0],
        update: agreed.update,
        bytes: agreed.bytes,
        tokens: agreed.tokens,
        loss: counted.reduce((sum, offer) => sum + (offer.tokens / tokens) * offer.loss, 0),
        members: offers.length,
        attesters: attesters.length,
        manifest: manifest.name,
        refused: [...agreed.refused],
      };
      return [{ contribution, manifest: manifest.bytes }];
    });
  }

  /** Of those who attested in a group that agreed: whether it was something else than the majority's. */
  lies(): ReadonlyMap<PeerId, boolean> {
    const liedByPeer = new Map<PeerId, boolean>();
    for (const { agreed, voteByPeer } of this.groups)
      if (agreed !== undefined) for (const [peer, vote] of voteByPeer) liedByPeer.set(peer, !sameVote(vote, agreed));
    return liedByPeer;
  }

  private agreeing({ agreed, voteByPeer }: Group): PeerId[] {
    if (agreed === undefined) return [];
    return [...voteByPeer].filter(([, vote]) => sameVote(vote, agreed)).map(([peer]) => peer);
  }
}

const reduceOf = (openSeq: number, manifest: string, offers: readonly SignedOffer[]): Reduce => ({
  openSeq,
  manifest,
  members: offers.map(({ peer, update, bytes, tokens }) => ({ peer, update, bytes, tokens })),
});

/** The same for a commit in the log: for who was away when its group was made. */
export function reducesOf(
  commit: EntryOf<"commit">,
  offersOf: (contribution: Contribution) => readonly SignedOffer[],
): Map<PeerId, Reduce> {
  const reduceByPeer = new Map<PeerId, Reduce>();
  for (const contribution of commit.contributors) {
    if (!isGroup(contribution)) continue;
    const offers = offersOf(contribution);
    const reduce = reduceOf(commit.openSeq, contribution.manifest, offers);
    for (const { peer } of offers) reduceByPeer.set(peer, reduce);
  }
  return reduceByPeer;
}

const sameVote = (a: GroupVote, b: GroupVote): boolean =>
  a.update === b.update && a.bytes === b.bytes && a.tokens === b.tokens && `${a.refused}` === `${b.refused}`;
