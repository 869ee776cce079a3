// A peer's links: to the neighbours that the host's plan gives it (mesh-plan.ts). The smaller id calls. [R14] [R25] Who cannot be
// reached directly is reached through the host's relay. [R42]
//
//   neighbours, signals, link-up, link-down, relay-up, relay-down -> connect, disconnect, ask-relay, leave-relay
import { type Member, NEIGHBOURS_MAX, type PeerId } from "#wire";
import type { Millis, PeerOutput } from "./ports.ts";
import { Relays } from "./relays.ts";
import { backoffMs, type Wake } from "./timing.ts";

/** Links to who is no neighbour any more stay beside the 8 to neighbours while membership changes: still below 24 connections in all. */
const LINKS_OPEN_MAX = 16;
/** A spare link serves until the new neighbours' are up, which takes seconds; a host that starts again has all its peers back by then. */
const SPARE_MS = 30_000;
/** ICE may sit for 15 s without reporting failure; who can connect has done so in 10. */
const CONNECT_DEADLINE_MS = 10_000;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 60_000;

interface Link {
  state: "connecting" | "up" | "down";
  failures: number; // in a row
  missed: boolean; //  the last attempt led nowhere: until one does, the relay carries the link
  until: Millis; //    connecting: when we give up; down: when we call again; up to no neighbour: when it may be closed
}

export class Links {
  readonly members = new Map<PeerId, Member>(); // neighbours, connected with the host
  private readonly former = new Map<PeerId, Member>(); // linked, and no neighbours any more
  private readonly self: PeerId;
  private readonly linkByPeer = new Map<PeerId, Link>();
  private readonly relays = new Relays();
  private hostRelays = false;

  constructor(self: PeerId) {
    this.self = self;
  }

  setMembers(members: readonly Member[]): void {
    for (const peer of [...this.members.keys()]) this.part(peer);
    for (const member of members) this.join(member);
  }

  /** As the host's welcome says. */
  setRelay(hostRelays: boolean): void {
    this.hostRelays = hostRelays;
  }

  join(member: Member): void {
    if (member.peer === this.self) return;
    this.members.set(member.peer, member);
    this.former.delete(member.peer);
    const link = this.linkByPeer.get(member.peer);
    if (link?.state === "up") link.until = 0; // no spare one any more
    if (link?.state === "down") this.linkByPeer.delete(member.peer); // it came back: no reason to wait out the backoff
  }

  /** Its control socket is gone. An open link may live on, and is worth keeping if it does: ask, or a fetch waits for a closed tab. */
  leave(peer: PeerId): PeerOutput[] {
    this.part(peer);
    return this.isUp(peer) ? [{ type: "probe", peer }] : [];
  }

  /** No neighbour any more. A link to it serves on for a while: a plan that changes tears nothing down. */
  part(peer: PeerId): void {
    const member = this.members.get(peer);
    this.members.delete(peer);
    if (member !== undefined && this.linkByPeer.has(peer)) this.former.set(peer, member);
  }

  /** Neighbours, and who else is linked. */
  known(): Member[] {
    return [...this.members.values(), ...this.former.values()];
  }

  isUp(peer: PeerId): boolean {
    return this.linkByPeer.get(peer)?.state === "up" || this.relays.isUp(peer);
  }

  up(): PeerId[] {
    const direct = [...this.linkByPeer].filter(([, link]) => link.state === "up").map(([peer]) => peer);
    return [...new Set([...direct, ...this.relays.up()])];
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
    const out = this.makeRoom();
    this.linkByPeer.set(peer, {
      state: "connecting",
      failures: link?.failures ?? 0,
      missed: link?.missed ?? false,
      until: now + CONNECT_DEADLINE_MS,
    });
    return [...out, { type: "connect", peer, initiator: false }];
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
      if (this.members.has(peer)) continue;
      if (link.state === "down") this.drop(peer);
      else if (link.state === "up") out.push(...this.advanceSpare(now, peer, link, wake));
    }
    if (!canSignal) return out;
    for (const peer of this.members.keys()) {
      const link = this.linkByPeer.get(peer);
      if (link !== undefined && link.state !== "down") continue;
      const initiator = this.self < peer;
      if (link !== undefined && !initiator) continue; // the other calls again
      if (link !== undefined && now < link.until) {
        wake.want(link.until);
        continue;
      }
      const until = now + CONNECT_DEADLINE_MS;
      out.push(...this.makeRoom());
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
    this.former.clear();
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

  /** A link to no neighbour: when there are more links than the plan gives, it closes after a while. */
  private advanceSpare(now: Millis, peer: PeerId, link: Link, wake: Wake): PeerOutput[] {
    if (link.until === 0) link.until = now + SPARE_MS;
    if (this.open().length <= NEIGHBOURS_MAX) return [];
    if (now >= link.until) return this.closeLink(peer);
    wake.want(link.until);
    return [];
  }

  /** For one more link: neighbours are 8 at most, so a spare one goes when all places are taken. */
  private makeRoom(): PeerOutput[] {
    const open = this.open();
    if (open.length < LINKS_OPEN_MAX) return [];
    const spare = open.find((peer) => !this.members.has(peer));
    return spare === undefined ? [] : this.closeLink(spare);
  }

  private open(): PeerId[] {
    return [...this.linkByPeer].filter(([, { state }]) => state !== "down").map(([peer]) => peer);
  }

  private closeLink(peer: PeerId): PeerOutput[] {
    this.drop(peer);
    return [{ type: "disconnect", peer }];
  }

  private drop(peer: PeerId): void {
    this.linkByPeer.delete(peer);
    this.former.delete(peer);
  }
}
