// Relayed links: one WebSocket /relay to the host, beside the control line so that bulk bytes never hold that one up. Runs in the worker.
//
//   ask(peer) -> (the other end asks too) -> onUp -> send, onFrame -> leave(peer), or onDown(reason)
//
// The socket is there while somebody is asked for. When it breaks, all that was asked is down; whoever still needs it asks again.
import { decodeRelay, encodeRelay, encodeRelayHello, type PeerId } from "#wire";
import type { LinkMeter } from "./links.ts";
import type { Scheduler } from "./signaling.ts";

/** Name lookup, TCP and TLS on a bad line. */
const CONNECT_DEADLINE_MS = 10_000;
/** Sixteen links that fill their windows hold 4 MiB; a socket that holds more leads nowhere. */
const QUEUE_BYTES_MAX = 8 * 2 ** 20;

/** The part of a binary WebSocket that is used; tests fake it. */
export interface RelaySocket {
  readonly bufferedAmount: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(): void;
}

export interface RelaySocketEvents {
  onOpen(): void;
  onMessage(data: unknown): void;
  onClose(): void;
}

export function openRelaySocket(url: string, { onOpen, onMessage, onClose }: RelaySocketEvents): RelaySocket {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => onOpen();
  socket.onmessage = ({ data }) => onMessage(data);
  socket.onclose = () => onClose();
  return socket;
}

export interface RelayLineOptions {
  readonly url: string;
  /** The session that the host's last welcome named. */
  readonly session: () => string;
  readonly openSocket: (url: string, events: RelaySocketEvents) => RelaySocket;
  readonly scheduler: Pick<Scheduler, "after">;
  readonly onUp: (peer: PeerId) => void;
  readonly onDown: (peer: PeerId, reason: string) => void;
  readonly onFrame: (from: PeerId, frame: Uint8Array) => void;
}

interface Relayed {
  up: boolean;
  bytesSent: number;
  bytesReceived: number;
}

export class RelayLine {
  readonly #options: RelayLineOptions;
  readonly #relayedByPeer = new Map<PeerId, Relayed>();
  #socket: RelaySocket | undefined;
  #isOpen = false;
  #cancelDeadline: () => void = () => {};

  constructor(options: RelayLineOptions) {
    this.#options = options;
  }

  ask(peer: PeerId): void {
    if (this.#relayedByPeer.has(peer)) return;
    this.#relayedByPeer.set(peer, { up: false, bytesSent: 0, bytesReceived: 0 });
    if (this.#isOpen) this.#socket?.send(encodeRelay("ask", peer));
    else if (!this.#socket) this.#connect();
  }

  /** No onDown follows. */
  leave(peer: PeerId): void {
    if (!this.#relayedByPeer.delete(peer)) return;
    if (this.#relayedByPeer.size === 0) this.#close();
    else if (this.#isOpen) this.#socket?.send(encodeRelay("leave", peer));
  }

  /** False when there is no such link: the frame is dropped, its sender learns of the loss by onDown. */
  send(to: PeerId, frame: Uint8Array): boolean {
    const relayed = this.#relayedByPeer.get(to);
    const socket = this.#socket;
    if (!relayed?.up || !socket) return false;
    if (socket.bufferedAmount + frame.length > QUEUE_BYTES_MAX) {
      this.#broken(socket, `its queue passed ${QUEUE_BYTES_MAX} bytes`);
      return false;
    }
    socket.send(encodeRelay("frame", to, frame));
    relayed.bytesSent += frame.length;
    return true;
  }

  /** What open links moved since they opened: frames, both ways, as direct links count them. */
  meters(): LinkMeter[] {
    return [...this.#relayedByPeer]
      .filter(([, { up }]) => up)
      .map(([peer, { bytesSent, bytesReceived }]) => ({ peer, kind: "relayed", bytesSent, bytesReceived }));
  }

  /** No onDown follows. */
  stop(): void {
    this.#relayedByPeer.clear();
    this.#close();
  }

  #connect(): void {
    let socket: RelaySocket;
    try {
      socket = this.#options.openSocket(this.#options.url, {
        onOpen: () => {
          if (this.#socket !== socket) return;
          this.#cancelDeadline();
          this.#isOpen = true;
          socket.send(encodeRelayHello(this.#options.session()));
          for (const peer of this.#relayedByPeer.keys()) socket.send(encodeRelay("ask", peer));
        },
        onMessage: (data) => {
          if (this.#socket === socket) this.#receive(socket, data);
        },
        onClose: () => this.#broken(socket, "the host closed its relay or is gone"),
      });
    } catch (error) {
      this.#allDown(`the relay's address does not open: ${String(error)}`);
      return;
    }
    this.#socket = socket;
    this.#cancelDeadline = this.#options.scheduler.after(CONNECT_DEADLINE_MS, () =>
      this.#broken(socket, `the relay did not open within ${CONNECT_DEADLINE_MS} ms`),
    );
  }

  #receive(socket: RelaySocket, data: unknown): void {
    const message = data instanceof ArrayBuffer ? decodeRelay(new Uint8Array(data)) : undefined;
    if (!message) {
      this.#broken(socket, "the relay sent what this page does not understand");
      return;
    }
    const { kind, peer, frame } = message;
    const relayed = this.#relayedByPeer.get(peer);
    if (!relayed) return; // left meanwhile
    switch (kind) {
      case "ask":
        relayed.up = true;
        this.#options.onUp(peer);
        return;
      case "leave":
        this.leave(peer);
        this.#options.onDown(peer, "the other end left the relay");
        return;
      case "frame":
        if (!relayed.up) return;
        relayed.bytesReceived += frame.length;
        this.#options.onFrame(peer, frame);
    }
  }

  #broken(socket: RelaySocket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#close();
    this.#allDown(reason);
  }

  #allDown(reason: string): void {
    const peers = [...this.#relayedByPeer.keys()];
    this.#relayedByPeer.clear();
    for (const peer of peers) this.#options.onDown(peer, reason);
  }

  #close(): void {
    const socket = this.#socket;
    this.#cancelDeadline();
    this.#socket = undefined;
    this.#isOpen = false;
    socket?.close(); // what it still tells is ignored: it is not #socket any more
  }
}
