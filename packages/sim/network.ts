// Everything that goes from one machine to another: control sockets, links between peers, HTTP requests.
//
//   send -> the sender's line -> delay, jitter -> the receiver's line -> delivered, in what shape the way allows
//
// A control socket is TCP: whole, in order, until it is cut. A frame over a link may be lost, doubled, late, cut short or changed;
// a request may fail on its way there or back. Each fault is counted where it strikes.
import type { HostMessage, PeerMessage } from "#wire";
import type { Clock } from "./clock.ts";
import { Line } from "./line.ts";
import type { Random } from "./random.ts";
import type { Strike } from "./struck.ts";

/** A peer's id, or the host. */
export type End = string;
export const HOST: End = "host";

/** Share of what is sent that is hit, by kind. */
export type Shares = Partial<
  Record<
    | "message-late"
    | "frame-lost"
    | "frame-doubled"
    | "frame-late"
    | "frame-changed"
    | "frame-cut"
    | "request-failed"
    | "request-doubled",
    number
  >
>;

export interface NetworkOptions {
  readonly delayMs: readonly [number, number];
  readonly shares?: Shares;
  /** Mbit/s up and down of each end; without: as fast as one likes. */
  readonly lineMbit?: (end: End) => readonly [number, number];
  /** Hears of every message and frame that is sent, as the bytes that go over the wire, and of what a request carries. */
  readonly meter?: (
    from: End,
    to: End,
    kind: "message" | "frame" | "request",
    bytes: number,
    /** A message's type, and of the entries in it; a frame's first byte. */
    what: string | number,
  ) => void;
}

/** What is late is so much later than the rest at most. */
const LATE_MS = 1_500;
/** Nothing moves: a request is given up. Above every delay, and above what a stopped host makes it wait. */
const REQUEST_TIMEOUT_MS = 12_000;
/** A bulk answer leaves in portions, so that what is sent meanwhile goes between them. */
const PORTION_BYTES = 16 * 1024;

/** Things sent one after the other arrive so. */
export interface Order {
  at: number;
}

export interface Link {
  readonly ends: readonly [End, End];
  open: boolean;
}

interface LinkEnd {
  readonly frame: (from: End, bytes: Uint8Array) => void;
  readonly closed: (other: End) => void;
}

export class Network {
  messages = 0;
  frames = 0;
  requests = 0;
  linksMade = 0;
  /** Of the network, as long as it is bad; {} is a good one. */
  shares: Shares;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly strike: Strike;
  readonly delaysMs: readonly [number, number];
  private readonly lineMbit: NetworkOptions["lineMbit"];
  private readonly meter: NetworkOptions["meter"];
  private readonly lineByEnd = new Map<End, { up: Line; down: Line }>();
  private readonly heldByWay = new Map<string, (() => void)[]>(); // present: nothing passes this way
  private readonly linksByEnd = new Map<End, Map<End, Link>>();
  private readonly linkEndById = new Map<End, LinkEnd>();
  private readonly orderByLink = new WeakMap<Link, readonly [Order, Order]>();
  private readonly bytesByMessage = new WeakMap<object, number>();

  constructor(clock: Clock, random: Random, strike: Strike, { delayMs, shares, lineMbit, meter }: NetworkOptions) {
    this.clock = clock;
    this.random = random;
    this.delaysMs = delayMs;
    this.strike = strike;
    this.shares = shares ?? {};
    this.lineMbit = lineMbit;
    this.meter = meter;
  }

  // ---- partitions ---------------------------------------------------------------------------------------------------------

  /** From now on nothing that `from` sends reaches `to`; the other way is another matter. */
  block(from: End, to: End): void {
    const way = `${from}>${to}`;
    if (!this.heldByWay.has(way)) this.heldByWay.set(way, []);
  }

  /** What TCP and SCTP sent again and again gets through now. */
  unblock(from: End, to: End): void {
    const way = `${from}>${to}`;
    const held = this.heldByWay.get(way) ?? [];
    this.heldByWay.delete(way);
    for (const send of held) send();
  }

  blocked(from: End, to: End): boolean {
    return this.heldByWay.size > 0 && this.heldByWay.has(`${from}>${to}`);
  }

  /** Nothing that needs both ways, such as a connection, comes about. */
  parted(a: End, b: End): boolean {
    return this.blocked(a, b) || this.blocked(b, a);
  }

  // ---- control sockets ----------------------------------------------------------------------------------------------------

  socket(peer: PeerSocketEnd, host: HostSocketEnd, peerId: End): Socket {
    return new Socket(this, peer, host, peerId);
  }

