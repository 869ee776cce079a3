// Blobs from peer to peer over open links, and the heartbeat that tells which links live. Runs in the worker; knows links only through
// LinkPort and time only through its caller, so that it is tested with fake links and a fake clock.
//
//   fetch(name, bytes, sources) -> bytes, checked          fetching.ts
//   receive(from, frame) -> chunks of what is here         serving.ts
//   tick() -> timeouts, pings, dead links                  call it every TICK_MS
import { decodeFrame, encodeFrame, type Frame, type PeerId } from "#wire";
import { Fetching } from "./fetching.ts";
import { Serving } from "./serving.ts";

/** Timeouts are judged this often; the shortest is two seconds. */
export const TICK_MS = 500;
const PING_EVERY_MS = 2_000;
/** Four pings unanswered. A close can take minutes to show by itself. */
export const LINK_DEAD_MS = 8_000;
/** A peer that the host has lost answers within this, or is taken for gone: half of what a seal waits for those who fold. */
export const PROBE_MS = 1_500;
/** Ticks so far apart mean that this worker slept (a closed lid): links get a new chance before they are judged. */
const SLEPT_MS = 4_000;

/** Open links as the exchange sees them; the window owns the connections behind it. */
export interface LinkPort {
  /** Queued in order; the bytes may be transferred away. */
  send(to: PeerId, frame: Uint8Array): void;
  close(peer: PeerId, reason: string): void;
}

export interface ExchangeOptions {
  readonly port: LinkPort;
  /** Blobs that this peer serves; undefined: not here. */
  readonly read: (name: string) => Promise<Uint8Array | undefined>;
  readonly now: () => number; // monotonic, ms
  readonly onMisbehaviour?: (peer: PeerId, reason: string) => void;
}

interface Link {
  heardAt: number;
  pingedAt: number;
  probedAt?: number | undefined; // asked whether it is still there, and not heard since
  rttMs: number | null;
}

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #fetching: Fetching;
  readonly #serving: Serving;
  readonly #linkByPeer = new Map<PeerId, Link>();
  #tickedAt: number;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#tickedAt = options.now();
    const send = (to: PeerId, frame: Frame) => {
      if (this.#linkByPeer.has(to)) options.port.send(to, encodeFrame(frame));
    };
    this.#serving = new Serving({ read: options.read, send, now: options.now });
    this.#fetching = new Fetching({
      isUp: (peer) => this.#linkByPeer.has(peer),
      send,
      now: options.now,
      onWrongBytes: (peer, reason) => options.onMisbehaviour?.(peer, reason),
    });
  }

  linkUp(peer: PeerId): void {
    if (this.#linkByPeer.has(peer)) this.linkDown(peer); // a new connection to the same peer: what was asked on the old one is lost
    this.#linkByPeer.set(peer, { heardAt: this.#options.now(), pingedAt: Number.NEGATIVE_INFINITY, rttMs: null });
    this.#serving.linkUp(peer);
  }

  linkDown(peer: PeerId): void {
    if (!this.#linkByPeer.delete(peer)) return;
    this.#serving.linkDown(peer);
    this.#fetching.linkDown(peer);
  }

  /** Smoothed round trip, ms; null before the first pong or without a link. */
  rttMs(peer: PeerId): number | null {
    return this.#linkByPeer.get(peer)?.rttMs ?? null;
  }

  /** The blob's bytes, checked against its name. Rejects with FetchError when every source failed. */
  fetch(name: string, bytes: number, sources: readonly PeerId[]): Promise<Uint8Array> {
    return this.#fetching.fetch(name, bytes, sources);
  }

  /** There is reason to think that this peer is gone: asks it now, and closes the link unless it is heard within PROBE_MS. */
  probe(peer: PeerId): void {
    const link = this.#linkByPeer.get(peer);
    if (!link) return;
    link.probedAt = this.#options.now();
    link.pingedAt = link.probedAt;
    this.#send(peer, { type: "ping", stamp: link.probedAt });
  }

  cancel(name: string): void {
    this.#fetching.cancel(name);
  }

  receive(from: PeerId, bytes: Uint8Array): void {
    const link = this.#linkByPeer.get(from);
    if (!link) return; // closed while its last frames were on the way
    link.heardAt = this.#options.now();
    link.probedAt = undefined;
    const frame = decodeFrame(bytes);
    if (!frame) {
      this.#options.onMisbehaviour?.(from, "sent a frame that does not decode");
      this.#close(from, "sent a frame that does not decode");
      return;
    }
    switch (frame.type) {
      case "want":
        void this.#serving.want(from, frame);
        break;
      case "chunk":
        this.#fetching.chunk(from, frame);
        break;
      case "ack":
        this.#serving.ack(from, frame);
        break;
      case "refuse":
        this.#fetching.refused(from, frame);
        break;
      case "ping":
        this.#send(from, { type: "pong", stamp: frame.stamp });
        break;
      case "pong":
        this.#pong(link, frame.stamp);
        break;
    }
  }

  tick(): void {
    const now = this.#options.now();
    const slept = now - this.#tickedAt >= SLEPT_MS;
    this.#tickedAt = now;
    for (const [peer, link] of [...this.#linkByPeer]) {
      if (slept) {
        link.heardAt = now;
        link.probedAt = undefined;
      }
      if (now - link.heardAt >= LINK_DEAD_MS) {
        this.#close(peer, `silent for ${LINK_DEAD_MS} ms`);
      } else if (link.probedAt !== undefined && now - link.probedAt >= PROBE_MS) {
        this.#close(peer, `left, and silent for ${PROBE_MS} ms`);
      } else if (now - link.pingedAt >= PING_EVERY_MS) {
        link.pingedAt = now;
        this.#send(peer, { type: "ping", stamp: now });
      }
    }
    this.#fetching.tick();
    this.#serving.tick();
  }

  #pong(link: Link, stamp: number): void {
    const rttMs = this.#options.now() - stamp;
    if (!(rttMs >= 0 && rttMs < LINK_DEAD_MS)) return; // not a stamp of ours
    link.rttMs = link.rttMs === null ? rttMs : 0.8 * link.rttMs + 0.2 * rttMs;
  }

  #send(to: PeerId, frame: Frame): void {
    this.#options.port.send(to, encodeFrame(frame));
  }

  #close(peer: PeerId, reason: string): void {
    this.linkDown(peer);
    this.#options.port.close(peer, reason);
  }
}
