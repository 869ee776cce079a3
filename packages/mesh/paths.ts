// One link per peer, whichever way its frames go: over a direct connection when there is one (the window's), else through the host's relay.
//
//   window: up, down, frame      relay line: up, down, frame      -> onLink(peer, up), onFrame
//   send(peer, frame) -> window, or relay
//
// When the way changes, what was asked on the old one may be lost: the link goes up anew. Frames of both ways are taken, so that
// what is still on the old one is judged by whoever asked for it.
import type { PeerId } from "#wire";
import type { LinkMeter } from "./links.ts";
import type { ToWindow } from "./port.ts";
import { RelayLine, type RelayLineOptions } from "./relay-line.ts";

export interface PathsOptions {
  readonly relay: Pick<RelayLineOptions, "url" | "session" | "openSocket" | "scheduler">;
  readonly toWindow: (message: ToWindow) => void;
  /** A link to this peer begins, or begins anew over another way. */
  readonly onUp: (peer: PeerId) => void;
  readonly onDown: (peer: PeerId) => void;
  readonly onFrame: (from: PeerId, frame: Uint8Array) => void;
  /** For the core, which decides about the ways. */
  readonly onPath: (change: { type: "link-up" | "link-down" | "relay-up" | "relay-down"; peer: PeerId }) => void;
}

export class Paths {
  readonly #options: PathsOptions;
  readonly #direct = new Set<PeerId>();
  readonly #relayed = new Set<PeerId>();
  readonly #relay: RelayLine;

  constructor(options: PathsOptions) {
    this.#options = options;
    this.#relay = new RelayLine({
      ...options.relay,
      onUp: (peer) => {
        this.#relayed.add(peer);
        if (!this.#direct.has(peer)) options.onUp(peer);
        options.onPath({ type: "relay-up", peer });
      },
      onDown: (peer) => this.#relayEnded(peer),
      onFrame: options.onFrame,
    });
  }

  directUp(peer: PeerId): void {
    this.#direct.add(peer);
    this.#options.onUp(peer);
    this.#options.onPath({ type: "link-up", peer });
  }

  /** Also for an attempt that never came up. */
  directDown(peer: PeerId): void {
    this.#directEnded(peer);
    this.#options.onPath({ type: "link-down", peer });
  }

  send(peer: PeerId, bytes: Uint8Array): void {
    if (this.#direct.has(peer)) this.#options.toWindow({ type: "frame", peer, bytes });
    else this.#relay.send(peer, bytes);
  }

  askRelay(peer: PeerId): void {
    this.#relay.ask(peer);
  }

  leaveRelay(peer: PeerId): void {
    this.#relay.leave(peer);
    if (this.#relayed.delete(peer) && !this.#direct.has(peer)) this.#options.onDown(peer);
  }

  /** The core gives up a direct attempt or link. */
  disconnect(peer: PeerId): void {
    this.#options.toWindow({ type: "close", peer, reason: "not needed" });
    this.#directEnded(peer);
  }

  /** The link that is in use is dead or its other end misbehaves. */
  close(peer: PeerId, reason: string): void {
    if (this.#direct.has(peer)) {
      this.#options.toWindow({ type: "close", peer, reason });
      this.directDown(peer);
    } else {
      this.#relay.leave(peer);
      this.#relayEnded(peer);
    }
  }

  /** The window's meters, and those of links that only the relay carries. */
  meters(direct: readonly LinkMeter[]): LinkMeter[] {
    const measured = new Set(direct.map(({ peer }) => peer));
    return [...direct, ...this.#relay.meters().filter(({ peer }) => !measured.has(peer))];
  }

  stop(reason: string): void {
    this.#relay.stop();
    this.#relayed.clear();
    this.#direct.clear();
    this.#options.toWindow({ type: "close-all", reason });
  }

  #directEnded(peer: PeerId): void {
    if (!this.#direct.delete(peer)) return;
    if (this.#relayed.has(peer)) this.#options.onUp(peer);
    else this.#options.onDown(peer);
  }

  #relayEnded(peer: PeerId): void {
    if (this.#relayed.delete(peer) && !this.#direct.has(peer)) this.#options.onDown(peer);
    this.#options.onPath({ type: "relay-down", peer });
  }
}
