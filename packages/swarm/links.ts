// Which links a peer wants: a full mesh while the swarm is small, else its neighbours in the ring of sorted ids, so that both ends
// of a link choose it. The smaller id calls. [R14] Who cannot be reached directly is reached through the host's relay. [R42]
//
//   members, signals, link-up, link-down, relay-up, relay-down -> connect, disconnect, ask-relay, leave-relay
import type { Member, PeerId } from "#wire";
import type { Millis, PeerOutput } from "./ports.ts";
import { Relays } from "./relays.ts";
import { backoffMs, type Wake } from "./timing.ts";

/** Browsers are comfortable with 20 to 35 connections; 8 feed a peer faster than it folds. */
const LINKS_MAX = 8;
/** Those who choose us while membership changes: still below 24 connections in all. */
const LINKS_ACCEPTED_MAX = 16;
/** ICE may sit for 15 s without reporting failure; who can connect has done so in 10. */
const CONNECT_DEADLINE_MS = 10_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;

interface Link {
  state: "connecting" | "up" | "down";
  failures: number; // in a row
  missed: boolean; //  the last attempt led nowhere: until one does, the relay carries the link
  until: Millis; //    connecting: when we give up; down: when we call again
}

export class Links {
  readonly members = new Map<PeerId, Member>();
  private readonly self: PeerId;
  private readonly linkByPeer = new Map<PeerId, Link>();
  private readonly relays = new Relays();
  private hostRelays = false;

  constructor(self: PeerId) {
    this.self = self;
  }

  setMembers(members: readonly Member[]): void {
    this.members.clear();
    for (const member of members) this.join(member);
  }

  /** As the host's welcome says. */
  setRelay(hostRelays: boolean): void {
    this.hostRelays = hostRelays;
  }

  join(member: Member): void {
    if (member.peer === this.self) return;
    this.members.set(member.peer, member);
    const link = this.linkByPeer.get(member.peer);
    if (link?.state === "down") this.linkByPeer.delete(member.peer); // it came back: no reason to wait out the backoff
  }

  /** Its control socket is gone. An open link may live on, and is worth keeping if it does: ask, or a fetch waits for a closed tab. */
  leave(peer: PeerId): PeerOutput[] {
    this.members.delete(peer);
    return this.isUp(peer) ? [{ type: "probe", peer }] : [];
  }

  isUp(peer: PeerId): boolean {
    return this.linkByPeer.get(peer)?.state === "up" || this.relays.isUp(peer);
  }

  up(): PeerId[] {
    const direct = [...this.linkByPeer].filter(([, link]) => link.state === "up").map(([peer]) => peer);
    return [...new Set([...direct, ...this.relays.up()])];
  }

  /** Somebody may be linked soon: on a first attempt, a fetch waits for it rather than burden the host. */
  hopes(): boolean {
    if (this.wanted().some((peer) => !this.linkByPeer.has(peer))) return true;
    return [...this.linkByPeer.values()].some((link) => link.state === "connecting" && link.failures === 0);
  }

  linkUp(peer: PeerId): void {
    this.linkByPeer.set(peer, { state: "up", failures: 0, missed: false, until: 0 });
  }

  linkDown(now: Millis, peer: PeerId): void {
    const link = this.linkByPeer.get(peer);
    if (link !== undefined && link.state !== "down") this.fail(now, peer, link);
  }

  relayUp(peer: PeerId): void {
    this.relays.relayUp(peer);
  }

  relayDown(now: Millis, peer: PeerId): void {
    this.relays.relayDown(now, peer);
  }

  /** A signal came in: from a stranger nothing is taken, from a member it opens our end. */
  signalled(now: Millis, peer: PeerId): PeerOutput[] | undefined {
    if (!this.members.has(peer)) return undefined;
    const link = this.linkByPeer.get(peer);
    if (link !== undefined && link.state !== "down") return [];
    const open = [...this.linkByPeer.values()].filter(({ state }) => state !== "down").length;
    if (open >= LINKS_ACCEPTED_MAX) return undefined;
    this.linkByPeer.set(peer, {
      state: "connecting",
      failures: link?.failures ?? 0,
      missed: link?.missed ?? false,
      until: now + CONNECT_DEADLINE_MS,
    });
    return [{ type: "connect", peer, initiator: false }];
  }

  advance(now: Millis, canSignal: boolean, wake: Wake): PeerOutput[] {
    const out = this.advanceDirect(now, canSignal, wake);
    const unreached = [...this.linkByPeer].filter(([peer, { missed }]) => missed && this.members.has(peer));
    const needing = new Set(unreached.map(([peer]) => peer));
    out.push(...this.relays.advance(now, needing, canSignal && this.hostRelays, wake));
    return out;
  }

  private advanceDirect(now: Millis, canSignal: boolean, wake: Wake): PeerOutput[] {
    const out: PeerOutput[] = [];
    for (const [peer, link] of this.linkByPeer) {
      if (link.state === "connecting" && now >= link.until) {
        this.fail(now, peer, link);
        out.push({ type: "disconnect", peer });
      } else if (link.state === "connecting") wake.want(link.until);
      if (link.state === "down" && !this.members.has(peer)) this.linkByPeer.delete(peer);
    }
    if (!canSignal) return out;
    for (const peer of this.wanted()) {
      const link = this.linkByPeer.get(peer);
      if (link !== undefined && link.state !== "down") continue;
      const initiator = this.self < peer;
      if (link !== undefined && !initiator) continue; // the other calls again
      if (link !== undefined && now < link.until) {
        wake.want(link.until);
        continue;
      }
      const until = now + CONNECT_DEADLINE_MS;
      const { failures = 0, missed = false } = link ?? {};
      this.linkByPeer.set(peer, { state: "connecting", failures, missed, until });
      wake.want(until);
      out.push({ type: "connect", peer, initiator });
    }
    return out;
  }

  /** Everything that is open, for a peer that stops. */
  close(): PeerOutput[] {
    const open = [...this.linkByPeer].filter(([, { state }]) => state !== "down");
    this.linkByPeer.clear();
    this.members.clear();
    return [...open.map(([peer]): PeerOutput => ({ type: "disconnect", peer })), ...this.relays.leaveAll()];
  }

  private fail(now: Millis, peer: PeerId, link: Link): void {
    const until = now + backoffMs(link.failures, RETRY_FIRST_MS, RETRY_MAX_MS);
    this.linkByPeer.set(peer, {
      state: "down",
      failures: link.failures + 1,
      missed: link.state === "connecting",
      until,
    });
  }

  private wanted(): PeerId[] {
    const others = [...this.members.keys()];
    if (others.length <= LINKS_MAX) return others;
    const ring = [...others, this.self].sort();
    const at = ring.indexOf(this.self);
    const near: PeerId[] = [];
    for (let step = 1; step <= LINKS_MAX / 2; step++)
      near.push(ring[(at + step) % ring.length], ring[(at - step + ring.length) % ring.length]);
    return near;
  }
}
