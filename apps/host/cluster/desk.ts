// The leader's side: sockets that other hosts hold, as if they were here. What a SignalServer is to a room on one host, this is in a cluster.
//
//   edge: enter -> refusal? | welcome, connected      message, signal -> room -> send, broadcast, disconnect -> the edge that has the socket
import type { HostMessage, PeerId } from "#wire";
import { PairBudgets } from "../pair-budgets.ts";
import type { RefusalCode, Room } from "../signal.ts";
import type { Keep } from "../uploads.ts";
import type { Bus } from "./bus.ts";
import {
  BEAT_MS,
  type EdgeAsks,
  type EdgeSays,
  type LeaderAnswers,
  type LeaderSays,
  type Numbered,
  SILENCE_MS,
  type Subjects,
  type Welcome,
} from "./words.ts";

/** More hosts than anybody puts behind one load balancer; each costs a copy of what is told to all. */
const EDGES_MAX = 64;

interface Edge {
  readonly line: string;
  readonly peers: Set<PeerId>;
  heardAt: number;
  heard: number; // messages
  said: number;
}

interface Guest {
  readonly edge: string;
  readonly session: string;
  readonly pairs: PairBudgets;
}

export interface DeskOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  /** This host's id. */
  readonly host: string;
  readonly room: Room;
  readonly stored: Keep;
  readonly now: () => number; // monotonic, ms
}

export class Desk {
  readonly #options: DeskOptions;
  readonly #edges = new Map<string, Edge>();
  readonly #guests = new Map<PeerId, Guest>();
  readonly #peerBySession = new Map<string, PeerId>();
  readonly #unsubscribe: () => void;
  #beatAt: number;

