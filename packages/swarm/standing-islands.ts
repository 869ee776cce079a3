// The run's islands at the host: who seeks one, which stand, and what ends one. [R53] [R54]
//
//   seek-island, leave-island, links, ready, pause, gone -> island, island-over, island-waits; ties in the mesh; what the next open lists
import {
  type Capacity,
  canonicalBytes,
  hashHex,
  ISLANDS_MAX,
  type IslandPlan,
  type LinkReport,
  type PeerId,
} from "#wire";
import type { Line } from "./island-plan.ts";
import { type Formed, formIslands, GATHER_FAR_MS, GATHER_MS, type Seeker } from "./islands.ts";
import { MeshPlan } from "./mesh-plan.ts";
import type { Millis } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import { backoffMs, type Wake } from "./timing.ts";
import type { Visits } from "./visits.ts";

/** One that stood shorter has not worked: the same members wait before they try again, twice as long each time. */
const WORKED_MS = 60_000;
const REST_FIRST_MS = 1_000;
const REST_MAX_MS = 60_000;
/** Sets of members that wait so, the newest. */
const RESTING_MAX = 256;
/** More hear that there are enough. They are in 560 sets of four each at most, of 16 neighbours: to look at all takes a quarter of a second, */
const SEEKERS_MAX = 64;
/** so it is not done at each of their messages. */
const LOOK_EVERY_MS = 200;

export interface StandingIsland {
  readonly id: string;
  /** By rank; the first leads. */
  readonly members: readonly PeerId[];
  readonly plan: IslandPlan;
  /** Rounds that were sealed when it was formed. */
  readonly since: number;
  readonly formedAt: Millis;
  /** Predicted, of a step, where all members said how fast they compute. */
  readonly stepMs?: number;
}

interface Seeking {
  readonly ranksMin: number;
  readonly capacity: Capacity | undefined;
  readonly since: Millis;
  told: string; // why it waits
}

interface Measured {
  readonly rttMs: number; //      the least: what is above it is a queue, or a busy machine
  readonly bytesPerSecond: number | undefined;
}

export interface StandingIslandsOptions {
  readonly log: RunState;
  readonly visits: Visits;
  readonly wake: Wake;
  readonly meshSeed: string;
}

export class StandingIslands {
  private readonly log: RunState;
  private readonly visits: Visits;
  private readonly wake: Wake;
  private readonly seeking = new Map<PeerId, Seeking>();
  /** Seekers are linked with one another however large the swarm is: all of them, or eight each. */
  private readonly near: MeshPlan;
  private readonly linesBySeeker = new Map<PeerId, ReadonlyMap<PeerId, Measured>>(); // direct ones
  private readonly islandByMember = new Map<PeerId, StandingIsland>();
  private readonly restingBySet = new Map<string, { readonly times: number; readonly until: Millis }>();
  private readonly departed: PeerId[] = [];
  private formed = 0;
  private lookAt: Millis = Number.POSITIVE_INFINITY; // something is decided anew
  private lookedAt: Millis = Number.NEGATIVE_INFINITY;

  constructor({ log, visits, wake, meshSeed }: StandingIslandsOptions) {
    this.log = log;
    this.visits = visits;
    this.wake = wake;
    this.near = new MeshPlan(`${meshSeed} islands`);
  }

  /** By leader. */
  standing(): StandingIsland[] {
    const islands = [...new Set(this.islandByMember.values())];
    return islands.sort((a, b) => (a.members[0] < b.members[0] ? -1 : 1));
  }

  /** What an open says of those in its roster. */
  listedIn(roster: ReadonlySet<PeerId>): { leader: PeerId; members: PeerId[] }[] {
    return this.standing()
      .filter(({ members }) => roster.has(members[0]))
      .map(({ members }) => ({ leader: members[0], members: [...members] }));
  }

  /** Who follows the run and is not ready for it: it can hold what others made. */
  followers(): PeerId[] {
    return [...this.seeking.keys(), ...this.islandByMember.keys()];
  }

  // ---- what peers say -----------------------------------------------------------------------------------------------------

