// The WebSocket /signal: who is there, checked by signature, and messages between them, the run, and each other.
//
//   upgrade (origin, limits) -> challenge -> hello -> welcome | refuse -> messages, relayed or given to the room -> bye | close
//
// What a room does with messages is its own affair (run-room.ts: a run; relay-room.ts: signaling alone).
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import {
  type HostMessage,
  type IceServers,
  MESSAGE_BYTES_MAX,
  type Member,
  type PeerId,
  type PeerMessage,
  PROTOCOL_VERSION,
  parsePeerMessage,
  peerIdOf,
  protocolRangeOf,
  ROSTER_MAX,
  type RoomMessage,
  reasonByCode,
  type refusalCodes,
  type VolunteerId,
  verify,
  volunteerOf,
} from "#wire";
import { addressOf, limitKeyOf } from "./arrival.ts";
import { FanOut } from "./fan-out.ts";
import { PairBudgets } from "./pair-budgets.ts";
import { type RateLimit, TokenBucket, TokenBuckets } from "./rate.ts";
import { endAndClose } from "./server.ts";
import { ICE_RENEW_MS } from "./turn.ts";

export type RefusalCode = (typeof refusalCodes)[number];
export type Hello = Extract<PeerMessage, { type: "hello" }>;
type Outgoing = HostMessage | RoomMessage;

/** Takes the members of one run; the server below owns their sockets. */
export interface Room {
  readonly run: string;
  /** Why this peer may not come in, or undefined. */
  refusal(hello: Hello): { code: RefusalCode; message: string } | undefined;
  /** Undefined: it comes later, by `send`; until then the peer waits. */
  welcome(peer: PeerId, session: string, iceServers: IceServers): Outgoing | undefined;
  connected(member: Member, hello: Hello, session: string): void;
  disconnected(peer: PeerId, reason: string): void;
  /** Whether signals go from one to the other. [R25] */
  mayReach(from: PeerId, to: PeerId): boolean;
  /** Everything but hello and the signals that are relayed. */
  message(from: PeerId, message: PeerMessage): void;
}

export interface SignalLimits {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly helloDeadlineMs: number;
  readonly pingEveryMs: number;
  readonly silenceMaxMs: number;
  readonly iceRenewMs: number;
  readonly messages: RateLimit;
  readonly bytes: RateLimit;
  /** Of all sockets of one volunteer, also of those that came one after the other. */
  readonly volunteerMessages: RateLimit;
  readonly volunteerBytes: RateLimit;
}

const signalLimits: SignalLimits = {
  connectionsMax: ROSTER_MAX + 1_024, // everybody whom a roster may name, and as many who say hello, or hear that there is no room
  connectionsPerAddressMax: 256, //   a school behind one address; a flood stops here
  helloDeadlineMs: 10_000,
  pingEveryMs: 3_000,
  silenceMaxMs: 10_000, //            three pings: a laptop that closed is noticed before the round's deadline
  iceRenewMs: ICE_RENEW_MS,
  // Joining 24 peers sends some 300 candidates at once; after that a peer says a few things a second.
  messages: { perSecond: 100, burst: 1_000 },
  bytes: { perSecond: 512 * 1024, burst: 4 * 1024 * 1024 },
  // A machine with four GPUs donates from four slots, and each may connect anew a few times in a minute.
  volunteerMessages: { perSecond: 400, burst: 8_000 },
  volunteerBytes: { perSecond: 2 * 2 ** 20, burst: 32 * 2 ** 20 },
};

/** Pings of one interval go out in so many parts: all at once they would hold everybody's messages up, with 10,000 peers for 0.2 s. */
const BEAT_PARTS = 30;

/** Volunteers whose messages are counted, also while none of their sockets is open. */
const VOLUNTEERS_MAX = 2 * ROSTER_MAX;

/** A reader this far behind gets nothing any more; it may come back and read the log. */
const QUEUE_BYTES_MAX = 8 * 1024 * 1024;

/** For the other side's half of the closing handshake. */
const CLOSE_WAIT_MS = 2_000;

interface Session {
  readonly socket: WebSocket;
  readonly address: string;
  readonly pairs: PairBudgets;
  readonly messages: TokenBucket;
  readonly bytes: TokenBucket;
  readonly hostName: string;
  readonly part: number; //      of the interval, in which it is pinged
  heardAt: number;
  iceAt: number; //              when it was last told of ICE servers
  peer: PeerId | undefined; //   after hello
  room: Room | undefined;
  token: string | undefined;
  /** Set when somebody has decided why this connection ends. */
  leaving: string | undefined;
}

