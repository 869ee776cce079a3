// The host's relay in the simulator: a line of each peer beside its control socket, whole and in order like that one. [R42] [R43]
//
//   ask, ask of the other end -> up, up -> frames -> leave | a line or its session ends -> down
import type { PeerId } from "#wire";
import type { LocalClock } from "./local-clock.ts";
import { HOST, type Network, type Order } from "./network.ts";
import type { Strike } from "./struck.ts";

interface RelayEvents {
  readonly up: (peer: PeerId) => void;
  /** For whatever reason: what was asked is over. */
  readonly down: (peer: PeerId) => void;
  readonly frame: (from: PeerId, bytes: Uint8Array) => void;
}

/** One line of one peer, both ends of it. */
class Line {
  open = true;
  readonly peer: PeerId;
  readonly askedAtHost = new Set<PeerId>();
  readonly end: RelayEnd;
  private readonly network: Network;
  private readonly toHostOrder: Order = { at: 0 };
  private readonly toPeerOrder: Order = { at: 0 };

  constructor(network: Network, peer: PeerId, end: RelayEnd) {
    this.network = network;
    this.peer = peer;
    this.end = end;
  }

  toHost(bytes: number, arrived: () => void): void {
    this.network.ordered(this.peer, HOST, bytes, this.toHostOrder, () => this.open && arrived());
  }

  toPeer(bytes: number, arrived: () => void): void {
    this.network.ordered(HOST, this.peer, bytes, this.toPeerOrder, () => this.open && arrived());
  }
}

/** A peer's end: asks again only when its core does. */
export class RelayEnd {
  /** Relayed links. */
  readonly up = new Set<PeerId>();
  private readonly asked = new Set<PeerId>();
  private line: Line | undefined;
  private isOpen = false;
  private readonly peer: PeerId;
  private readonly host: RelayHost;
  private readonly time: LocalClock;
  private readonly events: RelayEvents;

  constructor(peer: PeerId, host: RelayHost, time: LocalClock, events: RelayEvents) {
    this.peer = peer;
    this.host = host;
    this.time = time;
    this.events = events;
  }

  ask(peer: PeerId): void {
    if (this.asked.has(peer)) return;
    this.asked.add(peer);
    const { line } = this;
    if (line === undefined) this.line = this.host.dial(this.peer, this);
    else if (this.isOpen) line.toHost(0, () => this.host.ask(line, peer));
  }

  /** @returns whether there was such a link; no `down` follows */
  leave(peer: PeerId): boolean {
    const { line } = this;
    if (this.asked.delete(peer) && line !== undefined && this.isOpen) line.toHost(0, () => this.host.leave(line, peer));
    return this.up.delete(peer);
  }

  send(to: PeerId, bytes: Uint8Array): void {
    const { line } = this;
    if (line !== undefined && this.up.has(to)) line.toHost(bytes.length, () => this.host.frame(line, to, bytes));
  }

  /** The tab is gone. */
  stop(): void {
    this.asked.clear();
    this.up.clear();
    if (this.line !== undefined) this.host.end(this.line);
    this.line = undefined;
    this.isOpen = false;
  }

  // ---- what the line tells ------------------------------------------------------------------------------------------------

  opened(line: Line): void {
    this.hear(line, () => {
      this.isOpen = true;
      for (const peer of this.asked) line.toHost(0, () => this.host.ask(line, peer));
    });
  }

  linked(line: Line, peer: PeerId): void {
    this.hear(line, () => {
      if (!this.asked.has(peer) || this.up.has(peer)) return; // left meanwhile
      this.up.add(peer);
      this.events.up(peer);
    });
  }

  left(line: Line, peer: PeerId): void {
    this.hear(line, () => {
      if (this.asked.delete(peer)) this.events.down(peer);
    });
  }

  heard(line: Line, from: PeerId, bytes: Uint8Array): void {
    this.hear(line, () => this.up.has(from) && this.events.frame(from, bytes));
  }

  broken(line: Line): void {
    this.hear(line, () => {
      this.line = undefined;
      this.isOpen = false;
      const peers = [...this.asked];
      this.asked.clear();
      for (const peer of peers) this.events.down(peer);
    });
  }

  private hear(line: Line, run: () => void): void {
    this.time.do(() => {
      if (this.line === line) run();
    });
  }
}

export class RelayHost {
  private readonly lineByPeer = new Map<PeerId, Line>();
  private readonly network: Network;
  private readonly time: LocalClock;
  private readonly hasSession: (peer: PeerId) => boolean;
  private readonly strike: Strike;

  constructor(network: Network, time: LocalClock, hasSession: (peer: PeerId) => boolean, strike: Strike) {
    this.network = network;
    this.time = time;
    this.hasSession = hasSession;
    this.strike = strike;
  }

  /** A token of a session opens it; without one, or without a host, the line ends at once. */
  dial(peer: PeerId, end: RelayEnd): Line {
    const line = new Line(this.network, peer, end);
    this.network.later(() => {
      if (this.network.parted(peer, HOST)) this.end(line);
      else this.time.do(() => (this.hasSession(peer) ? this.accept(line) : this.end(line)));
    });
    return line;
  }

  ask(line: Line, peer: PeerId): void {
    this.time.do(() => {
      if (this.lineByPeer.get(line.peer) !== line || line.askedAtHost.has(peer)) return;
      line.askedAtHost.add(peer);
      const other = this.otherEnd(line, peer);
      if (other === undefined) return;
      this.strike("relayed-link");
      line.toPeer(0, () => line.end.linked(line, peer));
      other.toPeer(0, () => other.end.linked(other, line.peer));
    });
  }

  leave(line: Line, peer: PeerId): void {
    this.time.do(() => this.unask(line, peer));
  }

  frame(line: Line, to: PeerId, bytes: Uint8Array): void {
    this.time.do(() => {
      const other = this.otherEnd(line, to);
      other?.toPeer(bytes.length, () => other.end.heard(other, line.peer, bytes));
    });
  }

  sessionEnded(peer: PeerId): void {
    const line = this.lineByPeer.get(peer);
    if (line !== undefined) this.end(line);
  }

  crash(): void {
    for (const line of [...this.lineByPeer.values()]) this.end(line);
  }

  /** Both ends notice, each in its own time. */
  end(line: Line): void {
    if (!line.open) return;
    line.open = false;
    if (this.lineByPeer.get(line.peer) === line) {
      for (const peer of [...line.askedAtHost]) {
        if (this.otherEnd(line, peer) !== undefined) this.strike("relay-cut");
        this.unask(line, peer);
      }
      this.lineByPeer.delete(line.peer);
    }
    this.network.later(() => line.end.broken(line));
  }

  private accept(line: Line): void {
    if (!line.open) return;
    this.sessionEnded(line.peer); // the same peer opened another one
    this.lineByPeer.set(line.peer, line);
    line.toPeer(0, () => line.end.opened(line));
  }

  private unask(line: Line, peer: PeerId): void {
    const other = this.otherEnd(line, peer);
    line.askedAtHost.delete(peer);
    if (other === undefined) return;
    other.askedAtHost.delete(line.peer);
    other.toPeer(0, () => other.end.left(other, line.peer));
  }

  private otherEnd(line: Line, peer: PeerId): Line | undefined {
    const other = this.lineByPeer.get(peer);
    return line.askedAtHost.has(peer) && other?.askedAtHost.has(line.peer) ? other : undefined;
  }
}
