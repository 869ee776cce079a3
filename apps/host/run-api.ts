// The documents of one run: what `/api/runs/:id` and its pages answer.
//
//   log      commits carry tokens, bytes, contributorCount and, once sealed, anchorHash; `raw=1` gives entries exactly as they were
//            signed, for peers and auditors (their schema and hash know no further fields)
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HostBlobs } from "#store/disk";
import {
  CHECKPOINTS_PAGE,
  type CheckpointRow,
  type LogEntry,
  PEERS_PAGE,
  ROUNDS_PAGE,
  type Series,
  seriesMetrics,
} from "#wire";
import { ApiError, answerJson, answerText, notFound, numberOf } from "./answer.ts";
import { badgeSvg } from "./badge.ts";
import { EventStreams } from "./events.ts";
import { ExportApi, type ExportedRun } from "./export-api.ts";
import type { HostedRun } from "./run.ts";
import { csvOf, type Metric, POINTS_MAX } from "./series.ts";
import { type HostState, type WatchedRun, Watching } from "./watching.ts";

/** Entries and bytes in one answer: 1,000 commits of one contributor are 1 MB; large rosters stop at the bytes. */
const LOG_ENTRIES_MAX = 1000;
const LOG_BYTES_MAX = 4 * 1024 * 1024;
const POINTS_DEFAULT = 500;
/** A seal follows its commit at once, but evaluations and checkpoints of older rounds may come between. */
const SEAL_WITHIN = 64;

/** What its documents are made of: a hosted run, or one that a bench makes up. */
export type DocumentedRun = WatchedRun &
  ExportedRun &
  Pick<HostedRun, "id" | "summary" | "anchors" | "samples" | "subscribe" | "notReady" | "foldingSeconds">;

export class RunApi {
  readonly #run: DocumentedRun;
  readonly #blobs: Pick<HostBlobs, "has">;
  readonly #export: ExportApi;
  readonly #events: EventStreams;
  readonly #watching: Watching;

  constructor(run: DocumentedRun, blobs: Pick<HostBlobs, "has" | "get" | "read">, host: () => HostState) {
    this.#run = run;
    this.#blobs = blobs;
    this.#export = new ExportApi(run, blobs);
    this.#watching = new Watching(run, host);
    this.#events = new EventStreams(run, () => this.#watching.overview());
  }

  /** How many follow its events. */
  get watchers(): number {
    return this.#events.size;
  }

