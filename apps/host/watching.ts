// What the API tells watchers beyond the run's document: pages of peers and rounds, a moment of the past, sums and the host's health.
//
//   /api/runs/:id/  peers?from=&limit=   rounds?from=&limit=   rounds/:round   overview         /badge/:run.svg
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Moment, type Overview, PEERS_PAGE, type PeerRow, ROUNDS_PAGE, type RoundTimes } from "#wire";
import { ApiError, notFound } from "./answer.ts";
import type { RelayMeter } from "./relay.ts";
import type { HostedRun } from "./run.ts";

/** The event loop is looked at so often; the oldest of its delays are forgotten after each overview that is made. */
const LOOP_RESOLUTION_MS = 20;
/** Asking the disk takes a system call; its answer changes slowly. */
const DISK_EVERY_MS = 10_000;

export type WatchedRun = Pick<
  HostedRun,
  "spec" | "entries" | "series" | "rounds" | "standings" | "detail" | "nameOf" | "overview" | "bytesServed"
>;

export interface WatchingOptions {
  readonly run: WatchedRun;
  readonly connections: () => number;
  readonly watchers: () => number;
  readonly relay: () => RelayMeter;
  readonly freeBytes: () => Promise<number>;
}

export class Watching {
  readonly #options: WatchingOptions;
  readonly #startedAt = Date.now();
  readonly #loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  #loopDelayMs = 0;
  #diskFreeBytes: number | null = null;
  #diskAt = Number.NEGATIVE_INFINITY;

  constructor(options: WatchingOptions) {
    this.#options = options;
    this.#loop.enable();
  }

  overview(): Overview {
    const { run, connections, watchers, relay } = this.#options;
    this.#lookAround();
    const { links, bytes } = relay();
    return {
      ...run.overview(),
      host: {
        startedAt: this.#startedAt,
        connections: connections(),
        watchers: watchers(),
        relayLinks: links,
        relayBytes: bytes,
        served: { ...run.bytesServed },
        memoryBytes: process.memoryUsage.rss(),
        loopDelayMs: this.#loopDelayMs,
        diskFreeBytes: this.#diskFreeBytes,
        logEntries: run.entries.length,
      },
    };
  }

  #lookAround(): void {
    const late = this.#loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS; // the timer's own period is no delay
    this.#loopDelayMs = Number.isFinite(late) ? Math.max(0, late) : 0;
    this.#loop.reset();
    if (performance.now() - this.#diskAt < DISK_EVERY_MS) return;
    this.#diskAt = performance.now();
    this.#options.freeBytes().then(
      (bytes) => {
        this.#diskFreeBytes = bytes;
      },
      () => {}, // not known then
    );
  }

  peers(from: number, limit: number): { peers: PeerRow[]; peersTotal: number } {
    const { peers, peersTotal } = this.#options.run.detail(from, Math.min(limit, PEERS_PAGE));
    return { peers, peersTotal };
  }

  rounds(from: number, limit: number): RoundTimes[] {
    return this.#options.run.rounds.page(from, Math.min(limit, ROUNDS_PAGE));
  }

  moment(text: string): Moment {
    const { rounds, series, standings, nameOf } = this.#options.run;
    const round = Number(text);
    if (!/^\d{1,9}$/.test(text) || round < 1)
      throw new ApiError(400, "parameter", `The round is "${text}"; it must be a whole number from 1 on.`);
    const seal = rounds.sealOf(round);
    const times = rounds.of(round - 1);
    if (seal === undefined || times === undefined)
      throw notFound(`Round ${round} is not sealed; ${rounds.length} rounds are.`);
    const rows = standings.after(round);
    const tokens = series.at("contributors", round)?.tokens ?? 0;
    return {
      round,
      time: seal.time,
      tokens,
      anchorHash: seal.anchorHash,
      trainLoss: series.at("trainLoss", round)?.value ?? null,
      evalLoss: series.at("evalLoss", round)?.value ?? null,
      times,
      standings: rows.slice(0, PEERS_PAGE).map((row) => ({ ...row, name: nameOf.call(this.#options.run, row.peer) })),
      standingsTotal: rows.length,
    };
  }

  close(): void {
    this.#loop.disable();
  }
}