  constructor(options: DeskOptions) {
    this.#options = options;
    const { bus, subjects, host } = options;
    this.#beatAt = options.now();
    this.#unsubscribe = bus.subscribe(subjects.leader(host), (message, answer) => {
      if ((message as { n?: number }).n === undefined) void this.#asked(message as EdgeAsks).then(answer);
      else this.#heard(message as Numbered<EdgeSays>);
    });
  }

  /** Peers by the host that holds their sockets. */
  get edges(): { readonly host: string; readonly peers: number }[] {
    return [...this.#edges].map(([host, { peers }]) => ({ host, peers: peers.size }));
  }

  // ---- the room's way out -------------------------------------------------------------------------------------------------

  send(to: PeerId, message: HostMessage): void {
    const guest = this.#guests.get(to);
    if (guest !== undefined) this.#say(guest.edge, { type: "send", peer: to, message });
  }

  broadcast(message: HostMessage, except: PeerId | null = null): void {
    for (const edge of this.#edges.keys()) this.#say(edge, { type: "broadcast", message, except });
  }

  disconnect(peer: PeerId, code: RefusalCode, message: string): void {
    const guest = this.#guests.get(peer);
    if (guest === undefined) return;
    const { edge, session } = guest;
    this.#gone(peer, message);
    this.#say(edge, { type: "refused", session, peer, code, message });
  }

  sentAway(peer: PeerId, reason: string): void {
    for (const edge of this.#edges.keys()) this.#say(edge, { type: "sent-away", peer, reason });
  }

  // ---- lines --------------------------------------------------------------------------------------------------------------

  #say(host: string, says: LeaderSays): void {
    const edge = this.#edges.get(host);
    if (edge !== undefined) this.#publish(host, edge.line, edge.said++, says);
  }

  #publish(host: string, line: string, n: number, says: LeaderSays): void {
    const { bus, subjects } = this.#options;
    const message: Numbered<LeaderSays> = { edge: host, line, n, says };
    bus.publish(subjects.edge(host), message);
  }

  async #asked(asks: EdgeAsks): Promise<LeaderAnswers> {
    switch (asks.type) {
      case "attach":
        return this.#attach(asks.edge, asks.line);
      case "session":
        return { type: "session", peer: this.#peerBySession.get(asks.session) ?? null };
      case "stored":
        try {
          if (!this.#guests.has(asks.peer)) return { type: "no", why: "its sender is not here any more" };
          await this.#options.stored(asks.peer, asks.hash, asks.bytes, asks.isNew);
          return { type: "done" };
        } catch (error) {
          return { type: "no", why: (error as Error).message };
        }
    }
  }

  #attach(host: string, line: string): LeaderAnswers {
    if (!this.#edges.has(host) && this.#edges.size >= EDGES_MAX)
      return { type: "no", why: `${EDGES_MAX} hosts serve this run, and that is all` };
    this.#drop(host, "its host's line was lost");
    this.#edges.set(host, { line, peers: new Set(), heardAt: this.#options.now(), heard: 0, said: 0 });
    return { type: "attached" };
  }

  #heard({ edge: host, line, n, says }: Numbered<EdgeSays>): void {
    const edge = this.#edges.get(host);
    if (edge?.line !== line || n !== edge.heard) {
      // Of a line that was here and broke, nothing is right any more until its edge begins anew.
      if (edge?.line === line) this.#drop(host, "its host's line was lost");
      return this.#publish(host, line, 0, { type: "again" });
    }
    edge.heard++;
    edge.heardAt = this.#options.now();
    switch (says.type) {
      case "enter":
        return this.#enter(host, says);
      case "left":
        if (this.#guests.get(says.peer)?.session === says.session) this.#gone(says.peer, says.reason);
        return;
      case "message":
        if (this.#guests.get(says.peer)?.session === says.session) this.#message(says);
        return;
      case "beat":
        return;
    }
  }

  #enter(host: string, { session, hello, member }: Extract<EdgeSays, { type: "enter" }>): void {
    const { room } = this.#options;
    const { peer } = member;
    const refusal = room.refusal(hello);
    if (refusal !== undefined) return this.#say(host, { type: "refused", session, peer, ...refusal });
    // Its old socket may lie on a host that has died, or on a line that nobody has missed yet: the newcomer proved the same key.
    if (this.#guests.has(peer)) this.disconnect(peer, "superseded", "The same volunteer and slot connected again.");
    this.#guests.set(peer, { edge: host, session, pairs: new PairBudgets() });
    this.#peerBySession.set(session, peer);
    this.#edges.get(host)?.peers.add(peer);
    const { spec, session: _, iceServers, ...welcome } = room.welcome(peer, session, []) as Welcome;
    this.#say(host, { type: "entered", session, peer, welcome });
    room.connected(member, hello, session);
  }

  #message({ peer, message }: Extract<EdgeSays, { type: "message" }>): void {
    const { room, now } = this.#options;
    if (message.type !== "signal" || !room.mayReach(peer, message.to)) return room.message(peer, message);
    if (!this.#guests.get(peer)?.pairs.take(message.to, message.data.length, now())) return; // as on a bad line
    this.send(message.to, { type: "signal", from: peer, data: message.data });
  }

  #gone(peer: PeerId, reason: string): void {
    const guest = this.#guests.get(peer);
    if (guest === undefined) return;
    this.#guests.delete(peer);
    this.#peerBySession.delete(guest.session);
    this.#edges.get(guest.edge)?.peers.delete(peer);
    this.#options.room.disconnected(peer, reason);
  }

  #drop(host: string, reason: string): void {
    const edge = this.#edges.get(host);
    if (edge === undefined) return;
    this.#edges.delete(host);
    for (const peer of edge.peers) this.#gone(peer, reason);
  }

  /** Every BEAT_MS: tells every edge that the line is whole, and gives up those that have said nothing. */
  beat(): void {
    const at = this.#options.now();
    // A leader that was itself asleep or busy heard nobody: that time counts against no one.
    const lateMs = Math.max(0, at - this.#beatAt - 2 * BEAT_MS);
    this.#beatAt = at;
    for (const [host, edge] of this.#edges) {
      edge.heardAt += lateMs;
      if (at - edge.heardAt > SILENCE_MS) this.#drop(host, "its host is gone");
      else this.#say(host, { type: "beat" });
    }
  }

  close(): void {
    this.#unsubscribe();
  }
}
