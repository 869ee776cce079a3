// The WebSocket /relay: frames of pairs that no direct connection reaches, passed from one to the other unread.
//
//   upgrade (limits) -> hello (a session's token) -> ask, ask of the other end -> open, open -> frames -> leave | close
//
// Bytes are paced, per peer and in all, by not reading from who sends too much: its own acknowledged window does the rest. [R43]
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import {
  decodeRelay,
  decodeRelayHello,
  encodeRelay,
  type PeerId,
  RELAY_MESSAGE_BYTES_MAX,
  type RelayMessage,
  WINDOW_BYTES,
} from "#wire";
import { addressOf, limitKeyOf } from "./arrival.ts";
import { Pacer, type RateLimit, TokenBucket } from "./rate.ts";
import { endAndClose } from "./server.ts";

/** As many as /signal takes: each of its sessions may have one. */
const SEATS_MAX = 2048;
/** A school behind one address, as for /signal. */
const SEATS_PER_ADDRESS_MAX = 256;
const HELLO_DEADLINE_MS = 10_000;
/** Twice the neighbours of a peer: old and new ones while the mesh changes. */
const ASKS_MAX = 16;
/** Asking and leaving: all neighbours at once, then again with growing pauses. */
const asking: RateLimit = { perSecond: 10, burst: 64 };
/** Unsent bytes of one pair, one way: its window once more for what no window counts (pings, wants). More is a sender that ignores it. */
const PAIR_QUEUE_BYTES_MAX = 2 * WINDOW_BYTES;
/** Unsent bytes in all: from here on nobody is read until some are gone. */
const QUEUE_BYTES_MAX = 64 * 2 ** 20;
const FULL_WAIT_MS = 50;
/** Reading stops for no shorter than this: timers round, and sockets are read in blocks of 64 KiB. */
const PAUSE_MIN_MS = 20;
/** One peer may take this part of the whole rate. */
const PEER_SHARE = 0.5;

interface Seat {
  readonly socket: WebSocket;
  readonly address: string;
  readonly asked: Set<PeerId>;
  readonly queuedByPeer: Map<PeerId, number>; // bytes handed to the other end's socket and not yet written there
  readonly pacer: Pacer;
  readonly asks: TokenBucket;
  key: string | undefined; //   after hello: run and peer
  run: string;
  peer: PeerId;
  token: string;
  resume: NodeJS.Timeout | undefined;
}

export interface RelayMeter {
  readonly links: number; // open ones
  readonly bytes: number; // of frames, since the start
}

export interface RelayOptions {
  readonly mbit: number;
  /** False: nobody new is relayed. */
  readonly isOpen?: () => boolean;
  readonly peerOfToken: (token: string) => { run: string; peer: PeerId } | undefined;
}

const now = (): number => performance.now();
const keyOf = (run: string, peer: PeerId): string => `${run} ${peer}`;

