// The HTTP API, as design and README describe it: documents from the run, blobs from the disk, events as they happen.
//
//   GET /badge/:id.svg         the run as a picture for other pages
//   GET /api/runs/:id/log      commits carry tokens, bytes, contributorCount and, once sealed, anchorHash; `raw=1` gives entries exactly as
//                              they were signed, for peers and auditors (their schema and hash know no further fields)
import { createReadStream } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { StorageError } from "#store";
import { BlobRefused, type DiskBlobStore } from "#store/disk";
import {
  CHECKPOINTS_PAGE,
  type CheckpointRow,
  hashSchema,
  holdersOf,
  type LogEntry,
  type NetworkOffer,
  PEERS_PAGE,
  type PeerId,
  ROUNDS_PAGE,
  type Series,
  seriesMetrics,
} from "#wire";
import { ApiError, answerJson, answerText, notFound } from "./answer.ts";
import { badgeSvg } from "./badge.ts";
import { DiskRoom } from "./disk-room.ts";
import { EventStreams } from "./events.ts";
import { GzipCache } from "./gzip-cache.ts";
import { metricsText } from "./metrics.ts";
import { PieceLists } from "./piece-lists.ts";
import type { RelayMeter } from "./relay.ts";
import type { HostedRun } from "./run.ts";
import { csvOf, type Metric, POINTS_MAX } from "./series.ts";
import { type WatchedRun, Watching } from "./watching.ts";

/** Entries and bytes in one answer: 1,000 commits of one contributor are 1 MB; large rosters stop at the bytes. */
const LOG_ENTRIES_MAX = 1000;
const LOG_BYTES_MAX = 4 * 1024 * 1024;
const POINTS_DEFAULT = 500;
/** Uploads of one peer under way: its update, and one more while a lost connection is not yet known to be lost. */
const UPLOADS_MAX = 2;
/** Uploads of one peer that no commit has named: older ones are deleted, so that nobody fills the disk. */
const UNNAMED_MAX = 4;
/** And of all: keys cost nothing, so a limit for each is none. As many as may be connected. */
const UNNAMED_TOTAL_MAX = 2_048;

/** What the API asks of a run: a hosted one, or one that a bench makes up. */
export type ServedRun = WatchedRun &
  Pick<
    HostedRun,
    | "id"
    | "summary"
    | "anchors"
    | "subscribe"
    | "kindOf"
    | "isOffered"
    | "blobStored"
    | "blobDropped"
    | "uploadBytesMax"
  >;

export interface ApiOptions {
  readonly run: ServedRun;
  readonly blobs: DiskBlobStore;
  readonly peerOfToken: (token: string) => { run: string; peer: PeerId } | undefined;
  readonly connections: () => number;
  readonly relay: () => RelayMeter;
  readonly network: (request: IncomingMessage) => NetworkOffer;
  readonly originIsAllowed: (request: IncomingMessage) => boolean;
  /** A line for the operator. */
  readonly report: (line: string) => void;
}

export class Api {
  readonly #options: ApiOptions;
  readonly #events: EventStreams;
  readonly #watching: Watching;
  readonly #diskRoom: DiskRoom;
  readonly #gzips: GzipCache;
  readonly #pieceLists: PieceLists;
  readonly #uploadsByPeer = new Map<PeerId, number>();
  readonly #unnamed = new Map<string, PeerId>(); // uploads that no commit has named, oldest first: blob -> who sent it
  readonly #named = new Set<string>(); // updates that a commit names