/** Who may come in at all, whatever the run: access/access.ts. */
interface Gate {
  refusalOf(hello: Hello): { code: RefusalCode; message: string } | undefined;
  joined(hello: Hello): void;
}

interface SignalObserver {
  refused(code: RefusalCode): void;
  /** A signal was given to its receiver's socket so long after it came. */
  relayed(ms: number): void;
}

export interface SignalOptions {
  readonly observer?: SignalObserver | undefined;
  /** Undefined: anybody. */
  readonly gate?: Gate | undefined;
  /** The room of a hello's run ("default" or an id), or undefined. */
  readonly roomOf: (run: string) => Room | undefined;
  /** Name or address under which this client reached us: our STUN is advertised under the same. */
  readonly hostNameOf: (request: IncomingMessage) => string;
  readonly iceServers: (peer: PeerId, hostName: string) => IceServers;
  /** A session is over, and what was opened with its token. */
  readonly sessionEnded?: (token: string) => void;
  readonly limits?: Partial<SignalLimits>;
}

const now = (): number => performance.now();
type ProtocolRange = NonNullable<ReturnType<typeof protocolRangeOf>>;
const speaks = ({ min, max }: ProtocolRange): boolean => min <= PROTOCOL_VERSION && PROTOCOL_VERSION <= max;
const memberKey = (run: string, peer: PeerId): string => `${run} ${peer}`;

/** What a WebSocket's closing code says: 1001 comes from a browser whose page went away, 1009 from ws itself. */
const reasonByClose: Readonly<Record<number, string>> = {
  1001: reasonByCode["page-closed"],
  1009: reasonByCode["too-large"],
};

export class SignalServer {
  readonly #options: SignalOptions;
  readonly #limits: SignalLimits;
  readonly #server: WebSocketServer;
  readonly #sessions = new Set<Session>();
  readonly #byMember = new Map<string, Session>(); // key: run and peer
  readonly #byToken = new Map<string, Session>();
  readonly #countByAddress = new Map<string, number>();
  readonly #messagesByVolunteer: TokenBuckets;
  readonly #bytesByVolunteer: TokenBuckets;
  readonly #fanOut = new FanOut<Session>((session, text) => this.#writeText(session, text));
  readonly #heartbeat: NodeJS.Timeout;
  #beatAt = now();
  #part = 0;
  #accepted = 0;