  /** Of a socket: whole and in order. */
  inOrder(from: End, to: End, message: HostMessage | PeerMessage, order: Order, deliver: () => void): void {
    this.messages += 1;
    this.meter?.(from, to, "message", this.bytesOf(message), whatOf(message));
    const lateMs = this.strikes("message-late") ? this.random.between(0, LATE_MS) : 0;
    this.carry(from, to, this.bytesOf(message), deliver, order, lateMs);
  }

  /** Of another line that is whole and in order. */
  ordered(from: End, to: End, bytes: number, order: Order, deliver: () => void): void {
    this.meter?.(from, to, "message", bytes, -1);
    this.carry(from, to, bytes, deliver, order);
  }

  /** As JSON; nothing while nobody asks for it. */
  private bytesOf(message: object): number {
    if (this.lineMbit === undefined && this.meter === undefined) return 0;
    let bytes = this.bytesByMessage.get(message);
    if (bytes === undefined) {
      bytes = JSON.stringify(message).length;
      this.bytesByMessage.set(message, bytes);
    }
    return bytes;
  }

  // ---- links between peers ------------------------------------------------------------------------------------------------

  /** Where frames for `end` go. */
  listen(end: End, to: LinkEnd): void {
    this.linkEndById.set(end, to);
  }

  linksOf(end: End): ReadonlyMap<End, Link> {
    return this.linksByEnd.get(end) ?? new Map();
  }

  link(a: End, b: End): Link {
    this.unlink(a, b);
    const link: Link = { ends: [a, b], open: true };
    this.linksMade += 1;
    for (const [end, other] of [
      [a, b],
      [b, a],
    ]) {
      const links = this.linksByEnd.get(end) ?? new Map<End, Link>();
      links.set(other, link);
      this.linksByEnd.set(end, links);
    }
    return link;
  }

  /** Each end notices in its own time. */
  unlink(a: End, b: End): void {
    const link = this.linksByEnd.get(a)?.get(b);
    if (link === undefined) return;
    link.open = false;
    this.linksByEnd.get(a)?.delete(b);
    this.linksByEnd.get(b)?.delete(a);
    this.clock.after(this.delay(), () => this.linkEndById.get(a)?.closed(b));
    this.clock.after(this.delay(), () => this.linkEndById.get(b)?.closed(a));
  }

  /** Over the open link from one to the other; without one it goes nowhere. */
  frame(from: End, to: End, bytes: Uint8Array): void {
    const link = this.linksByEnd.get(from)?.get(to);
    if (link === undefined) return;
    this.frames += 1;
    this.meter?.(from, to, "frame", bytes.length, bytes[0]);
    if (this.strikes("frame-lost")) return;
    let shape = bytes;
    if (bytes.length > 0 && this.strikes("frame-changed")) {
      shape = bytes.slice();
      shape[this.random.int(shape.length)] ^= 1 + this.random.int(255);
    }
    if (bytes.length > 0 && this.strikes("frame-cut")) shape = shape.slice(0, this.random.int(shape.length));
    const deliver = (): void => {
      if (link.open) this.linkEndById.get(to)?.frame(from, shape);
    };
    if (this.strikes("frame-late"))
      this.carry(from, to, bytes.length, deliver, undefined, this.random.between(0, LATE_MS));
    else this.carry(from, to, bytes.length, deliver, this.orderOf(link, from));
    if (this.strikes("frame-doubled"))
      this.carry(from, to, bytes.length, deliver, undefined, this.random.between(0, LATE_MS));
  }

  private orderOf(link: Link, from: End): Order {
    const orders = this.orderByLink.get(link) ?? [{ at: 0 }, { at: 0 }];
    this.orderByLink.set(link, orders);
    return orders[link.ends[0] === from ? 0 : 1];
  }

  // ---- requests -----------------------------------------------------------------------------------------------------------

  /**
   * @param bytesUp what is sent along
   * @param serve at the other end, which says how many bytes come back, and what the answer does at this end
   * @param failed at this end: nobody answered. What `serve` did stays done when it was the answer that was lost.
   */
  request(
    from: End,
    to: End,
    bytesUp: number,
    serve: (answer: (bytesDown: number, run: () => void) => void, refuse: () => void) => void,
    failed: () => void,
  ): void {
    this.requests += 1;
    let settled = false;
    const settle = (run: () => void): void => {
      if (settled) return;
      settled = true;
      run();
    };
    let movedAt = this.clock.now;
    const moved = (): void => {
      movedAt = this.clock.now;
    };
    const giveUp = (): void => {
      if (this.clock.now >= movedAt + REQUEST_TIMEOUT_MS) settle(failed);
      else if (!settled) this.clock.at(movedAt + REQUEST_TIMEOUT_MS, giveUp);
    };
    this.clock.after(REQUEST_TIMEOUT_MS, giveUp);
    const lostAt = this.strikes("request-failed") ? this.random.int(2) : undefined;
    const refuse = (): void => this.carry(to, from, 0, () => settle(failed));
    const answer = (bytesDown: number, run: () => void): void => {
      if (lostAt !== 1) this.bulk(to, from, bytesDown, moved, () => settle(run));
    };
    const deaf = (): void => {};
    if (lostAt !== 0) this.bulk(from, to, bytesUp, moved, () => serve(answer, refuse));
    if (this.strikes("request-doubled"))
      this.clock.after(this.random.between(0, LATE_MS), () =>
        this.bulk(from, to, bytesUp, deaf, () => serve(deaf, deaf)),
      );
  }