  constructor(options: ApiOptions) {
    this.#options = options;
    const { run } = options;
    this.#watching = new Watching({
      ...options,
      watchers: () => this.#events.size,
      freeBytes: () => options.blobs.freeBytes(),
    });
    this.#diskRoom = new DiskRoom({
      freeBytes: () => options.blobs.freeBytes(),
      now: () => performance.now(),
      report: options.report,
    });
    this.#events = new EventStreams(run, () => this.#watching.overview());
    this.#gzips = new GzipCache((name) => options.blobs.get(name));
    this.#pieceLists = new PieceLists((name) => options.blobs.pieceList(name));
    for (const entry of run.entries) this.#learn(entry);
    run.subscribe({ entry: (entry) => this.#learn(entry) });
  }

  #learn(entry: LogEntry): void {
    if (entry.type === "commit") for (const { update } of entry.contributors) this.#named.add(update);
  }

  /** @returns false when the path is none of the API's. @throws ApiError */
  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
    const path = url.pathname;
    if (path === "/healthz") return this.#get(request, () => answerJson(response, 200, { ok: true }));
    if (path === "/metrics")
      return this.#get(request, () =>
        answerText(
          response,
          "text/plain; version=0.0.4",
          metricsText(this.#options.run, this.#options.connections(), this.#options.relay()),
        ),
      );
    const badge = /^\/badge\/([^/]+)\.svg$/.exec(path)?.[1];
    if (badge !== undefined) return this.#get(request, () => this.#badge(response, badge));
    if (!path.startsWith("/api/")) return false;
    const [, , noun, id, ...rest] = path.split("/");
    if (noun === "runs") {
      if (id === undefined || id === "")
        return this.#get(request, () => answerJson(response, 200, [this.#options.run.summary()]));
      return this.#get(request, () => this.#run(request, response, id, rest.join("/"), url.searchParams));
    }
    if (path === "/api/network")
      return this.#get(request, () => answerJson(response, 200, this.#options.network(request)));
    if (noun === "blobs" && id !== undefined && rest.join("/") === "pieces")
      return this.#get(request, () => this.#sendPieceList(response, id));
    if (noun === "blobs" && id !== undefined && rest.length === 0) {
      await this.#blob(request, response, id);
      return true;
    }
    throw notFound(`There is no ${path}. The API is described in the README.`);
  }

  async #get(request: IncomingMessage, answer: () => void | Promise<void>): Promise<true> {
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new ApiError(405, "method", `${request.method} is not possible here; GET is.`);
    await answer();
    return true;
  }

  #run(
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    what: string,
    query: URLSearchParams,
  ): void | Promise<void> {
    const { run } = this.#options;
    this.#mustServe(id);
    const momentOf = /^rounds\/([^/]+)$/.exec(what)?.[1];
    if (momentOf !== undefined) return answerJson(response, 200, this.#watching.moment(momentOf));
    const page = (limitMax: number): [from: number, limit: number] => [
      numberOf(query, "from", 0, 0, Number.MAX_SAFE_INTEGER),
      numberOf(query, "limit", limitMax, 1, limitMax),
    ];
    switch (what) {
      case "":
        return answerJson(response, 200, run.detail(numberOf(query, "peers", 0, 0, 1_000_000), PEERS_PAGE));
      case "log":
        return answerJson(response, 200, this.#log(query));
      case "series":
        return this.#sendSeries(response, query);
      case "events":
        if (request.method === "HEAD") return answerText(response, "text/event-stream", "");
        return this.#events.add(response);
      case "anchor":
        return this.#anchor().then((row) => answerJson(response, 200, row));
      case "checkpoints":
        return this.#checkpoints().then((checkpoints) => answerJson(response, 200, { checkpoints }));
      case "checkpoints/latest":
        return answerJson(response, 200, this.#latestCheckpoint());
      case "peers":
        return answerJson(response, 200, this.#watching.peers(...page(PEERS_PAGE)));
      case "rounds":
        return answerJson(response, 200, this.#watching.rounds(...page(ROUNDS_PAGE)));
      case "overview":
        return answerJson(response, 200, this.#watching.overview());
      default:
        throw notFound(
          `A run has no "${what}". It has log, series, events, anchor, checkpoints, checkpoints/latest, peers, rounds, overview.`,
        );
    }
  }

  #mustServe(id: string): void {
    const { run } = this.#options;
    if (id !== "default" && id !== run.id) throw notFound(`This host serves run ${run.id}, not ${id}.`);
  }

  /** For pages of anybody: a picture, which scripts there cannot read. */
  #badge(response: ServerResponse, id: string): void {
    this.#mustServe(id);
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    answerText(response, "image/svg+xml", badgeSvg(this.#options.run.detail(0, Number.MAX_SAFE_INTEGER)));
  }

  #log(query: URLSearchParams): unknown[] {
    const { entries } = this.#options.run;
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
    const seal = this.#options.run.entries
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
    return this.#options.run.series.query(metric as Metric, from, to, points);
  }

  #latestCheckpoint(): unknown {
    const checkpoint = this.#options.run.entries.findLast((entry) => entry.type === "checkpoint");
    if (checkpoint === undefined) throw notFound("This run has no checkpoint yet; the first comes after a few rounds.");
    const { round, anchorHash, blobs } = checkpoint;
    return { round, anchorHash, blobs };
  }

  async #anchor(): Promise<CheckpointRow> {
    const row = await this.#options.run.anchors.newest();
    if (row === undefined) throw notFound("This host gives no anchor but its checkpoints now.");
    return row;
  }

  async #checkpoints(): Promise<CheckpointRow[]> {
    const { run, blobs } = this.#options;
    const all = run.entries.filter((entry) => entry.type === "checkpoint").reverse();
    const newest = all.slice(0, CHECKPOINTS_PAGE / 2);
    const some = Math.min(CHECKPOINTS_PAGE - newest.length, all.length - newest.length);
    const older = Array.from(
      { length: some },
      (_, i) => all[newest.length + Math.floor((i * (all.length - newest.length)) / some)],
    );
    const rows: CheckpointRow[] = [];
    for (const { round, anchorHash, time, blobs: named } of [...newest, ...older]) {
      const here = await Promise.all(named.map(({ hash }) => blobs.has(hash)));
      if (here.every(Boolean)) rows.push({ round, anchorHash, time, blobs: named });
    }
    return rows;
  }

  // ---- blobs ------------------------------------------------------------------------------------------------------------

  async #blob(request: IncomingMessage, response: ServerResponse, hash: string): Promise<void> {
    if (!hashSchema.safeParse(hash).success)
      throw new ApiError(400, "hash", "A blob's name has 64 lower-case hex digits.");
    if (request.method === "GET" || request.method === "HEAD") return this.#sendBlob(request, response, hash);
    if (request.method === "PUT") return this.#takeBlob(request, response, hash);
    throw new ApiError(405, "method", `${request.method} is not possible here; GET, HEAD and PUT are.`);
  }

  async #sendBlob(request: IncomingMessage, response: ServerResponse, hash: string): Promise<void> {
    const { blobs, run } = this.#options;
    const shelved = run.anchors.bytes(hash);
    const size = shelved?.length ?? (await blobs.bytes(hash));
    if (size === undefined) throw notFound(`Blob ${hash} is not here.`);
    const headers: Record<string, string | number> = {
      "Content-Type": "application/octet-stream",
      "Accept-Ranges": "bytes",
      "Cache-Control": "public, max-age=31536000, immutable", // a name never gets other bytes
      ETag: `"${hash}"`,
    };
    const kind = run.kindOf(hash);
    if (kind === "shard") response.appendHeader("Vary", "Accept-Encoding");
    if (kind === "shard" && request.headers.range === undefined && acceptsGzip(request)) {
      const packed = await this.#gzips.get(hash);
      if (packed !== undefined) {
        // Other bytes than the blob's own, so another tag; the name is checked by whoever unpacks them.
        response.writeHead(200, {
          ...headers,
          ...gzipHeaders,
          ETag: `"${hash}-gzip"`,
          "Content-Length": packed.length,
        });
        if (request.method === "HEAD") return void response.end();
        run.bytesServed.shard += packed.length;
        return void response.end(packed);
      }
    }
    const range = parseRange(request.headers.range, size);
    if (range === "unsatisfiable") {
      response.setHeader("Content-Range", `bytes */${size}`);
      throw new ApiError(416, "range", `The blob has ${size} bytes.`);
    }
    const { start, end } = range ?? { start: 0, end: size - 1 };
    if (range !== undefined) headers["Content-Range"] = `bytes ${start}-${end}/${size}`;
    headers["Content-Length"] = end - start + 1;
    response.writeHead(range === undefined ? 200 : 206, headers);
    if (request.method === "HEAD" || size === 0) return void response.end();
    if (shelved) {
      run.bytesServed.checkpoint += end - start + 1;
      return void response.end(shelved.subarray(start, end + 1));
    }
    const file = createReadStream(blobs.path(hash), { start, end });
    for await (const chunk of file) {
      if (response.destroyed) break;
      run.bytesServed[kind] += (chunk as Buffer).length;
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  }

  /** Hash by hash, for who takes pieces from several sources. Its own hash is the blob's name, so it needs no trust. */
  async #sendPieceList(response: ServerResponse, hash: string): Promise<void> {
    const { blobs, run } = this.#options;
    if (!hashSchema.safeParse(hash).success)
      throw new ApiError(400, "hash", "A blob's name has 64 lower-case hex digits.");
    if (!(await blobs.has(hash))) throw notFound(`Blob ${hash} is not here.`);
    const list = await this.#pieceLists.get(hash);
    response.writeHead(200, {
      "Content-Type": "application/octet-stream",
      "Content-Length": list.length,
      "Cache-Control": "public, max-age=31536000, immutable",
    });
    run.bytesServed[run.kindOf(hash)] += list.length;
    response.end(list);
  }

  async #takeBlob(request: IncomingMessage, response: ServerResponse, hash: string): Promise<void> {
    const { blobs, run, peerOfToken, originIsAllowed } = this.#options;
    if (!originIsAllowed(request))
      throw new ApiError(403, "origin", "This page's origin may not write here (--allow-origin).");
    const token = /^Bearer ([0-9a-f]{64})$/.exec(request.headers.authorization ?? "")?.[1];
    const session = token === undefined ? undefined : peerOfToken(token);
    if (session === undefined || session.run !== run.id)
      throw new ApiError(401, "session", "Uploading needs the session token of an open /signal connection.");
    if (holdersOf(run.spec) !== undefined)
      throw new ApiError(409, "kept-by-peers", "The updates of this run are kept by its peers; this host takes none.");
    const { peer } = session;
    const bytesMax = run.uploadBytesMax;
    const announced = Number(request.headers["content-length"] ?? 0);
    if (announced > bytesMax)
      throw new ApiError(413, "too-large", `An update of this run has at most ${bytesMax} bytes.`);
    const stored = await blobs.bytes(hash);
    if (stored !== undefined) {
      request.resume();
      run.blobStored(hash, stored);
      return answerJson(response, 200, { hash, bytes: stored });
    }
    const uploads = this.#uploadsByPeer.get(peer) ?? 0;
    if (uploads >= UPLOADS_MAX) throw new ApiError(429, "uploads", `${UPLOADS_MAX} uploads at once are all.`);
    this.#uploadsByPeer.set(peer, uploads + 1);
    try {
      if (!(await this.#diskRoom.isThere()))
        throw new ApiError(507, "disk-full", "The host's disk is nearly full; its operator must make room.");
      const bytes = await blobs.receive(hash, request, bytesMax);
      await this.#dropUnnamed(peer, hash);
      run.blobStored(hash, bytes);
      answerJson(response, 201, { hash, bytes });
    } catch (error) {
      throw uploadError(error);
    } finally {
      const left = (this.#uploadsByPeer.get(peer) ?? 1) - 1;
      if (left > 0) this.#uploadsByPeer.set(peer, left);
      else this.#uploadsByPeer.delete(peer);
    }
  }

  /**
   * Remembers an upload, and deletes the oldest ones that no commit has named: of this peer, and of all. What an offer names may be
   * named by the next commit, so it stays: there is one per peer of the roster.
   */
  async #dropUnnamed(peer: PeerId, hash: string): Promise<void> {
    const { blobs, run } = this.#options;
    this.#unnamed.set(hash, peer);
    for (const name of this.#unnamed.keys()) if (this.#named.has(name)) this.#unnamed.delete(name);
    const idle = [...this.#unnamed].filter(([name]) => !run.isOffered(name));
    const own = idle.filter(([, owner]) => owner === peer).map(([name]) => name);
    const dropped = new Set(own.slice(0, Math.max(0, own.length - UNNAMED_MAX)));
    const others = idle.map(([name]) => name).filter((name) => !dropped.has(name));
    for (const name of others.slice(0, Math.max(0, others.length - UNNAMED_TOTAL_MAX))) dropped.add(name);
    for (const name of dropped) {
      this.#unnamed.delete(name);
      run.blobDropped(name);
    }
    for (const name of dropped) await blobs.delete(name);
  }

  close(): void {
    this.#events.close();
    this.#watching.close();
  }
}

/** A seal follows its commit at once, but evaluations and checkpoints of older rounds may come between. */
const SEAL_WITHIN = 64;

function uploadError(error: unknown): unknown {
  if (error instanceof BlobRefused)
    return new ApiError(error.code === "too-large" ? 413 : 422, error.code, error.message);
  if (error instanceof StorageError && error.fault === "full") return new ApiError(507, "disk-full", error.message);
  if ((error as NodeJS.ErrnoException).code === "ECONNRESET")
    return new ApiError(400, "aborted", "The upload broke off.");
  return error;
}

function numberOf(query: URLSearchParams, name: string, otherwise: number, min: number, max: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || text.trim() === "" || value < min)
    throw new ApiError(400, "parameter", `${name} is "${text}"; it must be a whole number from ${min} on.`);
  return Math.min(value, max);
}

const gzipHeaders = { "Content-Encoding": "gzip" } as const;

/** "gzip;q=0" is a no. */
const acceptsGzip = ({ headers }: IncomingMessage): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(String(headers["accept-encoding"] ?? ""));

/** One range, as RFC 9110 has it; several, or nonsense, count as none and get the whole. */
export function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") {
    const suffix = Number(match[2]);
    if (suffix === 0 || size === 0) return "unsatisfiable";
    return { start: Math.max(0, size - suffix), end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== "" && Number(match[2]) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}

/** Resolves when the client has read, or has gone. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