  constructor(options: SignalOptions) {
    this.#options = options;
    this.#limits = { ...signalLimits, ...options.limits };
    this.#messagesByVolunteer = new TokenBuckets(this.#limits.volunteerMessages, VOLUNTEERS_MAX);
    this.#bytesByVolunteer = new TokenBuckets(this.#limits.volunteerBytes, VOLUNTEERS_MAX);
    // Compression of small messages costs memory per connection and gains nothing.
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      clientTracking: false,
    });
    this.#heartbeat = setInterval(() => this.#beat(), this.#limits.pingEveryMs / BEAT_PARTS);
    this.#heartbeat.unref();
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** @param refusal why a page of that origin may not come in: it is told, and never challenged */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer, refusal?: string): void {
    const address = limitKeyOf(addressOf(request));
    const count = this.#countByAddress.get(address) ?? 0;
    if (this.#sessions.size >= this.#limits.connectionsMax || count >= this.#limits.connectionsPerAddressMax) {
      return endAndClose(stream, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 10\r\n\r\n");
    }
    const hostName = this.#options.hostNameOf(request);
    this.#server.handleUpgrade(request, stream, head, (socket) => this.#accept(socket, address, hostName, refusal));
  }

  #accept(socket: WebSocket, address: string, hostName: string, refusal: string | undefined): void {
    const at = now();
    const session: Session = {
      socket,
      address,
      pairs: new PairBudgets(),
      messages: new TokenBucket(this.#limits.messages, at),
      bytes: new TokenBucket(this.#limits.bytes, at),
      hostName,
      part: this.#accepted++ % BEAT_PARTS,
      heardAt: at,
      iceAt: at,
      peer: undefined,
      room: undefined,
      token: undefined,
      leaving: undefined,
    };
    this.#sessions.add(session);
    this.#countByAddress.set(address, (this.#countByAddress.get(address) ?? 0) + 1);
    const nonce = randomBytes(32).toString("hex");
    const helloTimer = setTimeout(() => {
      if (session.peer === undefined) this.#refuse(session, "invalid", "No hello came in time.");
    }, this.#limits.helloDeadlineMs);
    socket.on("message", (data, isBinary) => {
      session.heardAt = now();
      if (session.leaving === undefined) this.#receive(session, data, isBinary, nonce);
    });
    socket.on("pong", () => {
      session.heardAt = now();
    });
    socket.on("error", () => undefined); // a close always follows
    socket.on("close", (code) => {
      clearTimeout(helloTimer);
      this.#forget(session, session.leaving ?? reasonByClose[code] ?? reasonByCode["connection-closed"]);
    });
    if (refusal !== undefined) return this.#refuse(session, "origin", refusal);
    this.#write(session, { type: "challenge", nonce });
  }

  #receive(session: Session, data: RawData, isBinary: boolean, nonce: string): void {
    const bytes = (data as Buffer).length; // one Buffer: ws's default binaryType
    if (!this.#mayGoOn(session, bytes))
      return this.#refuse(session, "rate", "Too many messages or bytes in a short time.");
    const message = isBinary ? "binary data on the control line" : parsePeerMessage((data as Buffer).toString("utf8"));
    if (typeof message === "string") {
      const range =
        session.peer === undefined && !isBinary ? protocolRangeOf((data as Buffer).toString("utf8")) : undefined;
      if (range !== undefined && !speaks(range)) return this.#refuseVersion(session, range);
      return this.#refuse(session, "invalid", message);
    }
    if (session.peer === undefined || session.room === undefined) {
      if (message.type !== "hello") return this.#refuse(session, "invalid", `${message.type} before hello`);
      return this.#hello(session, message, nonce);
    }
    switch (message.type) {
      case "hello":
        return this.#refuse(session, "invalid", "a second hello");
      case "signal":
        return this.#relay(session.room, session.peer, message);
      case "bye":
        session.room.message(session.peer, message);
        return this.#close(session, message.reason || "left", 1000);
      default:
        return session.room.message(session.peer, message);
    }
  }

  #mayGoOn({ messages, bytes, peer, heardAt }: Session, length: number): boolean {
    if (!messages.take(1, heardAt) || !bytes.take(length, heardAt)) return false;
    if (peer === undefined) return true;
    const volunteer = volunteerOf(peer);
    return (
      this.#messagesByVolunteer.take(volunteer, 1, heardAt) && this.#bytesByVolunteer.take(volunteer, length, heardAt)
    );
  }

  #hello(session: Session, hello: Hello, nonce: string): void {
    const range = { min: hello.protocolMin, max: hello.protocolMax };
    if (!speaks(range)) return this.#refuseVersion(session, range);
    const room = this.#options.roomOf(hello.run);
    if (room === undefined) return this.#refuse(session, "run-unknown", `This host does not serve run ${hello.run}.`);
    if (!verify(hello.volunteer, "gossamer hello v1", [nonce, hello.run, hello.slot], hello.signature))
      return this.#refuse(session, "signature", "The hello is not signed by the volunteer's key.");
    const refusal = this.#options.gate?.refusalOf(hello) ?? room.refusal(hello);
    if (refusal !== undefined) return this.#refuse(session, refusal.code, refusal.message);

    const peer = peerIdOf(hello.volunteer, hello.slot);
    const key = memberKey(room.run, peer);
    const old = this.#byMember.get(key);
    if (old !== undefined) {
      // A reload whose old connection has not died yet: the newcomer proved the same key.
      this.#refuse(old, "superseded", "The same volunteer and slot connected again.");
      this.#forget(old, "superseded by a new connection");
    }
    session.peer = peer;
    session.room = room;
    session.token = randomBytes(32).toString("hex");
    this.#byMember.set(key, session);
    this.#byToken.set(session.token, session);
    const welcome = room.welcome(peer, session.token, this.#options.iceServers(peer, session.hostName));
    if (welcome !== undefined) this.#write(session, welcome);
    this.#options.gate?.joined(hello);
    room.connected({ peer, name: hello.name, adapter: hello.adapter }, hello, session.token);
  }

  #refuseVersion(session: Session, { min, max }: ProtocolRange): void {
    const message = `This host speaks protocol ${PROTOCOL_VERSION}; this page ${min} to ${max}. Reload the page.`;
    this.#refuse(session, "version", message);
  }

  #relay(room: Room, from: PeerId, message: Extract<PeerMessage, { type: "signal" }>): void {
    if (!room.mayReach(from, message.to)) return room.message(from, message);
    const sender = this.#byMember.get(memberKey(room.run, from));
    if (!sender?.pairs.take(message.to, message.data.length, now())) return; // dropped, as on a bad line: the attempt is made again
    this.send(room.run, message.to, { type: "signal", from, data: message.data });
    this.#options.observer?.relayed(now() - sender.heardAt);
  }

  /** The peer behind a session's bearer token. */
  peerOfToken(token: string): { run: string; peer: PeerId } | undefined {
    const session = this.#byToken.get(token);
    return session?.peer !== undefined && session.room !== undefined
      ? { run: session.room.run, peer: session.peer }
      : undefined;
  }

  send(run: string, to: PeerId, message: Outgoing): void {
    const session = this.#byMember.get(memberKey(run, to));
    if (session !== undefined) this.#write(session, message);
  }

  broadcast(run: string, message: Outgoing, except?: PeerId): void {
    const all = [...this.#byMember.values()];
    this.#fanOut.send(
      all.filter(({ room, peer }) => room?.run === run && peer !== except),
      JSON.stringify(message),
    );
  }

  /** For a welcome that comes later. */
  iceServersOf(run: string, peer: PeerId): IceServers {
    const session = this.#byMember.get(memberKey(run, peer));
    return session === undefined ? [] : this.#options.iceServers(peer, session.hostName);
  }

  disconnect(run: string, peer: PeerId, code: RefusalCode, message: string): void {
    const session = this.#byMember.get(memberKey(run, peer));
    if (session !== undefined) this.#refuse(session, code, message);
  }

  /** Nobody can be in that room any more. */
  closeRoom(run: string, code: RefusalCode, message: string): void {
    for (const session of [...this.#byMember.values()])
      if (session.room?.run === run) this.#refuse(session, code, message);
  }

  /** In every slot and run. */
  disconnectVolunteer(volunteer: VolunteerId, code: RefusalCode, message: string): void {
    for (const session of this.#byMember.values())
      if (session.peer !== undefined && volunteerOf(session.peer) === volunteer) this.#refuse(session, code, message);
  }

  #write(session: Session, message: Outgoing): void {
    this.#fanOut.flush(session);
    this.#writeText(session, JSON.stringify(message));
  }

  #writeText(session: Session, text: string): void {
    if (session.socket.readyState !== session.socket.OPEN) return;
    if (session.socket.bufferedAmount > QUEUE_BYTES_MAX) {
      session.leaving ??= "does not read what it is sent";
      return session.socket.terminate();
    }
    session.socket.send(text);
  }

  #refuse(session: Session, code: RefusalCode, message: string): void {
    this.#options.observer?.refused(code);
    this.#write(session, { type: "refuse", code, message: message.slice(0, 400) });
    this.#close(session, message, 1008);
  }

  #close(session: Session, reason: string, code: number): void {
    session.leaving ??= reason;
    this.#fanOut.flush(session);
    session.socket.close(code);
    setTimeout(() => session.socket.terminate(), CLOSE_WAIT_MS).unref();
  }

  /** Once per session: it is out of the tables, and its room hears why. */
  #forget(session: Session, reason: string): void {
    if (!this.#sessions.delete(session)) return;
    this.#fanOut.forget(session);
    const count = (this.#countByAddress.get(session.address) ?? 1) - 1;
    if (count > 0) this.#countByAddress.set(session.address, count);
    else this.#countByAddress.delete(session.address);
    if (session.token !== undefined) {
      this.#byToken.delete(session.token);
      this.#options.sessionEnded?.(session.token);
    }
    if (session.peer === undefined || session.room === undefined) return;
    this.#byMember.delete(memberKey(session.room.run, session.peer));
    session.room.disconnected(session.peer, reason.slice(0, 400));
  }

  /** A socket that is silent for three pings is dead, whatever TCP still believes. */
  #beat(): void {
    const at = now();
    // A host that was itself asleep or busy heard nobody: that time counts against no one.
    const lateMs = Math.max(0, at - this.#beatAt - 2 * this.#limits.pingEveryMs);
    this.#beatAt = at;
    if (lateMs > 0) for (const session of this.#sessions) session.heardAt += lateMs;
    this.#part = (this.#part + 1) % BEAT_PARTS;
    for (const session of this.#sessions) {
      if (session.part !== this.#part) continue;
      if (at - session.heardAt > this.#limits.silenceMaxMs) {
        session.leaving ??= "no sign of life";
        session.socket.terminate();
        this.#forget(session, session.leaving);
      } else if (session.socket.readyState === session.socket.OPEN) {
        session.socket.ping();
        this.#renewIce(session, at);
      }
    }
  }

  #renewIce(session: Session, at: number): void {
    if (session.peer === undefined || at - session.iceAt < this.#limits.iceRenewMs) return;
    session.iceAt = at;
    this.#write(session, { type: "ice", iceServers: this.#options.iceServers(session.peer, session.hostName) });
  }

  /** Tells every peer that the host goes away (close code 1001), so that they wait instead of wondering. */
  close(): void {
    clearInterval(this.#heartbeat);
    for (const session of this.#sessions) this.#close(session, "the host stops", 1001);
    this.#server.close();
  }

  /** For those that do not answer the close. */
  terminate(): void {
    for (const session of this.#sessions) session.socket.terminate();
  }
}
