// Faults that befall machines and lines for a while: each takes hold of somebody, and lets go again. What befalls single messages and
// frames is in network.ts, torn writes are in disk.ts, lies in liar.ts.
//
//   befall(sim, fault) -> crash, cut, stop, block ... and, some time later, the opposite
import { type Lie, lies } from "./liar.ts";
import { type End, HOST } from "./network.ts";
import type { PeerNode } from "./peer-node.ts";
import type { Simulation } from "./simulation.ts";

/** A dead line is found by its heartbeat within so many ms: control sockets and links alike. */
const HEARTBEAT_MS = 8_000;

/** Longer than a host waits for a blob that peers may hold. */
const FULL_MS = 25_000;

type Befall = (sim: Simulation, peer: PeerNode, forMs: number) => void;

export const faults = {
  crashPeer(sim, peer, forMs) {
    if (!peer.up) return;
    sim.strike("peer-crash");
    peer.crash();
    sim.clock.after(forMs, () => peer.start());
  },

  crashHost(sim, _, forMs) {
    const { host } = sim;
    if (!host.up) return;
    sim.strike("host-crash");
    host.crash();
    sim.clock.after(forMs, () => host.start());
  },

  /** In the middle of its next write: an entry, or an upload. */
  crashHostWriting(sim, _, forMs) {
    sim.when(
      ({ host }) => host.up && host.disk.writing,
      () => faults.crashHost(sim, sim.peers[0], forMs),
    );
  },

  /** While its store has not synced what it fetched or made. */
  crashPeerWriting(sim, peer, forMs) {
    sim.when(
      () => peer.up && peer.blobs.writing,
      () => faults.crashPeer(sim, peer, forMs),
    );
  },

  /** While it is down a blob of the commit under way goes bad, and then its disk has no room for what peers give back: the one case for a void. */
  rotBlob(sim, _, forMs) {
    const { host } = sim;
    const { commit } = sim.state;
    if (!host.up || commit === undefined) return;
    host.crash();
    sim.clock.after(forMs, () => host.start());
    if (sim.state.commit !== commit) return;
    sim.strike("blob-rotted");
    sim.judge.blobsLost += 1;
    host.blobs.delete(sim.random.pick(commit.contributors).update);
    host.full = true;
    sim.clock.after(forMs + FULL_MS, () => {
      host.full = false;
    });
  },

  fillDisk(sim, _, forMs) {
    sim.host.full = true;
    sim.clock.after(forMs, () => {
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

  goOffline(sim, peer, forMs) {
    if (!peer.up || peer.offline) return;
    sim.strike("offline");
    peer.offline = true;
    peer.cutControl();
    sim.clock.after(2 * forMs, () => {
      peer.offline = false;
    });
  },

  /** One end hears the other, which does not hear it. */
  partition(sim, peer, forMs) {
    const others: End[] = [HOST, HOST, ...peer.linked.keys()];
    const other = sim.random.pick(others);
    const [from, to] = sim.random.chance(0.5) ? [peer.id, other] : [other, peer.id];
    if (sim.network.blocked(from, to)) return;
    sim.network.block(from, to);
    if (2 * forMs > HEARTBEAT_MS)
      sim.clock.after(HEARTBEAT_MS, () => {
        if (other === HOST) peer.cutControl();
        else sim.network.unlink(peer.id, other);
      });
    sim.clock.after(2 * forMs, () => sim.network.unblock(from, to));
  },

  throttle(sim, peer, forMs) {
    const before = peer.stepMs;
    if (before > 1_000) return;
    sim.strike("slow");
    peer.stepMs = before * 20;
    sim.clock.after(forMs, () => {
      peer.stepMs = before;
    });
  },

  stutter(sim, peer, forMs) {
    stop(sim, peer, forMs / 4, () => {
      if (peer.time.resume(true) > 0) sim.strike("stutter");
    });
  },

  stutterHost(sim, _, forMs) {
    const { host } = sim;
    if (!host.up || host.time.stopped) return;
    host.time.stop();
    sim.clock.after(forMs / 4, () => {
      if (host.time.resume(true) > 0) sim.strike("host-stutter");
    });
  },

  /** A lid is closed. Its lines are found dead when that lasts. */
  sleep(sim, peer, forMs) {
    const counted = sim.random.chance(0.5);
    const stopped = stop(sim, peer, 4 * forMs, () => {
      peer.time.resume(counted);
    });
    if (!stopped) return;
    sim.strike(counted ? "sleep-counted" : "sleep-still");
    if (4 * forMs <= HEARTBEAT_MS) return;
    sim.clock.after(HEARTBEAT_MS, () => {
      if (!peer.time.stopped) return;
      peer.cutControl();
      for (const other of [...peer.linked.keys()]) sim.network.unlink(peer.id, other);
    });
  },

  pause(sim, peer, forMs) {
    if (!peer.up) return;
    sim.strike("paused");
    peer.time.do(() => peer.input({ type: "pause", reason: "the person asked" }));
    sim.clock.after(forMs, () => peer.time.do(() => peer.input({ type: "donate" })));
  },

  badUpdates(sim, peer, forMs) {
    if (peer.bad || sim.round === 0) return;
    peer.bad = true;
    sim.clock.after(forMs, () => {
      peer.bad = false;
    });
  },

  wrongFold(_, peer) {
    if (!peer.up) return;
    peer.wrongFolds = 1;
  },

  lie(sim, peer, forMs) {
    if (!peer.up || peer.lie !== undefined) return;
    const lie: Lie = sim.random.pick(lies);
    peer.lie = lie;
    peer.lied = true;
    peer.tainted = true;
    sim.clock.after(3 * forMs, () => {
      peer.lie = undefined;
    });
  },
} satisfies Record<string, Befall>;

export type FaultName = keyof typeof faults;
/** Names that stand twice are drawn twice as often: lies strike only when there is something to lie about. */
export const faultNames = [...Object.keys(faults), "lie", "lie", "partition", "cutSocket"] as FaultName[];

/** @returns whether it stops now */
function stop(sim: Simulation, { up, time }: PeerNode, forMs: number, resume: () => void): boolean {
  if (!up || time.stopped) return false;
  time.stop();
  sim.clock.after(forMs, resume);
  return true;
}
