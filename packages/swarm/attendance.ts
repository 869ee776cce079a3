// Who is here, and how far each is. Counts and sets follow every change, so that no input has to look at everybody.
//
//   add, change, remove -> sessions; who would train from which anchor; how many are awake
import type { PeerId } from "#wire";
import type { Session, Standing } from "./session.ts";

const nobody: ReadonlySet<PeerId> = new Set();

export class Attendance {
  private readonly sessionByPeer = new Map<PeerId, Session>();
  private readonly willingByRound = new Map<number, Set<PeerId>>(); // by the round that they stand at
  private readonly awakeByRound = new Map<number, number>();
  private readonly everyWilling = new Set<PeerId>();
  private awake = 0; //                                               neither paused nor saying goodbye
  private readonly changed: (peer: PeerId) => void;

  /** @param changed somebody came, went, or stands elsewhere */
  constructor(changed: (peer: PeerId) => void) {
    this.changed = changed;
  }

  get all(): ReadonlyMap<PeerId, Session> {
    return this.sessionByPeer;
  }

  get(peer: PeerId): Session | undefined {
    return this.sessionByPeer.get(peer);
  }

  has(peer: PeerId): boolean {
    return this.sessionByPeer.has(peer);
  }

  /** Who trains, or would. */
  get willing(): ReadonlySet<PeerId> {
    return this.everyWilling;
  }

  /** [R5] Who would train from the anchor after that round. */
  willingAt(round: number): ReadonlySet<PeerId> {
    return this.willingByRound.get(round) ?? nobody;
  }

  /** How many are awake and stand anywhere but there. */
  awakeElsewhere(round: number): number {
    return this.awake - (this.awakeByRound.get(round) ?? 0);
  }

  add(session: Session): void {
    const { peer } = session.member;
    this.remove(peer);
    this.sessionByPeer.set(peer, session);
    this.tally(session, 1);
    this.changed(peer);
  }

  remove(peer: PeerId): Session | undefined {
    const session = this.sessionByPeer.get(peer);
    if (session === undefined) return undefined;
    this.tally(session, -1);
    this.sessionByPeer.delete(peer);
    this.changed(peer);
    return session;
  }

  change(session: Session, change: Partial<Standing>): void {
    this.tally(session, -1);
    Object.assign(session, change);
    this.tally(session, 1);
    this.changed(session.member.peer);
  }

  private tally({ member: { peer }, willing, paused, bye, foldedRound }: Session, by: 1 | -1): void {
    if (willing) {
      const there = this.willingByRound.get(foldedRound) ?? new Set();
      for (const set of [there, this.everyWilling])
        if (by > 0) set.add(peer);
        else set.delete(peer);
      if (there.size > 0) this.willingByRound.set(foldedRound, there);
      else this.willingByRound.delete(foldedRound);
    }
    if (paused || bye !== undefined) return;
    this.awake += by;
    const there = (this.awakeByRound.get(foldedRound) ?? 0) + by;
    if (there > 0) this.awakeByRound.set(foldedRound, there);
    else this.awakeByRound.delete(foldedRound);
  }
}
