// The control line to the host: one WebSocket that is opened again whenever it breaks. Runs in the worker.
//
//   connecting -> challenge -> hello (signed) -> welcome -> open: messages both ways -> closed -> (backoff) connecting -> ...
//                                             -> refuse: final, unless waiting can help (rate, slot-taken, full)
//
// Two kinds of host speak alike: one with a run (welcome), and one that only passes signals (room; `--only signaling`).
//
// What cannot be sent because the line is down is not kept: the core hears of it (onClosed) and says again what still counts.
import {
  type HostMessage,
  type Identity,
  MESSAGE_BYTES_MAX,
  type PeerMessage,
  PROTOCOL_VERSION,
  parseHostMessage,
  parseRoomMessage,
  type RoomMessage,
  sign,
} from "#wire";

export type Welcome = Extract<HostMessage, { type: "welcome" }>;
export type RoomWelcome = Extract<RoomMessage, { type: "room" }>;
type Refusal = Extract<HostMessage, { type: "refuse" }>;
type Challenge = Extract<HostMessage, { type: "challenge" }>;

/** What a host says, sorted by what it means for the line; a text: why it means nothing. */
type Heard<Opening, Message> =
  | { means: "challenge"; nonce: string }
  | { means: "refuse"; code: Refusal["code"]; reason: string }
  | { means: "open"; opening: Opening }
  | { means: "message"; message: Message };
export type Dialect<Opening, Message> = (text: string) => Heard<Opening, Message> | string;

const handshake = (message: Challenge | Refusal) =>
  message.type === "challenge"
    ? ({ means: "challenge", nonce: message.nonce } as const)
    : ({ means: "refuse", code: message.code, reason: message.message } as const);

export const hostDialect: Dialect<Welcome, HostMessage> = (text) => {
  const message = parseHostMessage(text);
  if (typeof message === "string") return message;
  if (message.type === "challenge" || message.type === "refuse") return handshake(message);
  return message.type === "welcome" ? { means: "open", opening: message } : { means: "message", message };
};

export const roomDialect: Dialect<RoomWelcome, RoomMessage> = (text) => {
  const message = parseRoomMessage(text);
  if (typeof message === "string") return message;
  if (message.type === "challenge" || message.type === "refuse") return handshake(message);
  return message.type === "room" ? { means: "open", opening: message } : { means: "message", message };
};

/** From opening the socket to the welcome. */
const HANDSHAKE_DEADLINE_MS = 10_000;
const BACKOFF_MIN_MS = 500;
/** A host that comes back is noticed within 15 s; a thousand peers then make 70 connections a second. */
const BACKOFF_MAX_MS = 15_000;
/** Beyond this, what is only for display (progress, links) is dropped. */
const DISPLAY_QUEUE_BYTES_MAX = 64 * 1024;
/** Beyond this the line is dead: all control messages of an hour are less. */
const QUEUE_BYTES_MAX = 4 * 2 ** 20;
/** A socket that has bytes to send and gets none out for so long leads nowhere (TCP itself may take a quarter of an hour to say so). */
const STALLED_MS = 20_000;
const CHECK_EVERY_MS = 5_000;
/** As the schema has it. */
const REASON_LENGTH_MAX = 400;
/** Waiting may help: the host forgets the other tab or the old connection soon. */
const retryable: ReadonlySet<Refusal["code"]> = new Set(["rate", "slot-taken", "full"]);

/** The part of WebSocket that is used; tests fake it. */
export interface SocketLike {
  readonly bufferedAmount: number;
  send(text: string): void;
  close(): void;
}

/** What a socket tells: nothing after onClose. */
export interface SocketEvents {
  onMessage(data: unknown): void;
  onClose(): void;
}

export function openWebSocket(url: string, { onMessage, onClose }: SocketEvents): SocketLike {
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => onMessage(data);
  socket.onclose = () => onClose();
  return socket;
}

/** Time and chance, so that tests own both. */
export interface Scheduler {
  now(): number;
  /** Returns what cancels it. */
  after(ms: number, run: () => void): () => void;
  random(): number; // [0, 1)
}

export interface SignalingOptions<Opening, Message> {
  readonly url: string;
  readonly dialect: Dialect<Opening, Message>;
  readonly run: () => string; //         a run's id, or "default"
  readonly identity: Identity;
  readonly slot: number;
  readonly name: () => string;
  readonly build: string;
  /** The code of an invitation link. */
  readonly invite?: string | undefined;
  readonly adapter: Extract<PeerMessage, { type: "hello" }>["adapter"];
  readonly openSocket: (url: string, events: SocketEvents) => SocketLike;
  readonly scheduler: Scheduler;
  readonly onOpen: (opening: Opening) => void;
  readonly onMessage: (message: Message) => void;
  /** The line broke, or could not be opened; it is tried again. */
  readonly onClosed: (reason: string) => void;
  /** Final: no further attempt. */
  readonly onRefused: (code: Refusal["code"], message: string) => void;
}

export class Signaling<Opening, Message> {
  readonly #options: SignalingOptions<Opening, Message>;
  #socket: SocketLike | undefined;
  #state: "closed" | "handshake" | "open" | "ended" = "closed";
  #attempts = 0;
  #cancelTimer: () => void = () => {};
  #drainedAt = 0;