export class RelayServer {
  readonly #options: RelayOptions;
  readonly #bytesPerSecond: number;
  readonly #pacer: Pacer;
  readonly #server: WebSocketServer;
  readonly #seats = new Set<Seat>();
  readonly #seatByKey = new Map<string, Seat>();
  readonly #seatByToken = new Map<string, Seat>();
  readonly #countByAddress = new Map<string, number>();
  #queuedBytes = 0;
  #bytes = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#bytesPerSecond = (options.mbit * 1e6) / 8;
    this.#pacer = new Pacer(this.#bytesPerSecond, now());
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: RELAY_MESSAGE_BYTES_MAX,
      perMessageDeflate: false, // updates do not shrink
      clientTracking: false,
    });
  }

  meter(): RelayMeter {
    let ends = 0;
    for (const seat of this.#seats) for (const peer of seat.asked) if (this.#otherEnd(seat, peer)) ends++;
    return { links: ends / 2, bytes: this.#bytes };
  }

  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    if (this.#options.isOpen?.() === false)
      return endAndClose(stream, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 3600\r\n\r\n");
    const address = limitKeyOf(addressOf(request));
    const count = this.#countByAddress.get(address) ?? 0;
    if (this.#seats.size >= SEATS_MAX || count >= SEATS_PER_ADDRESS_MAX)
      return endAndClose(stream, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 10\r\n\r\n");
    this.#server.handleUpgrade(request, stream, head, (socket) => this.#accept(socket, address));
  }

  /** The control line with that token is gone: its peer is not here any more. */
  sessionEnded(token: string): void {
    const seat = this.#seatByToken.get(token);
    if (seat !== undefined) this.#end(seat, "the session ended");
  }

  /** Nobody is relayed any more. */
  endAll(reason: string): void {
    for (const seat of [...this.#seats]) this.#end(seat, reason);
  }

  terminate(): void {
    this.endAll("the host stops");
    this.#server.close();
  }

  #accept(socket: WebSocket, address: string): void {
    const at = now();
    const seat: Seat = {
      socket,
      address,
      asked: new Set(),
      queuedByPeer: new Map(),
      pacer: new Pacer(this.#bytesPerSecond * PEER_SHARE, at),
      asks: new TokenBucket(asking, at),
      key: undefined,
      run: "",
      peer: "",
      token: "",
      resume: undefined,
    };
    this.#seats.add(seat);
    this.#countByAddress.set(address, (this.#countByAddress.get(address) ?? 0) + 1);
    const helloTimer = setTimeout(() => {
      if (seat.key === undefined) this.#end(seat, "no hello came in time");
    }, HELLO_DEADLINE_MS);
    helloTimer.unref();
    socket.on("message", (data, isBinary) => {
      if (this.#seats.has(seat)) this.#receive(seat, data as Buffer, isBinary); // one Buffer: ws's default binaryType
    });
    socket.on("error", () => undefined); // a close always follows
    socket.on("close", () => {
      clearTimeout(helloTimer);
      this.#end(seat, "closed");
    });
  }

  #receive(seat: Seat, data: Buffer, isBinary: boolean): void {
    if (seat.key === undefined)
      return this.#hello(seat, isBinary ? undefined : decodeRelayHello(data.toString("utf8")));
    const message = isBinary ? decodeRelay(data) : undefined;
    if (message === undefined) return this.#end(seat, "a message that does not decode");
    if (message.kind === "frame") return this.#frame(seat, message);
    if (!seat.asks.take(1, now())) return this.#end(seat, "asks too often");
    if (message.kind === "ask") this.#ask(seat, message.peer);
    else this.#leave(seat, message.peer);
  }

  #hello(seat: Seat, token: string | undefined): void {
    const member = token === undefined ? undefined : this.#options.peerOfToken(token);
    if (token === undefined || member === undefined) return this.#end(seat, "no session of this host");
    const key = keyOf(member.run, member.peer);
    const old = this.#seatByKey.get(key);
    if (old !== undefined) this.#end(old, "the same peer opened another relay");
    Object.assign(seat, { ...member, key, token });
    this.#seatByKey.set(key, seat);
    this.#seatByToken.set(token, seat);
  }

  /** The other end, when it has asked for this one as well. */
  #otherEnd(seat: Seat, peer: PeerId): Seat | undefined {
    const other = this.#seatByKey.get(keyOf(seat.run, peer));
    return seat.asked.has(peer) && other?.asked.has(seat.peer) ? other : undefined;
  }

  #ask(seat: Seat, peer: PeerId): void {
    if (seat.asked.has(peer)) return;
    if (seat.asked.size >= ASKS_MAX || peer === seat.peer) return seat.socket.send(encodeRelay("leave", peer));
    seat.asked.add(peer);
    const other = this.#otherEnd(seat, peer);
    if (other === undefined) return;
    seat.socket.send(encodeRelay("ask", peer));
    other.socket.send(encodeRelay("ask", seat.peer));
  }

  #leave(seat: Seat, peer: PeerId): void {
    const other = this.#otherEnd(seat, peer);
    seat.asked.delete(peer);
    if (other === undefined) return;
    other.asked.delete(seat.peer);
    other.socket.send(encodeRelay("leave", seat.peer));
  }

  #frame(seat: Seat, { peer, frame }: RelayMessage): void {
    this.#pace(seat, frame.length); // also what leads nowhere: reading it costs the same
    const other = this.#otherEnd(seat, peer);
    if (other === undefined) return; // it has just left, as this end will hear
    const queued = (seat.queuedByPeer.get(peer) ?? 0) + frame.length;
    if (queued > PAIR_QUEUE_BYTES_MAX) return this.#end(seat, "sends more than its window");
    seat.queuedByPeer.set(peer, queued);
    this.#queuedBytes += frame.length;
    this.#bytes += frame.length;
    other.socket.send(encodeRelay("frame", seat.peer, frame), () => {
      this.#queuedBytes -= frame.length;
      const left = (seat.queuedByPeer.get(peer) ?? 0) - frame.length;
      if (left > 0) seat.queuedByPeer.set(peer, left);
      else seat.queuedByPeer.delete(peer);
    });
  }

  #pace(seat: Seat, bytes: number): void {
    const at = now();
    const full = this.#queuedBytes > QUEUE_BYTES_MAX ? FULL_WAIT_MS : 0;
    const waitMs = Math.max(seat.pacer.spend(bytes, at), this.#pacer.spend(bytes, at), full);
    if (waitMs < PAUSE_MIN_MS || seat.resume !== undefined) return;
    seat.socket.pause();
    seat.resume = setTimeout(() => {
      seat.resume = undefined;
      seat.socket.resume();
    }, waitMs);
    seat.resume.unref();
  }

  #end(seat: Seat, reason: string): void {
    if (!this.#seats.delete(seat)) return;
    clearTimeout(seat.resume);
    for (const peer of [...seat.asked]) this.#leave(seat, peer);
    const count = (this.#countByAddress.get(seat.address) ?? 1) - 1;
    if (count > 0) this.#countByAddress.set(seat.address, count);
    else this.#countByAddress.delete(seat.address);
    if (seat.key !== undefined) this.#seatByKey.delete(seat.key);
    this.#seatByToken.delete(seat.token);
    seat.socket.close(1008, reason);
    seat.socket.resume(); // a paused socket would never see the other side's half of the closing
    setTimeout(() => seat.socket.terminate(), 2_000).unref();
  }
}
