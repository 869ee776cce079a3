// What a test has seen of a run, from outside and with times: every entry that anybody was told, and every anchor that a page held.
//
//   API reader, pages -> hash by seq, anchors, seals in time -> contradictions, stalls, recoveries
import { type EntryOf, entryHash, type LogEntry, type PeerId } from "../../packages/wire/index.ts";

export interface Seal {
  readonly atMs: number;
  /** When the open that its commit answers was appended. */
  readonly openedMs: number;
  readonly round: number;
  readonly contributors: readonly PeerId[];
}

export class RunRecord {
  readonly seals: Seal[] = [];
  /** Two observers were told different things. */
  readonly contradictions: string[] = [];
  /** "round hash" -> the first who held it. */
  readonly #anchors = new Map<string, string>();
  readonly #hashBySeq = new Map<number, string>();
  readonly #onSeal: (seal: Seal) => void;
  #commit: EntryOf<"commit"> | undefined;
  #openedMs = 0;
  #nextSeq = 0;

  constructor(onSeal: (seal: Seal) => void) {
    this.#onSeal = onSeal;
  }

  /** The first entry that the API's reader has not seen. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  get entriesSeen(): number {
    return this.#hashBySeq.size;
  }

  /** Somebody was told of it: it is acknowledged, whatever happens to the host now. */
  saw(who: string, seq: number, hash: string): void {
    const before = this.#hashBySeq.get(seq);
    if (before === undefined) this.#hashBySeq.set(seq, hash);
    else if (before !== hash) this.contradictions.push(`entry ${seq} was ${before}, and ${who} was told ${hash}`);
  }

  held(who: string, round: number, anchorHash: string): void {
    const key = `${round} ${anchorHash}`;
    if (!this.#anchors.has(key)) this.#anchors.set(key, who);
  }

  /** From the API, in order. */
  read(atMs: number, entry: LogEntry): void {
    this.saw("the API's reader", entry.seq, entryHash(entry));
    if (entry.seq !== this.#nextSeq) return;
    this.#nextSeq += 1;
    if (entry.type === "open") this.#openedMs = atMs;
    if (entry.type === "commit") this.#commit = entry;
    if (entry.type !== "seal" || this.#commit === undefined) return;
    const contributors = this.#commit.contributors.map(({ peer }) => peer);
    const seal = { atMs, openedMs: this.#openedMs, round: entry.round, contributors };
    this.seals.push(seal);
    this.#onSeal(seal);
  }

  /** What somebody was told and the log does not hold. */
  lost(log: readonly LogEntry[]): string[] {
    const hashes = log.map(entryHash);
    return [...this.#hashBySeq].flatMap(([seq, hash]) =>
      hashes[seq] === hash ? [] : [`entry ${seq} was ${hash}, and is ${hashes[seq] ?? "gone"}`],
    );
  }

  /** Anchors that pages held and that are not what the log sealed: after a void a round is folded anew, so any of its seals will do. */
  strayAnchors(log: readonly LogEntry[]): string[] {
    const sealed = new Set<string>();
    const voided = new Set<number>();
    for (const entry of log) {
      if (entry.type === "open") sealed.add(`${entry.round} ${entry.baseHash}`);
      if (entry.type === "seal") sealed.add(`${entry.round + 1} ${entry.anchorHash}`);
      if (entry.type === "void") voided.add(entry.round + 1);
    }
    return [...this.#anchors].flatMap(([key, who]) =>
      sealed.has(key) || voided.has(Number(key.split(" ")[0])) ? [] : [`${who} held ${key}`],
    );
  }

  /** The first seal after `atMs` that names at least `least` of these. */
  sealedAfter(atMs: number, peers: readonly PeerId[], least: number): Seal | undefined {
    return this.seals.find(
      (seal) => seal.atMs > atMs && seal.contributors.filter((peer) => peers.includes(peer)).length >= least,
    );
  }

  /** Seal to seal, of so many rounds after the seal of that index. */
  roundsMs(index: number, count: number): number[] {
    const seals = this.seals.slice(index, index + count + 1);
    return seals.slice(1).map(({ atMs }, i) => atMs - seals[i].atMs);
  }

  /** Times between one seal and the next, from the last seal before `fromMs` on. */
  gaps(fromMs: number, untilMs: number): { readonly atMs: number; readonly ms: number }[] {
    const times = this.seals.map(({ atMs }) => atMs).filter((atMs) => atMs < untilMs);
    const first = Math.max(
      0,
      times.findLastIndex((atMs) => atMs <= fromMs),
    );
    const ends = [...times.slice(first + 1), untilMs];
    return ends.map((end, i) => ({ atMs: times[first + i] ?? fromMs, ms: end - (times[first + i] ?? fromMs) }));
  }
}

/** The value below which that part of them lies; NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