  constructor(options: SignalingOptions<Opening, Message>) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  start(): void {
    if (this.#state === "closed" && !this.#socket) this.#connect();
  }

  /** Tries at once when it waits for the next attempt: the browser says that it is online again. */
  nudge(): void {
    if (this.#state !== "closed") return;
    this.#cancelTimer();
    this.#connect();
  }

  /** False when the line is down or the message is only for display and the line is slow: it was dropped. */
  send(message: PeerMessage): boolean {
    const socket = this.#socket;
    if (this.#state !== "open" || !socket) return false;
    const forDisplay = message.type === "progress" || message.type === "links";
    if (forDisplay && socket.bufferedAmount > DISPLAY_QUEUE_BYTES_MAX) return false;
    const text = JSON.stringify(message);
    if (text.length > MESSAGE_BYTES_MAX)
      throw new RangeError(`a ${message.type} message of ${text.length} bytes: the host takes ${MESSAGE_BYTES_MAX}`);
    if (socket.bufferedAmount > QUEUE_BYTES_MAX) {
      this.#broken(socket, "the line to the host does not drain");
      return false;
    }
    socket.send(text);
    return true;
  }

  /** Says goodbye and stays closed. */
  stop(reason: string): void {
    this.send({ type: "bye", reason: reason.slice(0, REASON_LENGTH_MAX) });
    this.#state = "ended";
    this.#cancelTimer();
    this.#close();
  }

  #connect(): void {
    this.#attempts++;
    this.#state = "handshake";
    let socket: SocketLike;
    try {
      socket = this.#options.openSocket(this.#options.url, {
        onMessage: (data) => {
          if (this.#socket === socket) this.#receive(socket, data);
        },
        onClose: () => this.#broken(socket, "the host closed the line or is gone"),
      });
    } catch (error) {
      this.#retry(`the host's address does not open: ${String(error)}`);
      return;
    }
    this.#socket = socket;
    this.#cancelTimer = this.#options.scheduler.after(HANDSHAKE_DEADLINE_MS, () =>
      this.#broken(socket, `the host did not answer within ${HANDSHAKE_DEADLINE_MS} ms`),
    );
  }

  #receive(socket: SocketLike, data: unknown): void {
    const heard = typeof data === "string" ? this.#options.dialect(data) : "binary data";
    if (typeof heard === "string") {
      this.#broken(socket, `the host sent what this page does not understand (${heard}): reload the page`);
      return;
    }
    switch (heard.means) {
      case "challenge":
        if (this.#state === "handshake") this.#hello(socket, heard.nonce);
        return;
      case "refuse":
        this.#refused(socket, heard.code, heard.reason);
        return;
      case "open":
        // A cluster of hosts says it again on the open line when another one of them orders the run from now on. [R52]
        if (this.#state === "open") return this.#options.onOpen(heard.opening);
        if (this.#state !== "handshake") return;
        this.#state = "open";
        this.#attempts = 0;
        this.#cancelTimer();
        this.#drainedAt = this.#options.scheduler.now();
        this.#watch(socket);
        this.#options.onOpen(heard.opening);
        return;
      case "message":
        if (this.#state === "open") this.#options.onMessage(heard.message);
    }
  }

  #hello(socket: SocketLike, nonce: string): void {
    const { identity, slot, name, build, adapter, invite } = this.#options;
    const run = this.#options.run();
    const hello: PeerMessage = {
      type: "hello",
      protocolMin: PROTOCOL_VERSION,
      protocolMax: PROTOCOL_VERSION,
      build,
      run,
      volunteer: identity.volunteer,
      slot,
      name: name(),
      adapter,
      signature: sign(identity, "gossamer hello v1", [nonce, run, slot]),
      ...(invite === undefined ? {} : { invite }),
    };
    socket.send(JSON.stringify(hello));
  }

  #refused(socket: SocketLike, code: Refusal["code"], message: string): void {
    if (retryable.has(code)) {
      this.#broken(socket, message);
      return;
    }
    this.#state = "ended";
    this.#cancelTimer();
    this.#close();
    this.#options.onRefused(code, message);
  }

  /** The browser hides WebSocket pings, so liveness is judged by our own bytes leaving; progress is sent every few seconds. */
  #watch(socket: SocketLike): void {
    this.#cancelTimer = this.#options.scheduler.after(CHECK_EVERY_MS, () => {
      if (this.#socket !== socket) return;
      const now = this.#options.scheduler.now();
      if (socket.bufferedAmount === 0) this.#drainedAt = now;
      if (now - this.#drainedAt >= STALLED_MS) this.#broken(socket, "nothing reaches the host any more");
      else this.#watch(socket);
    });
  }

  #broken(socket: SocketLike, reason: string): void {
    if (this.#socket !== socket || this.#state === "ended") return;
    this.#cancelTimer();
    this.#close();
    this.#retry(reason);
  }

  #retry(reason: string): void {
    this.#state = "closed";
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.#attempts - 1));
    // Full jitter, but never at once: after a restart of the host a thousand peers must not come in one second.
    const waitMs = Math.max(BACKOFF_MIN_MS, ceiling * this.#options.scheduler.random());
    this.#cancelTimer = this.#options.scheduler.after(waitMs, () => this.#connect());
    this.#options.onClosed(reason);
  }

  #close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(); // what it still tells is ignored: it is not #socket any more
  }
}
