// The host serves what no peer can: pieces that no link has or will soon have, and what failed elsewhere. [R40]
//
//   wanted, nobody linked has that piece -> (a bounded wait) -> ask-host -> host-list, host-piece ... -> checked like any stranger's
import { type PeerId, PIECE_LIST } from "#wire";
import type { Millis } from "../ports.ts";
import { backoffMs } from "../timing.ts";
import type { Context } from "./context.ts";
import type { Wanted } from "./wanted.ts";

/** A link answers `want` within a round trip, or is too slow to wait for. */
const ANSWER_MS = 1_000;
/**
 * A link that has just come up gets so long: its machine trains on its processor perhaps, and ours compiles (two browsers on two cores took more
 * than a second). Once only, for a peer that has banned us never answers. Text is worth no such wait.
 */
const FIRST_ANSWER_MS = { round: 5_000, background: 1_000 };
/**
 * What no link has, but one may get or is on its way up: the host is spared for so long since the last news. A hop costs a round trip
 * and a piece (0.15 s at 20 Mbit/s), and in a mesh of degree 8 a hundred peers are three hops apart. The drawn part lets one peer ask first.
 */
const WAIT_MS = 1_500;
export const WAIT_DRAWN_MS = 1_000;
/** While links keep our line busy, the host could give nothing sooner; that long at most, because the blob may be lost to all who are linked. */
const WAIT_BUSY_MS = 15_000;
/** Links that sent us nothing for so long keep our line busy no more: three hops' time. */
const QUIET_MS = 500;
/** 2 MiB at a time, so that links take over soon when they get the rest; a token shard comes in one request. */
const RUN_PIECES_MAX = 8;
/** Blobs of one urgency at once: enough to hide the round trip to the host, few enough to keep other requests quick. */
const RUNS_MAX = 4;
const TIMEOUT_MS = 15_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
/** Nobody has it and the host may not be asked: said so often. */
const NOBODY_MS = 5_000;

export interface HostLastOptions {
  readonly context: Context;
  readonly get: (name: string) => Wanted | undefined;
  /** That piece came, and is the right one. */
  readonly take: (wanted: Wanted, piece: number) => void;
  readonly listCame: (wanted: Wanted) => void;
  readonly report: (wanted: Wanted, reason: string) => void;
  /** That link wants this blob itself, so it may soon have it. */
  readonly wantsToo: (peer: PeerId, name: string) => boolean;
  /** When a link last sent us a part of any blob. */
  readonly heardAt: () => Millis;
}

export class HostLast {
  private readonly options: HostLastOptions;

  constructor(options: HostLastOptions) {
    this.options = options;
  }

  // ---- what the host answers --------------------------------------------------------------------------------------------

  list(name: string, list: Uint8Array): void {
    const wanted = this.options.get(name);
    if (!wanted?.hostRun?.list) return;
    wanted.hostRun = undefined;
    const fault = wanted.list ? undefined : wanted.takeList(list);
    if (fault !== undefined) return this.failed(name, `the host sent ${fault}`);
    wanted.hostFailures = 0;
    this.options.listCame(wanted);
  }

  piece(name: string, piece: number, bytes: Uint8Array): void {
    const { context, get, take } = this.options;
    const wanted = get(name);
    const run = wanted?.hostRun;
    if (!wanted || !run || run.list || piece < run.first || piece >= run.end || wanted.checked.has(piece)) return;
    run.heardAt = context.now;
    const place = wanted.piece(piece);
    if (bytes.length === place.length) place.set(bytes);
    if (bytes.length !== place.length || !wanted.isGood(piece)) {
      context.emit({ type: "stop-host", name });
      return this.failed(name, "the host sent a wrong piece");
    }
    wanted.hostFailures = 0;
    take(wanted, piece);
  }

  done(name: string): void {
    const wanted = this.options.get(name);
    if (wanted) wanted.hostRun = undefined;
  }

  failed(name: string, reason: string): void {
    const { context, get, report } = this.options;
    const wanted = get(name);
    if (!wanted) return;
    wanted.hostRun = undefined;
    wanted.hostAt = context.now + backoffMs(wanted.hostFailures++, RETRY_FIRST_MS, RETRY_MAX_MS);
    report(wanted, reason);
  }