  // ---- the way itself -----------------------------------------------------------------------------------------------------

  lostWithSocket(): void {
    this.strike("message-lost");
  }

  /** After some delay of this network. */
  later(run: () => void): void {
    this.clock.after(this.delay(), run);
  }

  delay(): number {
    return this.random.between(...this.delaysMs);
  }

  private strikes(kind: keyof Shares): boolean {
    const share = this.shares[kind];
    if (share === undefined || !this.random.chance(share)) return false;
    this.strike(kind);
    return true;
  }

  private lines(end: End): { up: Line; down: Line } | undefined {
    if (this.lineMbit === undefined) return undefined;
    let lines = this.lineByEnd.get(end);
    if (lines === undefined) {
      const [up, down] = this.lineMbit(end);
      lines = { up: new Line(up), down: new Line(down) };
      this.lineByEnd.set(end, lines);
    }
    return lines;
  }

  private carry(from: End, to: End, bytes: number, deliver: () => void, order?: Order, lateMs = 0): void {
    const held = this.heldByWay.size > 0 ? this.heldByWay.get(`${from}>${to}`) : undefined;
    if (held !== undefined) {
      this.strike("one-way");
      held.push(() => this.carry(from, to, bytes, deliver, order, lateMs));
      return;
    }
    const { clock } = this;
    let at = (this.lines(from)?.up.take(clock.now, bytes) ?? clock.now) + this.delay() + lateMs;
    if (order !== undefined) {
      at = Math.max(at, order.at);
      order.at = at;
    }
    const down = this.lines(to)?.down;
    clock.at(at, down === undefined ? deliver : () => clock.at(down.take(clock.now, bytes), deliver));
  }

  /** Portion by portion: the next leaves when the one before has left. */
  private bulk(from: End, to: End, bytes: number, moved: () => void, deliver: () => void): void {
    this.meter?.(from, to, "request", bytes, "request");
    const up = this.lines(from)?.up;
    if (up === undefined || bytes <= PORTION_BYTES) return this.carry(from, to, bytes, deliver);
    const order: Order = { at: 0 };
    const portion = (left: number): void => {
      const now = Math.min(left, PORTION_BYTES);
      this.carry(from, to, now, left > now ? moved : deliver, order);
      if (left > now) this.clock.at(up.freeAt, () => portion(left - now));
    };
    portion(bytes);
  }
}

const whatOf = (message: HostMessage | PeerMessage): string =>
  message.type === "entries" ? message.entries.map(({ type }) => type).join(", ") : message.type;

/** What a control socket tells its owners. */
export interface PeerSocketEnd {
  readonly hostMessage: (socket: Socket, message: HostMessage) => void;
  readonly socketClosed: (socket: Socket, reason: string) => void;
}
export interface HostSocketEnd {
  readonly peerMessage: (socket: Socket, message: PeerMessage) => void;
  readonly socketClosed: (socket: Socket, reason: string) => void;
}

/** One control socket: messages in order, none after a cut. */
export class Socket {
  open = true;
  readonly peer: End;
  private readonly network: Network;
  private readonly peerEnd: PeerSocketEnd;
  private readonly hostEnd: HostSocketEnd;
  private readonly up: Order = { at: 0 };
  private readonly down: Order = { at: 0 };

  constructor(network: Network, peerEnd: PeerSocketEnd, hostEnd: HostSocketEnd, peer: End) {
    this.network = network;
    this.peerEnd = peerEnd;
    this.hostEnd = hostEnd;
    this.peer = peer;
  }

  toPeer(message: HostMessage): void {
    if (!this.open) return;
    this.network.inOrder(HOST, this.peer, message, this.down, () => {
      if (this.open) this.peerEnd.hostMessage(this, message);
      else this.network.lostWithSocket();
    });
  }

  toHost(message: PeerMessage): void {
    if (!this.open) return;
    this.network.inOrder(this.peer, HOST, message, this.up, () => {
      if (this.open) this.hostEnd.peerMessage(this, message);
      else this.network.lostWithSocket();
    });
  }

  /** Both ends notice, each in its own time. */
  close(reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.network.later(() => this.hostEnd.socketClosed(this, reason));
    this.network.later(() => this.peerEnd.socketClosed(this, reason));
  }
}