  seek(now: Millis, peer: PeerId, ranksMin: number, capacity: Capacity | undefined): void {
    const session = this.visits.here.get(peer);
    // Who is in an island has asked before he heard of it.
    if (session === undefined || session.bye !== undefined || this.islandByMember.has(peer)) return;
    const before = this.seeking.get(peer);
    if (before && JSON.stringify([before.ranksMin, before.capacity]) === JSON.stringify([ranksMin, capacity])) return;
    if (before === undefined && this.seeking.size >= SEEKERS_MAX)
      return this.visits.send(peer, { type: "island-waits", missing: 0, because: "full" });
    this.visits.here.change(session, { willing: false, paused: false });
    this.seeking.set(peer, { ranksMin, capacity, since: before?.since ?? now, told: "" });
    this.measured(peer, session.links);
    if (before !== undefined) return;
    this.near.join(peer);
    this.tie();
  }

  leave(now: Millis, peer: PeerId, island: string | undefined, reason: string): void {
    const standing = this.islandByMember.get(peer);
    if (island === undefined) this.forget(peer);
    else if (standing?.id === island) this.over(now, standing, reason, peer);
  }

  /** Its links, measured again. */
  measured(peer: PeerId, links: readonly LinkReport[]): void {
    if (!this.seeking.has(peer)) return;
    const before = this.linesBySeeker.get(peer);
    const lines = new Map<PeerId, Measured>();
    for (const { peer: other, kind, rttMs, bytesPerSecond } of links) {
      if (kind !== "direct" || rttMs === null) continue;
      const known = before?.get(other);
      lines.set(other, {
        rttMs: Math.min(rttMs, known?.rttMs ?? rttMs),
        bytesPerSecond: bytesPerSecond ?? known?.bytesPerSecond,
      });
    }
    this.linesBySeeker.set(peer, lines);
    this.lookAt = 0;
  }

  /** It is a peer of its own, or the leader of its island: its engine stands. */
  ready(now: Millis, peer: PeerId): void {
    this.forget(peer);
    const island = this.islandByMember.get(peer);
    if (island !== undefined && island.members[0] !== peer) this.over(now, island, "a member trains alone", peer);
  }

  paused(now: Millis, peer: PeerId, reason: string): void {
    const island = this.islandByMember.get(peer);
    if (island !== undefined) this.over(now, island, `a member paused: ${reason}`, peer);
  }

  /** Its visit is over, or about to be: seen to by `advance`. */
  gone(peer: PeerId): void {
    if (this.seeking.has(peer) || this.islandByMember.has(peer)) this.departed.push(peer);
  }

  // ---- what comes of it ---------------------------------------------------------------------------------------------------

  advance(now: Millis): void {
    for (const peer of this.departed.splice(0)) {
      this.forget(peer);
      const island = this.islandByMember.get(peer);
      if (island !== undefined) this.over(now, island, "a member left", peer);
    }
    if (this.seeking.size === 0) return;
    this.lookAt = Math.max(this.lookAt, this.lookedAt + LOOK_EVERY_MS);
    if (now >= this.lookAt) this.look(now);
    this.wake.want(this.lookAt);
  }

  private look(now: Millis): void {
    this.lookedAt = now;
    const lines = this.lines();
    const formation = formIslands({
      seekers: this.seekers(now),
      lineOf: (a, b) => lines.get(a + b),
      model: this.log.spec.model,
      windowsPerStep: this.log.spec.inner.windowsPerStep,
      room: ISLANDS_MAX - new Set(this.islandByMember.values()).size,
      rests: (members) => (this.restingBySet.get(setOf(members))?.until ?? 0) > now,
    });
    for (const island of formation.islands) this.form(now, island);
    for (const [peer, { missing, because }] of formation.waits) {
      const seeking = this.seeking.get(peer)!;
      const seekers = this.near.neighbours(peer);
      const why = [because, missing, ...seekers].join();
      const others = seekers.length > 0 && { seekers };
      if (seeking.told !== why) this.visits.send(peer, { type: "island-waits", missing, because, ...others });
      seeking.told = why;
    }
    if (formation.islands.length > 0) this.tie();
    const gathered = [...this.seeking.values()].flatMap(({ since }) => [since + GATHER_MS, since + GATHER_FAR_MS]);
    const rested = [...this.restingBySet.values()].map(({ until }) => until);
    this.lookAt = Math.min(Number.POSITIVE_INFINITY, ...[...gathered, ...rested].filter((at) => at > now));
  }

