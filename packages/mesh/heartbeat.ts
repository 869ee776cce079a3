// Which links live: pings every two seconds, and an end for those that stay silent. Runs in the worker; knows links only through LinkPort
// and time only through its caller, so that it is tested with fake links and a fake clock.
//
//   receive(from, frame) -> its own (ping, pong), or nothing but a sign of life        tick(slept) -> pings, dead links; call it every TICK_MS
import { decodeFrame, encodeFrame, type Frame, type PeerId } from "#wire";

/** Timeouts are judged this often; the shortest is one and a half seconds. */
export const TICK_MS = 500;
const PING_EVERY_MS = 2_000;
/** Four pings unanswered. A close can take minutes to show by itself; ICE says after some five seconds that it hears nothing, and a restart
 * takes two: shorter would end links that a moved Wi-Fi leaves alive. */
export const LINK_DEAD_MS = 8_000;
/** A peer that the host has lost answers within this, or is taken for gone: half of what a seal waits for those who fold. */
export const PROBE_MS = 1_500;

/** Open links as the worker sees them; the window owns the connections behind it. */
export interface LinkPort {
  /** Queued in order; the bytes may be transferred away. */
  send(to: PeerId, frame: Uint8Array): void;
  close(peer: PeerId, reason: string): void;
}

interface Link {
  heardAt: number;
  pingedAt: number;
  probedAt?: number | undefined; // asked whether it is still there, and not heard since
  rttMs: number | null;
  rttLeastMs: number | null;
}

export class Heartbeat {
  readonly #port: LinkPort;
  readonly #now: () => number; // monotonic, ms
  readonly #linkByPeer = new Map<PeerId, Link>();

  constructor(port: LinkPort, now: () => number) {
    this.#port = port;
    this.#now = now;
  }

  linkUp(peer: PeerId): void {
    this.#linkByPeer.set(peer, {
      heardAt: this.#now(),
      pingedAt: Number.NEGATIVE_INFINITY,
      rttMs: null,
      rttLeastMs: null,
    });
  }

  linkDown(peer: PeerId): void {
    this.#linkByPeer.delete(peer);
  }

  /** Smoothed round trip, ms; null before the first pong or without a link. */
  rttMs(peer: PeerId): number | null {
    return this.#linkByPeer.get(peer)?.rttMs ?? null;
  }

  /** The shortest one since the link is up: what was above it was a queue, or a busy machine. */
  rttLeastMs(peer: PeerId): number | null {
    return this.#linkByPeer.get(peer)?.rttLeastMs ?? null;
  }

  /** Once more, and not in its turn: how far it is matters now. */
  ping(peer: PeerId): void {
    if (this.#linkByPeer.has(peer)) this.#send(peer, { type: "ping", stamp: this.#now() });
  }

  /** There is reason to think that this peer is gone: asks it now, and closes the link unless it is heard within PROBE_MS. */
  probe(peer: PeerId): void {
    const link = this.#linkByPeer.get(peer);
    if (!link) return;
    link.probedAt = this.#now();
    link.pingedAt = link.probedAt;
    this.#send(peer, { type: "ping", stamp: link.probedAt });
  }

  /** @returns whether the frame was the heartbeat's own */
  receive(from: PeerId, bytes: Uint8Array): boolean {
    const link = this.#linkByPeer.get(from);
    if (!link) return true; // closed while its last frames were on the way
    link.heardAt = this.#now();
    link.probedAt = undefined;
    const frame = decodeFrame(bytes);
    if (frame?.type === "ping") this.#send(from, { type: "pong", stamp: frame.stamp });
    else if (frame?.type === "pong") this.#pong(link, frame.stamp);
    else return false;
    return true;
  }

  /** @param slept this machine did, just now: links get a new chance before they are judged [R45] */
  tick(slept: boolean): void {
    const now = this.#now();
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
  }

  #pong(link: Link, stamp: number): void {
    const rttMs = this.#now() - stamp;
    if (!(rttMs >= 0 && rttMs < LINK_DEAD_MS)) return; // not a stamp of ours
    link.rttLeastMs = Math.min(rttMs, link.rttLeastMs ?? rttMs);
    link.rttMs = link.rttMs === null ? rttMs : 0.8 * link.rttMs + 0.2 * rttMs;
  }

  #send(to: PeerId, frame: Frame): void {
    this.#port.send(to, encodeFrame(frame));
  }

  #close(peer: PeerId, reason: string): void {
    this.linkDown(peer);
    this.#port.close(peer, reason);
  }
}