  // ---- when it is asked -------------------------------------------------------------------------------------------------

  /** @returns when to come again, at the latest */
  advance(running: readonly Wanted[]): Millis {
    const { context, report } = this.options;
    const { now, emit } = context;
    let comeAt = Number.POSITIVE_INFINITY;
    const runs = { round: 0, background: 0 };
    for (const { name, hostRun, urgency } of running) {
      if (!hostRun) continue;
      runs[urgency] += 1;
      if (now < hostRun.heardAt + TIMEOUT_MS) comeAt = Math.min(comeAt, hostRun.heardAt + TIMEOUT_MS);
      else {
        emit({ type: "stop-host", name });
        this.failed(name, `the host was silent for ${TIMEOUT_MS} ms`);
      }
    }
    for (const wanted of running) {
      if (wanted.hostRun) continue;
      const hopeless = wanted.wrongSize ?? (wanted.host === "never" ? "no peer that is linked has it" : undefined);
      const givesWay = wanted.urgency === "background" && runs.round > 0;
      if (hopeless === undefined && (givesWay || runs[wanted.urgency] >= RUNS_MAX)) continue;
      const piece = wanted.wrongSize === undefined ? this.firstPiece(wanted) : 0;
      if (piece === undefined) continue;
      const until = Math.max(wanted.hostAt, this.waitUntil(wanted));
      if (now < until) comeAt = Math.min(comeAt, until);
      else if (hopeless !== undefined) {
        wanted.hostAt = now + NOBODY_MS;
        comeAt = Math.min(comeAt, wanted.hostAt);
        report(wanted, hopeless);
      } else if (this.ask(wanted, piece)) {
        runs[wanted.urgency] += 1;
        comeAt = Math.min(comeAt, now + TIMEOUT_MS);
      }
    }
    return comeAt;
  }

  /** Of those that no link has; at a drawn place, so that neighbours get different ones from the host and the rest from each other. */
  private firstPiece(wanted: Wanted): number | undefined {
    const { draw, now } = this.options.context;
    const inOneRun = wanted.open === wanted.pieces && wanted.pieces <= RUN_PIECES_MAX;
    return wanted.unreachable(now, inOneRun ? 0 : draw(wanted.pieces));
  }

  private waitUntil(wanted: Wanted): Millis {
    const { linkByPeer, now, comingUntil } = this.options.context;
    if (wanted.host === "at-once") return now;
    // Nobody is linked yet, so a joiner's updates would all come from the host. Text is worth no such wait: the line is idle.
    if (linkByPeer.size === 0 && wanted.urgency === "round" && comingUntil() > now) return comingUntil();
    let answersUntil = now;
    let hope = comingUntil() > now;
    for (const [peer, { upAt }] of linkByPeer) {
      const source = wanted.sourceByPeer.get(peer);
      if (source?.answered) hope ||= this.options.wantsToo(peer, wanted.name);
      else answersUntil = Math.max(answersUntil, upAt + FIRST_ANSWER_MS[wanted.urgency], wanted.newsAt + ANSWER_MS);
    }
    if (!hope && answersUntil <= now) return now;
    const quietAt = Math.min(this.options.heardAt() + QUIET_MS, wanted.newsAt + WAIT_BUSY_MS);
    return Math.max(answersUntil, Math.max(wanted.newsAt + WAIT_MS, quietAt) + wanted.drawnWaitMs);
  }

  private ask(wanted: Wanted, first: number): boolean {
    const { emit, now } = this.options.context;
    const { name, bytes } = wanted;
    const list = wanted.listNeeded && !wanted.list;
    if (list && wanted.requestByPiece.has(PIECE_LIST)) return false;
    let end = first;
    if (!list) while (end < wanted.pieces && end - first < RUN_PIECES_MAX && wanted.isOpen(end)) end += 1;
    wanted.hostRun = { first, end, list, heardAt: now };
    emit({ type: "ask-host", name, bytes, first, pieces: end - first, list });
    return true;
  }
}
