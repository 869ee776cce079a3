// A host that starts with a stored log may have lost its end: a disk that lied about a sync, a restored backup. What it broadcast
// its peers still hold, signed by itself, so it asks before it writes. [R33]
//
//   start -> peers say where their logs end -> give-back {from} -> given-back {entries} -> checked, synced -> … -> the round goes on
import { ENTRIES_MAX, type HostMessage, type LogEntry, type PeerId } from "#wire";
import { assert } from "./assert.ts";
import type { Millis } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import type { Wake } from "./timing.ts";

/** After the first is back: a swarm whose host restarted comes back within this, each page after its own pause. */
const OTHERS_WAIT_MS = 3_000;
/** With nobody there: a page's longest pause between two attempts is 15 s, and then it has to connect. Nothing is lost by resting so long. */
const NOBODY_WAIT_MS = 20_000;
/** Ten entries over a slow line; then somebody else is asked. */
const ANSWER_MS = 5_000;

type Send = { readonly type: "send"; readonly to: PeerId; readonly message: HostMessage };

export class Recovery {
  private readonly log: RunState;
  private readonly aheadByPeer = new Map<PeerId, number>(); // who says that its log is longer, and up to which entry
  private readonly told = new Set<PeerId>(); //                who has said where its log ends, and is connected
  private readonly here = new Set<PeerId>();
  private given: LogEntry[] = []; //                           checked, and waiting for the disk
  private prunedAt = -1; //                                    the log's end when aheadByPeer was looked through
  private asked: { readonly peer: PeerId; readonly until: Millis } | undefined;
  private startedAt: Millis | undefined;
  private firstBackAt: Millis | undefined;
  /** Since when the host appends again; undefined while it waits for those who were there. */
  releasedAt: Millis | undefined;

  /** An empty log has lost nothing. */
  constructor(log: RunState) {
    this.log = log;
    if (log.seq < 0 || log.ended !== undefined) this.releasedAt = Number.NEGATIVE_INFINITY;
  }

  connected(now: Millis, peer: PeerId): void {
    this.gone(peer);
    this.here.add(peer);
    this.firstBackAt ??= now;
  }

  gone(peer: PeerId): void {
    this.here.delete(peer);
    this.told.delete(peer);
    this.failed(peer);
  }

  /** A peer's log ends there. */
  head(peer: PeerId, seq: number): void {
    assert(this.here.has(peer), "who speaks is connected");
    this.told.add(peer);
    if (seq > this.log.seq) this.aheadByPeer.set(peer, seq);
  }

  /**
   * An answer to give-back.
   * @param fault why an entry may not follow another: the chain, and our own signature
   * @returns what is wrong with it, when no honest peer sends that
   */
  take(
    peer: PeerId,
    entries: readonly LogEntry[],
    last: LogEntry | undefined,
    fault: (previous: LogEntry | undefined, entry: LogEntry) => string | undefined,
  ): string | undefined {
    if (this.asked?.peer !== peer) return "entries that nobody asked for";
    this.asked = undefined;
    let previous = last;
    for (const entry of entries) {
      const wrong = fault(previous, entry);
      if (wrong !== undefined) {
        this.failed(peer);
        return `it gives back what does not follow: ${wrong}`;
      }
      previous = entry;
    }
    if (entries.length === 0) this.failed(peer); // it keeps no entries that old
    this.given = [...entries];
    return undefined;
  }

  /** The next entry to sync as it is. */
  next(): LogEntry | undefined {
    return this.given.shift();
  }

  /** Whom to ask for what. Call it when nothing is being appended and nothing is given. */
  advance(now: Millis, wake: Wake): Send[] {
    this.startedAt ??= now;
    if (this.asked !== undefined && now >= this.asked.until) this.failed(this.asked.peer);
    if (this.log.seq !== this.prunedAt)
      for (const [peer, seq] of this.aheadByPeer) if (seq <= this.log.seq) this.aheadByPeer.delete(peer);
    this.prunedAt = this.log.seq;
    if (this.asked === undefined) {
      const [first] = [...this.aheadByPeer].sort(([, a], [, b]) => b - a);
      if (first === undefined) return [];
      this.asked = { peer: first[0], until: now + ANSWER_MS };
      wake.want(this.asked.until);
      return [{ type: "send", to: first[0], message: { type: "give-back", from: this.log.seq + 1 } }];
    }
    wake.want(this.asked.until);
    return [];
  }

  /** Nothing is known to be missing, and nobody is waited for. */
  get settled(): boolean {
    return this.releasedAt !== undefined && this.aheadByPeer.size === 0 && this.given.length === 0;
  }

  /**
   * Nothing may be appended: it might be another entry than the one that peers hold in its place.
   * @param someoneAway of the last roster
   */
  holds(now: Millis, someoneAway: boolean, wake: Wake): boolean {
    if (this.aheadByPeer.size > 0) return true;
    if (this.releasedAt !== undefined) return false;
    const awaited = someoneAway || this.told.size < this.here.size;
    const until = this.firstBackAt === undefined ? this.startedAt! + NOBODY_WAIT_MS : this.firstBackAt + OTHERS_WAIT_MS;
    if (awaited && now < until) {
      wake.want(until);
      return true;
    }
    this.releasedAt = awaited ? until : now;
    return false;
  }

  private failed(peer: PeerId): void {
    this.aheadByPeer.delete(peer);
    if (this.asked?.peer === peer) this.asked = undefined;
  }
}

/** Of a `given-back`: with the largest commits still one message of the control line. */
export const GIVE_BACK_BYTES = 128 * 1024;
export const GIVE_BACK_ENTRIES = ENTRIES_MAX;
