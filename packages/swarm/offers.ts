// What the open round has been offered, and which uploads are on the host's disk. [R4] [R10]
//
//   offer + blob of that name and size -> counted -> drawn for the commit
import { type PeerId, ROSTER_MAX, type SignedOffer, specBlobs } from "#wire";
import { mixText, type RunState } from "./run-state.ts";

/** Uploads that no offer has named yet: more than any roster has in flight. */
const STORED_MAX = 4 * ROSTER_MAX;

export type Taken = "first" | "repeated" | { readonly refused: string; readonly hostile: boolean };

export class Offers {
  private readonly offerByPeer = new Map<PeerId, SignedOffer>(); // the first of each for the current open
  private readonly offerByUpdate = new Map<string, SignedOffer>();
  private readonly countedPeers = new Set<PeerId>(); //           whose bytes are on our disk, as many as they say
  private readonly bytesByBlob = new Map<string, number>();
  private readonly log: RunState;
  private readonly changed: (peer: PeerId) => void;

  /** @param changed that peer has offered, or its offer counts, or does not any more */
  constructor(log: RunState, changed: (peer: PeerId) => void) {
    this.log = log;
    this.changed = changed;
  }

  stored(hash: string, bytes: number): void {
    this.bytesByBlob.set(hash, bytes);
    this.recount(this.offerByUpdate.get(hash));
    if (this.bytesByBlob.size <= STORED_MAX) return;
    for (const oldest of this.bytesByBlob.keys()) if (!this.names(oldest)) return void this.bytesByBlob.delete(oldest);
  }

  /** The host has made room: it is not on the disk any more. */
  dropped(hash: string): void {
    this.bytesByBlob.delete(hash);
    this.recount(this.offerByUpdate.get(hash));
  }

  private recount(offer: SignedOffer | undefined): void {
    if (offer === undefined) return;
    if (this.isStored(offer.update, offer.bytes)) this.countedPeers.add(offer.peer);
    else this.countedPeers.delete(offer.peer);
    this.changed(offer.peer);
  }

  /** Whether an offer for the current open names that blob: it must stay. */
  names(hash: string): boolean {
    return this.offerByUpdate.has(hash);
  }

  has(peer: PeerId): boolean {
    return this.offerByPeer.has(peer);
  }

  /** hostile: no honest peer sends this, whatever the network does. */
  take(from: PeerId, offer: SignedOffer): Taken {
    if (offer.peer !== from) return { refused: "an offer in the name of another peer", hostile: true };
    const fault = this.log.offerFault(offer);
    if (fault !== undefined) return { refused: fault, hostile: offer.openSeq > this.log.seq + 1 };
    const first = this.offerByPeer.get(from);
    if (first?.signature === offer.signature) return "repeated";
    if (first !== undefined)
      return { refused: "equivocation: another update was offered for this open, and the first counts", hostile: true };
    if (this.offerByUpdate.has(offer.update))
      return { refused: "another peer has offered this update already", hostile: true };
    this.offerByPeer.set(from, offer);
    this.offerByUpdate.set(offer.update, offer);
    this.recount(offer);
    return "first";
  }

  /** Of the current open. */
  all(): SignedOffer[] {
    return [...this.offerByPeer.values()];
  }

  /** Offers whose bytes are on our disk, as many as they say. */
  counted(): SignedOffer[] {
    return [...this.offerByPeer.values()].filter(({ peer }) => this.countedPeers.has(peer));
  }

  get countedSize(): number {
    return this.countedPeers.size;
  }

  counts(peer: PeerId): boolean {
    return this.countedPeers.has(peer);
  }

  isStored(hash: string, bytes: number): boolean {
    return this.bytesByBlob.get(hash) === bytes;
  }

  /** When more are counted than that, (seed, round) draws. Sorted by peer. */
  drawn(most: number): SignedOffer[] {
    const { seed } = this.log.spec;
    const salt = seed ^ this.log.round;
    const order = (a: SignedOffer, b: SignedOffer): number =>
      mixText(salt, a.peer) - mixText(salt, b.peer) || byPeer(a, b);
    return this.counted().sort(order).slice(0, most).sort(byPeer);
  }

  /** [R20] Uploads of this round that no commit named. A blob that the run needs stays, whoever uploaded or offered it again. */
  uncommitted(): string[] {
    const named = new Set(specBlobs(this.log.spec).map(({ hash }) => hash));
    for (const checkpoint of [this.log.checkpoint, this.log.previousCheckpoint])
      for (const { hash } of checkpoint?.blobs ?? []) named.add(hash);
    for (const { commit } of this.log.sealedByRound.values())
      for (const { update } of commit.contributors) named.add(update);
    const offered = [...this.offerByPeer.values()].map(({ update }) => update);
    return [...new Set([...this.bytesByBlob.keys(), ...offered])].filter((update) => !named.has(update));
  }

  /** Another open: offers answer the one before. Uploads may still serve. */
  reopen(): void {
    this.offerByPeer.clear();
    this.offerByUpdate.clear();
    this.countedPeers.clear();
  }

  /** The round is over; an upload that still comes is of no use. */
  clear(): void {
    this.reopen();
    this.bytesByBlob.clear();
  }
}

export const byPeer = (a: { readonly peer: PeerId }, b: { readonly peer: PeerId }): number =>
  a.peer < b.peer ? -1 : 1;