  private seekers(now: Millis): Seeker[] {
    return [...this.seeking].map(([peer, { ranksMin, capacity, since }]) => {
      const rates = [...(this.linesBySeeker.get(peer)?.values() ?? [])].flatMap((line) => line.bytesPerSecond ?? []);
      const bytesPerSecond = rates.length === 0 ? undefined : Math.max(...rates);
      return { peer, ranksMin, capacity, bytesPerSecond, soughtMs: Math.round(now - since) }; // whatever a sum's last bit says
    });
  }

  /** What one end alone says is no line, nor what the mesh does not plan. */
  private lines(): ReadonlyMap<string, Line> {
    const lines = new Map<string, Line>();
    for (const [a, measured] of this.linesBySeeker)
      for (const b of this.visits.mesh.neighbours(a)) {
        const [there, back] = [measured.get(b), this.linesBySeeker.get(b)?.get(a)];
        if (there && back)
          lines.set(a + b, { rttMs: Math.min(there.rttMs, back.rttMs), bytesPerSecond: there.bytesPerSecond });
      }
    return lines;
  }

  private form(now: Millis, { members, plan, ...predicted }: Formed): void {
    this.formed += 1;
    const id = hashHex(canonicalBytes(["gossamer island v1", this.log.run, this.log.seq, now, this.formed, members]));
    const island = { id, members, plan, ...predicted, since: this.log.round, formedAt: now };
    for (const peer of members) {
      this.drop(peer);
      this.islandByMember.set(peer, island);
    }
    for (const peer of members) this.visits.send(peer, { type: "island", island: id, members: [...members], plan });
  }

  /** For all of its members; those who are left seek again when they are free. @param by knows it */
  private over(now: Millis, island: StandingIsland, reason: string, by: PeerId): void {
    for (const peer of island.members) {
      this.islandByMember.delete(peer);
      const session = this.visits.here.get(peer);
      if (session === undefined) continue;
      if (peer === island.members[0]) this.visits.here.change(session, { willing: false });
      if (peer !== by) this.visits.send(peer, { type: "island-over", island: island.id, reason: reason.slice(0, 400) });
    }
    this.rest(now, island);
    this.tie();
  }

  private rest(now: Millis, { members, formedAt }: StandingIsland): void {
    const set = setOf(members);
    const times = now - formedAt < WORKED_MS ? (this.restingBySet.get(set)?.times ?? 0) + 1 : 1;
    this.restingBySet.delete(set); // so that it becomes the newest
    this.restingBySet.set(set, { times, until: now + backoffMs(times - 1, REST_FIRST_MS, REST_MAX_MS) });
    if (this.restingBySet.size > RESTING_MAX) this.restingBySet.delete(this.restingBySet.keys().next().value!);
  }

  private forget(peer: PeerId): void {
    if (!this.seeking.has(peer)) return;
    this.drop(peer);
    this.tie();
  }

  private drop(peer: PeerId): void {
    this.seeking.delete(peer);
    this.linesBySeeker.delete(peer);
    this.near.leave(peer);
    this.lookAt = 0; // fewer are left for the others
  }

  private tie(): void {
    const pairs = [...this.seeking.keys()].flatMap((peer) =>
      this.near.neighbours(peer).map((other): [PeerId, PeerId] => [peer, other]),
    );
    for (const { members } of new Set(this.islandByMember.values()))
      for (const a of members) for (const b of members) if (a < b) pairs.push([a, b]);
    this.visits.tie(pairs);
  }
}

const setOf = (members: readonly PeerId[]): string => [...members].sort().join();
