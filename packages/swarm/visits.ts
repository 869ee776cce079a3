// Who is connected: each visit from its hello to its end, with the faults that may end it, and what its neighbours hear of it.
//
//   connected -> joined (to its neighbours) -> signals between neighbours -> left | sent away
import { type HostMessage, type Member, type PeerId, reasonByCode } from "#wire";
import { Attendance } from "./attendance.ts";
import { type MeshChange, MeshPlan } from "./mesh-plan.ts";
import type { Millis, SequencerOutput } from "./ports.ts";
import { newSession, type Session } from "./session.ts";

/** [R19] Messages that no honest peer sends; a few may come from races that we have not thought of. */
const FAULTS_MAX = 16;
/** [R25] Signals to no neighbour in one round: an attempt that a restart or a newcomer cut off sends some twenty, a few of them may end so. */
const SIGNALS_REFUSED_MAX = 100;

export interface VisitsOptions {
  /** A secret of the host: see mesh-plan.ts. */
  readonly meshSeed: string;
  readonly emit: (output: SequencerOutput) => void;
  /** It came, went, or stands elsewhere. */
  readonly changed: (peer: PeerId) => void;
  /** Its visit is over. */
  readonly gone: (peer: PeerId) => void;
}

export class Visits {
  readonly mesh: MeshPlan;
  readonly here: Attendance;
  private readonly options: VisitsOptions;

  constructor(options: VisitsOptions) {
    this.options = options;
    this.mesh = new MeshPlan(options.meshSeed);
    this.here = new Attendance(options.changed);
  }

  /** Who a peer is to be linked with that is about to connect. */
  neighbours(peer: PeerId): Member[] {
    return this.mesh.planned(peer).flatMap((other) => this.here.get(other)?.member ?? []);
  }

  connect(now: Millis, member: Member): void {
    this.here.add(newSession(member, now));
    this.meshChanged(this.mesh.join(member.peer), member.peer); // its own neighbours stand in its welcome
    for (const to of this.mesh.neighbours(member.peer)) this.send(to, { type: "joined", member });
    this.options.emit({ type: "event", event: { kind: "joined", peer: member.peer, reason: "" } });
  }

  /** @returns the visit that is over; undefined when we ended it ourselves */
  leave(peer: PeerId, reason: string): Session | undefined {
    const session = this.here.remove(peer);
    if (session === undefined) return undefined;
    const kind = session.bye === undefined && reason !== reasonByCode["page-closed"] ? "crashed" : "left";
    this.meshChanged(this.mesh.leave(peer), peer, session.bye ?? reason);
    this.options.emit({ type: "event", event: { kind, peer, reason: session.bye ?? reason } });
    this.options.gone(peer);
    return session;
  }

  sendAway(peer: PeerId, message: string): void {
    if (this.here.remove(peer) === undefined) return;
    this.options.emit({ type: "disconnect", peer, code: "invalid", message });
    this.meshChanged(this.mesh.leave(peer), peer, message);
    this.options.emit({ type: "event", event: { kind: "refused", peer, reason: message } });
    this.options.gone(peer);
  }

  /** It sent what no honest peer sends. */
  fault(peer: PeerId, reason: string): void {
    const session = this.here.get(peer);
    if (session === undefined) return;
    session.faults += 1;
    if (session.faults >= FAULTS_MAX) this.sendAway(peer, `${session.faults} messages out of place, last: ${reason}`);
  }

  /** [R25] Between neighbours alone. */
  signal(from: PeerId, session: Session, to: PeerId, data: string): void {
    if (this.mesh.areNeighbours(from, to)) return this.send(to, { type: "signal", from, data });
    session.signalsRefused += 1; // the other just left or parted, and word of it is on the way; or it was never for us to reach
    if (session.signalsRefused > SIGNALS_REFUSED_MAX) this.fault(from, "signals to peers that are no neighbours");
  }

  /** Another round: what is counted by the round begins again. */
  opened(): void {
    for (const session of this.here.all.values()) {
      session.step = 0;
      session.signalsRefused = 0;
    }
  }

  send(to: PeerId, message: HostMessage): void {
    this.options.emit({ type: "send", to, message });
  }

  /** [R54] Who seeks an island with whom, or is in one. */
  tie(pairs: readonly (readonly [PeerId, PeerId])[]): void {
    this.meshChanged(this.mesh.tie(pairs));
  }

  /** [R25] Everybody hears what changes among his own neighbours. @param about has come, or has left for that reason */
  private meshChanged(changes: readonly MeshChange[], about?: PeerId, reason = ""): void {
    for (const { pair, linked } of changes)
      for (const [to, other] of [pair, [pair[1], pair[0]]]) {
        if (to === about || (linked && other === about)) continue;
        const member = this.here.get(other)?.member;
        if (member === undefined) this.send(to, { type: "left", peer: other, reason });
        else this.send(to, linked ? { type: "joined", member } : { type: "parted", peer: other });
      }
  }
}
