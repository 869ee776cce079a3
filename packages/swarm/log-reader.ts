// A peer's way through the log: live entries in order, gaps filled by fetching, the chain checked. [R16]
import { chainFault, entryHash, type LogEntry } from "#wire";
import type { Millis, PeerOptions, PeerOutput } from "./ports.ts";
import { RunState } from "./run-state.ts";
import { backoffMs, type Wake } from "./timing.ts";

/** A page of the log over a slow line takes less; after this the answer is lost. */
const ANSWER_MS = 20_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
/** A wrong log does not become right by asking: after a few times the host is at fault. */
const FAULTS_MAX = 5;

export class LogReader {
  readonly state: RunState;
  private readonly chain: NonNullable<PeerOptions["chain"]>;
  private last: LogEntry | undefined;
  private headSeq: number | undefined; // as far as the host has told us in this connection
  private askedAt: Millis | undefined;
  private failures = 0;
  private faults = 0;
  private retryAt: Millis = 0;

  constructor({ run, spec, genesisHash, chain }: PeerOptions) {
    this.state = new RunState({ run, spec, genesisHash });
    this.chain = chain ?? ((previous, entry, signed) => chainedBy(run, spec.hostKey, previous, entry, signed));
  }

  /** We know everything that the host has synced. False before it has spoken. */
  get caughtUp(): boolean {
    return this.headSeq !== undefined && this.state.seq >= this.headSeq;
  }

  /** @returns why this host cannot be followed */
  welcome(headSeq: number): string | undefined {
    this.headSeq = headSeq;
    this.askedAt = undefined;
    this.failures = 0;
    this.retryAt = 0;
    return headSeq < this.state.seq ? `the host's log ends at entry ${headSeq}, ours at ${this.state.seq}` : undefined;
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
    if (this.askedAt !== undefined && now >= this.askedAt + ANSWER_MS) this.askedAt = undefined;
    const from = this.askedAt === undefined ? this.retryAt : this.askedAt + ANSWER_MS;
    if (now < from) {
      wake.want(from);
      return [];
    }
    this.askedAt = now;
    wake.want(now + ANSWER_MS);
    return [{ type: "fetch-log", from: this.state.seq + 1 }];
  }

  private take(now: Millis, entries: readonly LogEntry[], taken: (entry: LogEntry) => void): string | undefined {
    const news = entries.filter(({ seq }) => seq > this.state.seq);
    if (news.length === 0 || news[0].seq !== this.state.seq + 1) return undefined; // a gap: the log is fetched
    // The signature of the last entry covers all before it, through the hashes; so one is checked, and before any is believed.
    let previous = this.last;
    for (const [i, entry] of news.entries()) {
      const fault = this.chain(previous, entry, i === news.length - 1);
      if (fault !== undefined) return this.fault(now, fault);
      previous = entry;
    }
    for (const entry of news) {
      const fault = this.state.apply(entry);
      if (fault !== undefined) return this.fault(now, fault);
      this.last = entry;
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

function chainedBy(run: string, hostKey: string, previous: LogEntry | undefined, entry: LogEntry, signed: boolean) {
  if (signed) return chainFault(run, hostKey, previous, entry);
  if (entry.seq !== (previous ? previous.seq + 1 : 0)) return `entry ${entry.seq} is out of place`;
  if (entry.prevHash !== (previous ? entryHash(previous) : run))
    return `entry ${entry.seq} does not name its predecessor`;
  return undefined;
}
