// Which neighbours are reached through the host's relay: those to whom a direct attempt has failed, until one succeeds. [R42]
//
//   advance(who has no direct way) -> ask-relay, leave-relay        relay-up, relay-down -> isUp
//
// An ask is good for one relayed link: when that ends, for whatever reason, it is asked for again, with growing pauses.
import type { PeerId } from "#wire";
import type { Millis, PeerOutput } from "./ports.ts";
import { backoffMs, type Wake } from "./timing.ts";

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;

interface Relayed {
  state: "asked" | "up" | "down";
  failures: number; // in a row
  until: Millis; //    down: when we ask again
}

export class Relays {
  private readonly relayedByPeer = new Map<PeerId, Relayed>();

  isUp(peer: PeerId): boolean {
    return this.relayedByPeer.get(peer)?.state === "up";
  }

  up(): PeerId[] {
    return [...this.relayedByPeer.keys()].filter((peer) => this.isUp(peer));
  }

  /** The other end has asked too. What was not asked for, or not any more, is nothing: leave-relay is on its way. */
  relayUp(peer: PeerId): void {
    const relayed = this.relayedByPeer.get(peer);
    if (relayed?.state === "asked") this.relayedByPeer.set(peer, { state: "up", failures: 0, until: 0 });
  }

  relayDown(now: Millis, peer: PeerId): void {
    const relayed = this.relayedByPeer.get(peer);
    if (relayed === undefined || relayed.state === "down") return;
    relayed.until = now + backoffMs(relayed.failures, RETRY_FIRST_MS, RETRY_MAX_MS);
    relayed.failures += 1;
    relayed.state = "down";
  }

  leaveAll(): PeerOutput[] {
    const asked = [...this.relayedByPeer].filter(([, { state }]) => state !== "down");
    this.relayedByPeer.clear();
    return asked.map(([peer]) => ({ type: "leave-relay", peer }));
  }

  /** @param needing neighbours without a direct way  @param able the host relays and hears us */
  advance(now: Millis, needing: ReadonlySet<PeerId>, able: boolean, wake: Wake): PeerOutput[] {
    const out: PeerOutput[] = [];
    for (const [peer, { state }] of this.relayedByPeer) {
      if (needing.has(peer)) continue;
      this.relayedByPeer.delete(peer);
      if (state !== "down") out.push({ type: "leave-relay", peer });
    }
    if (!able) return out;
    for (const peer of needing) {
      const relayed = this.relayedByPeer.get(peer);
      if (relayed !== undefined && relayed.state !== "down") continue;
      if (relayed !== undefined && now < relayed.until) {
        wake.want(relayed.until);
        continue;
      }
      this.relayedByPeer.set(peer, { state: "asked", failures: relayed?.failures ?? 0, until: 0 });
      out.push({ type: "ask-relay", peer });
    }
    return out;
  }
}
