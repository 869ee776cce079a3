// Faults that befall machines and lines for a while: each takes hold of somebody, and lets go again. What befalls single messages and
// frames is in network.ts, torn writes are in disk.ts, lies in liar.ts.
//
//   befall(sim, peer, forMs, later) -> crash, cut, stop, block ... and, some time later or when the storm is over, the opposite
import { holdersOf } from "#wire";
import { type Lie, lies } from "./liar.ts";
import { type End, HOST } from "./network.ts";
import type { PeerNode } from "./peer-node.ts";
import type { Simulation } from "./simulation.ts";

/** A dead line is found by its heartbeat within so many ms: control sockets and links alike. */
const HEARTBEAT_MS = 8_000;

/** Longer than a host waits for a blob that peers may hold. */
const FULL_MS = 25_000;

/** In so many ms, unless the storm is over before. */
type Later = (ms: number, run: () => void) => void;
type Befall = (sim: Simulation, peer: PeerNode, forMs: number, later: Later) => void;

export const faults = {
  crashPeer(sim, peer, forMs, later) {
    if (!peer.up) return;
    sim.strike("peer-crash");
    peer.crash();
    later(forMs, () => peer.start());
  },

  crashHost(sim, _, forMs, later) {
    const { host } = sim;
    if (!host.up) return;
    sim.strike("host-crash");
    host.crash();
    later(forMs, () => host.start());
  },

  /** In the middle of its next write: an entry, or an upload. */
  crashHostWriting(sim, _, forMs, later) {
    sim.when(
      ({ host }) => host.up && host.disk.writing,
      () => faults.crashHost(sim, sim.peers[0], forMs, later),
    );
  },

  /** While its store has not synced what it fetched or made. */
  crashPeerWriting(sim, peer, forMs, later) {
    sim.when(
      () => peer.up && peer.blobs.writing,
      () => faults.crashPeer(sim, peer, forMs, later),
    );
  },

  /** While it is down a blob of the commit under way goes bad, and then its disk has no room for what peers give back: the one case for a void. */
  rotBlob(sim, _, forMs, later) {
    const { host } = sim;
    const { commit } = sim.state;
    if (!host.up || commit === undefined || holdersOf(sim.spec) !== undefined) return;
    host.crash();
    later(forMs, () => host.start());
    if (sim.state.commit !== commit) return;
    sim.strike("blob-rotted");
    sim.judge.blobsLost += 1;
    host.blobs.delete(sim.random.pick(commit.contributors).update);
    host.full = true;
    sim.clock.after(forMs + FULL_MS, () => {
      host.full = false;
    });
  },

  fillDisk(sim, _, forMs, later) {
    sim.host.full = true;
    later(forMs, () => {
      sim.host.full = false;
    });
  },

  cutSocket(sim, peer) {
    if (peer.socket === undefined) return;
    sim.strike("socket-cut");
    peer.cutControl();
  },

  cutLink(sim, peer) {
    const [other] = peer.linked.keys();
    if (other === undefined) return;
    sim.strike("link-cut");
    sim.network.unlink(peer.id, other);
  },

  goOffline(sim, peer, forMs, later) {
    if (!peer.up || peer.offline) return;
    sim.strike("offline");
    peer.offline = true;
    peer.cutControl();
    later(2 * forMs, () => {
      peer.offline = false;
    });
  },

  /** One end hears the other, which does not hear it. */
  partition(sim, peer, forMs, later) {
    const others: End[] = [HOST, HOST, ...peer.linked.keys()];
    const other = sim.random.pick(others);
    const [from, to] = sim.random.chance(0.5) ? [peer.id, other] : [other, peer.id];
    if (sim.network.blocked(from, to)) return;
    sim.network.block(from, to);
    sim.clock.after(HEARTBEAT_MS, () => {
      if (!sim.network.blocked(from, to)) return;
      if (other === HOST) peer.cutControl();
      else sim.network.unlink(peer.id, other);
    });
    later(2 * forMs, () => sim.network.unblock(from, to));
  },

  throttle(sim, peer, forMs, later) {
    const before = peer.stepMs;
    if (before > 1_000) return;
    sim.strike("slow");
    peer.stepMs = before * 20;
    later(forMs, () => {
      peer.stepMs = before;
    });
  },

  stutter(sim, peer, forMs, later) {
    stop(peer, forMs / 4, later, () => {
      if (peer.time.resume(true) > 0) sim.strike("stutter");
    });
  },

  stutterHost(sim, _, forMs, later) {
    const { host } = sim;
    if (!host.up || host.time.stopped) return;
    host.time.stop();
    later(forMs / 4, () => {
      if (host.time.resume(true) > 0) sim.strike("host-stutter");
    });
  },

  /** A lid is closed. Its lines are found dead when that lasts. */
  sleep(sim, peer, forMs, later) {
    const counted = sim.random.chance(0.5);
    const stopped = stop(peer, 4 * forMs, later, () => {
      peer.time.resume(counted);
    });
    if (!stopped) return;
    sim.strike(counted ? "sleep-counted" : "sleep-still");
    sim.clock.after(HEARTBEAT_MS, () => {
      if (!peer.time.stopped) return;
      peer.cutControl();
      for (const other of [...peer.linked.keys()]) sim.network.unlink(peer.id, other);
    });
  },

  pause(sim, peer, forMs, later) {
    if (!peer.up) return;
    sim.strike("paused");
    peer.time.do(() => peer.pause());
    later(forMs, () => peer.time.do(() => peer.resume()));
  },

  loseDevice(sim, peer, forMs, later) {
    if (!peer.up) return;
    sim.strike("device-lost");
    if (peer.island !== undefined)
      return peer.time.do(() => peer.island?.input({ type: "lost", reason: "its GPU was lost" }));
    peer.time.do(() => peer.loseDevice());
    later(forMs, () => peer.time.do(() => peer.resume()));
  },

  badUpdates(sim, peer, forMs, later) {
    if (peer.bad || sim.round === 0) return;
    peer.bad = true;
    later(forMs, () => {
      peer.bad = false;
    });
  },

  /** Not where peers vote on the fold: with too few others awake its word would be the swarm's. [R36] */
  wrongFold(sim, peer) {
    if (!peer.up || holdersOf(sim.spec) !== undefined) return;
    peer.wrongFolds = 1;
  },

  lie(sim, peer, forMs, later) {
    if (!peer.up || peer.lie !== undefined) return;
    const lie: Lie = sim.random.pick(lies);
    if (holdersOf(sim.spec) !== undefined && (lie === "wrong-attest" || lie === "garbage-frame")) return; // as wrongFold; and who is banned by links
    peer.lie = lie;
    peer.lied = true;
    peer.tainted = true;
    later(3 * forMs, () => {
      peer.lie = undefined;
    });
  },
} satisfies Record<string, Befall>;

export type FaultName = keyof typeof faults;
/** Names that stand twice are drawn twice as often: lies strike only when there is something to lie about. */
export const faultNames = [
  ...Object.keys(faults),
  "crashPeer",
  "lie",
  "lie",
  "lie",
  "partition",
  "cutSocket",
  "cutLink",
  "stutter",
  "sleep",
] as FaultName[];

/** @returns whether it stops now */
function stop({ up, time }: PeerNode, forMs: number, later: Later, resume: () => void): boolean {
  if (!up || time.stopped) return false;
  time.stop();
  later(forMs, resume);
  return true;
}