  /** @param what of the path what comes behind the run's id. @throws ApiError */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    what: string,
    query: URLSearchParams,
  ): Promise<void> {
    const momentOf = /^rounds\/([^/]+)$/.exec(what)?.[1];
    if (momentOf !== undefined) return answerJson(response, 200, this.#watching.moment(momentOf));
    const exported = /^export\/([^/]+)$/.exec(what)?.[1];
    if (exported !== undefined) return this.#export.answer(request, response, exported, query);
    const page = (limitMax: number): [from: number, limit: number] => [
      numberOf(query, "from", 0, 0, Number.MAX_SAFE_INTEGER),
      numberOf(query, "limit", limitMax, 1, limitMax),
    ];
    switch (what) {
      case "":
        return answerJson(response, 200, this.#run.detail(numberOf(query, "peers", 0, 0, 1_000_000), PEERS_PAGE));
      case "log":
        return answerJson(response, 200, this.#log(query));
      case "series":
        return this.#sendSeries(response, query);
      case "events":
        if (request.method === "HEAD") return answerText(response, "text/event-stream", "");
        return this.#events.add(response);
      case "anchor":
        return answerJson(response, 200, await this.#anchor());
      case "checkpoints":
        return answerJson(response, 200, { checkpoints: await this.#checkpoints() });
      case "checkpoints/latest":
        return answerJson(response, 200, this.#latestCheckpoint());
      case "samples":
        return answerJson(response, 200, this.#run.samples);
      case "export":
        return this.#export.answer(request, response, undefined, query);
      case "peers":
        return answerJson(response, 200, this.#watching.peers(...page(PEERS_PAGE)));
      case "rounds":
        return answerJson(response, 200, this.#watching.rounds(...page(ROUNDS_PAGE)));
      case "diagnosis":
        return answerJson(response, 200, this.#run.diagnosis);
      case "overview":
        return answerJson(response, 200, this.#watching.overview());
      default:
        throw notFound(
          `A run has no "${what}". It has log, series, events, anchor, checkpoints, checkpoints/latest, export, samples, peers, rounds, diagnosis, overview.`,
        );
    }
  }

  /** For pages of anybody: a picture, which scripts there cannot read. */
  badge(response: ServerResponse): void {
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    answerText(response, "image/svg+xml", badgeSvg(this.#run.detail(0, Number.MAX_SAFE_INTEGER)));
  }

  #log(query: URLSearchParams): unknown[] {
    const { entries } = this.#run;
    const from = numberOf(query, "from", 0, 0, Number.MAX_SAFE_INTEGER);
    const limit = numberOf(query, "limit", LOG_ENTRIES_MAX, 1, LOG_ENTRIES_MAX);
    const raw = query.get("raw") === "1";
    const page: unknown[] = [];
    let bytes = 0;
    for (let seq = from; seq < entries.length && page.length < limit; seq++) {
      const document = raw ? entries[seq] : this.#described(entries[seq]);
      bytes += JSON.stringify(document).length;
      if (page.length > 0 && bytes > LOG_BYTES_MAX) break;
      page.push(document);
    }
    return page;
  }

  #described(entry: LogEntry): unknown {
    if (entry.type !== "commit") return entry;
    const { contributors } = entry;
    const seal = this.#run.entries
      .slice(entry.seq + 1, entry.seq + SEAL_WITHIN)
      .find((next) => (next.type === "seal" || next.type === "void") && next.round === entry.round);
    return {
      ...entry,
      tokens: contributors.reduce((sum, { tokens }) => sum + tokens, 0),
      bytes: contributors.reduce((sum, { bytes }) => sum + bytes, 0),
      contributorCount: contributors.length,
      ...(seal?.type === "seal" ? { anchorHash: seal.anchorHash } : {}),
    };
  }

  #sendSeries(response: ServerResponse, query: URLSearchParams): void {
    const series = this.#series(query);
    const format = query.get("format") ?? "json";
    if (format === "csv") return answerText(response, "text/csv; charset=utf-8", csvOf(series));
    if (format !== "json") throw new ApiError(400, "parameter", `format is "${format}"; there are json and csv.`);
    answerJson(response, 200, series);
  }

  #series(query: URLSearchParams): Series {
    const metric = query.get("metric") ?? "trainLoss";
    if (!(seriesMetrics as readonly string[]).includes(metric))
      throw new ApiError(400, "metric", `There is no metric "${metric}". There are ${seriesMetrics.join(", ")}.`);
    const from = numberOf(query, "from", 0, 0, Number.MAX_SAFE_INTEGER);
    const to = numberOf(query, "to", Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER);
    const points = numberOf(query, "points", POINTS_DEFAULT, 1, POINTS_MAX);
    return this.#run.series.query(metric as Metric, from, to, points);
  }

  #latestCheckpoint(): unknown {
    const checkpoint = this.#run.entries.findLast((entry) => entry.type === "checkpoint");
    if (checkpoint === undefined) throw notFound("This run has no checkpoint yet; the first comes after a few rounds.");
    const { round, anchorHash, blobs } = checkpoint;
    return { round, anchorHash, blobs };
  }

  async #anchor(): Promise<CheckpointRow> {
    const row = await this.#run.anchors.newest();
    if (row === undefined) throw notFound("This host gives no anchor but its checkpoints now.");
    return row;
  }

  async #checkpoints(): Promise<CheckpointRow[]> {
    const all = this.#run.entries.filter((entry) => entry.type === "checkpoint").reverse();
    const newest = all.slice(0, CHECKPOINTS_PAGE / 2);
    const some = Math.min(CHECKPOINTS_PAGE - newest.length, all.length - newest.length);
    const older = Array.from(
      { length: some },
      (_, i) => all[newest.length + Math.floor((i * (all.length - newest.length)) / some)],
    );
    const rows: CheckpointRow[] = [];
    for (const { round, anchorHash, time, blobs: named } of [...newest, ...older]) {
      const here = await Promise.all(named.map(({ hash }) => this.#blobs.has(hash)));
      if (here.every(Boolean)) rows.push({ round, anchorHash, time, blobs: named });
    }
    return rows;
  }

  close(): void {
    this.#events.close();
  }
}
