// A peer's way through the log: live entries in order, gaps filled by fetching, the chain checked. [R16]
//
// A host that has less than we hold is given its entries back [R33]; one that has signed something else in their place is not
// followed, and both entries are the proof [R34].
import type { LogEntry } from "#wire";
import { checkOf, type EntryCheck, followFault } from "./chain.ts";
import { LogTail } from "./log-tail.ts";
import type { Millis, PeerOptions, PeerOutput } from "./ports.ts";
import { GIVE_BACK_BYTES, GIVE_BACK_ENTRIES } from "./recovery.ts";
import { RunState } from "./run-state.ts";
import { backoffMs, type Wake } from "./timing.ts";

/** A page of the log over a slow line takes less; after this the answer is lost. */
const ANSWER_MS = 20_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
/** A wrong log does not become right by asking: after a few times the host is at fault. */
const FAULTS_MAX = 5;
/** A host takes back ten entries at a time, and asks others before us perhaps; it syncs hundreds a second. */
const TAKE_BACK_MS = 120_000;

export class LogReader {
  readonly state: RunState;
  private readonly check: EntryCheck;
  private last: LogEntry | undefined;
  private readonly tail = new LogTail();
  /** Two entries of one seq, both signed by the host. */
  forked: { readonly ours: LogEntry; readonly theirs: LogEntry } | undefined;
  /** The log's end when this connection began. */
  welcomeSeq = -1;
  private suspect: number | undefined; //  the host's entry of that seq seems to be another than ours: it is asked for
  private shortSince: Millis | undefined; // the host's log is shorter than ours
  private headSeq: number | undefined; // as far as the host has told us in this connection
  private askedAt: Millis | undefined;
  private failures = 0;
  private faults = 0;
  private retryAt: Millis = 0;

  constructor({ run, spec, genesisHash, check = checkOf(spec) }: PeerOptions) {
    this.state = new RunState({ run, spec, genesisHash });
    this.check = check;
  }

  /** We know everything that the host has synced. False before it has spoken. */
  get caughtUp(): boolean {
    return this.headSeq === this.state.seq && this.suspect === undefined;
  }

  /** It has lost the end of its log, and takes it back. */
  get hostIsBehind(): boolean {
    return this.headSeq !== undefined && this.headSeq < this.state.seq;
  }

  /** As far as the host has told us, what it has is ours as well. */
  get agrees(): boolean {
    return this.suspect === undefined;
  }

  /** Where our log ends. */
  get head(): { seq: number; hash: string } {
    return { seq: this.state.seq, hash: this.last === undefined ? this.state.run : this.check.hashOf(this.last) };
  }

  /** @returns why this host cannot be followed */
  welcome(now: Millis, headSeq: number, headHash: string): string | undefined {
    this.headSeq = headSeq;
    this.welcomeSeq = headSeq;
    this.askedAt = undefined;
    this.suspect = undefined;
    this.shortSince = undefined;
    this.failures = 0;
    this.retryAt = 0;
    const { seq } = this.state;
    if (headSeq > seq) return undefined;
    const ours = this.tail.at(headSeq);
    if (ours === undefined && headSeq >= 0)
      return `the host's log ends at entry ${headSeq}, ours at ${seq}: more is lost than this page keeps`;
    if (ours !== undefined && this.check.hashOf(ours) !== headHash) this.suspect = headSeq;
    else if (headSeq < seq) {
      if (this.tail.at(headSeq + 1) === undefined)
        return `the host's log ends at entry ${headSeq}, ours at ${seq}: more is lost than this page keeps`;
      this.shortSince = now;
    }
    return undefined;
  }

  /** What the host asks back. */
  giveBack(from: number): LogEntry[] {
    return this.tail.from(from, GIVE_BACK_ENTRIES, GIVE_BACK_BYTES);
  }

  /** @returns why we go: it has had time to take its entries back */
  takenBack(now: Millis, wake: Wake): string | undefined {
    if (!this.hostIsBehind || this.shortSince === undefined) return undefined;
    const until = this.shortSince + TAKE_BACK_MS;
    if (now >= until) return `it ends at entry ${this.headSeq}, ours at ${this.state.seq}, and it takes none back`;
    wake.want(until);
    return undefined;
  }

  close(): void {
    this.headSeq = undefined;
    this.askedAt = undefined;
  }

  /** Broadcast by the host: taken when they follow, else they say how far the log goes. */
  live(now: Millis, entries: readonly LogEntry[], taken: (entry: LogEntry) => void): string | undefined {
    if (this.headSeq === undefined) return undefined;
    this.headSeq = Math.max(this.headSeq, entries.at(-1)?.seq ?? -1);
    return this.take(now, entries, taken);
  }

  /** The answer to fetch-log. */
  answer(now: Millis, entries: readonly LogEntry[], taken: (entry: LogEntry) => void): string | undefined {
    if (this.askedAt === undefined) return undefined;
    this.askedAt = undefined;
    const before = this.state.seq;
    const fault = this.take(now, entries, taken);
    if (this.state.seq > before) this.failures = 0;
    else this.retryAt = now + backoffMs(this.failures++, RETRY_FIRST_MS, RETRY_MAX_MS);
    return fault;
  }

  advance(now: Millis, wake: Wake): PeerOutput[] {
    if (this.headSeq === undefined || this.caughtUp) return [];
    if (this.suspect === undefined && this.hostIsBehind) return []; // it takes back what it lost
    if (this.askedAt !== undefined && now >= this.askedAt + ANSWER_MS) this.askedAt = undefined;
    const from = this.askedAt === undefined ? this.retryAt : this.askedAt + ANSWER_MS;
    if (now < from) {
      wake.want(from);
      return [];
    }
    this.askedAt = now;
    wake.want(now + ANSWER_MS);
    return [{ type: "fetch-log", from: this.suspect ?? this.state.seq + 1 }];
  }

  private take(now: Millis, entries: readonly LogEntry[], taken: (entry: LogEntry) => void): string | undefined {
    for (const entry of entries) {
      const ours = this.tail.at(entry.seq);
      if (ours === undefined) continue;
      if (entry.seq === this.suspect) this.suspect = undefined;
      if (this.check.hashOf(ours) === this.check.hashOf(entry)) continue;
      if (!this.check.isSigned(entry)) return this.fault(now, `entry ${entry.seq} is not its own`);
      this.forked = { ours, theirs: entry };
      return `it has signed two entries ${entry.seq}`;
    }
    const news = entries.filter(({ seq }) => seq > this.state.seq);
    if (news.length === 0 || news[0].seq !== this.state.seq + 1) return undefined; // a gap: the log is fetched
    // The signature of the last entry covers all before it, through the hashes; so one is checked, and before any is believed.
    let previous = this.last;
    for (const [i, entry] of news.entries()) {
      const fault = followFault(this.check, this.state.run, previous, entry, i === news.length - 1);
      if (fault !== undefined) {
        if (i === 0 && this.last !== undefined) this.suspect = this.last.seq; // perhaps it has another one there
        return this.fault(now, fault);
      }
      previous = entry;
    }
    for (const entry of news) {
      const fault = this.state.apply(entry);
      if (fault !== undefined) return this.fault(now, fault);
      this.last = entry;
      this.tail.push(entry);
      taken(entry);
    }
    return undefined;
  }

  private fault(now: Millis, reason: string): string | undefined {
    this.faults += 1;
    this.retryAt = now + backoffMs(this.faults, RETRY_FIRST_MS, RETRY_MAX_MS);
    return this.faults >= FAULTS_MAX ? reason : undefined;
  }
}
