// Blobs over HTTP, of all runs: their bytes, their piece lists, and uploads.
//
//   GET /api/blobs/:hash (Range, gzip for shards)      GET /api/blobs/:hash/pieces      PUT /api/blobs/:hash, with a session's token
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HostBlobs } from "#store/disk";
import { hashSchema, type PeerId } from "#wire";
import { ApiError, accepts, answerJson, notFound } from "./answer.ts";
import { DiskRoom } from "./disk-room.ts";
import { GzipCache } from "./gzip-cache.ts";
import { PieceLists } from "./piece-lists.ts";
import type { Report } from "./report.ts";
import type { BlobKind, HostedRun } from "./run.ts";
import type { ServedRuns } from "./served-runs.ts";
import { type Keep, type UploadedRun, Uploads } from "./uploads.ts";

export type BlobRun = UploadedRun & Pick<HostedRun, "id" | "anchors" | "kindOf" | "bytesServed">;
type Uploader = { readonly run: string; readonly peer: PeerId } | undefined;

export interface BlobApiOptions {
  readonly runs: ServedRuns<BlobRun>;
  readonly blobs: HostBlobs;
  readonly peerOfToken: (token: string) => Uploader | Promise<Uploader>;
  readonly originIsAllowed: (request: IncomingMessage) => boolean;
  /** A line for the operator. */
  readonly report: Report;
}

export class BlobApi {
  readonly #options: BlobApiOptions;
  readonly #diskRoom: DiskRoom;
  readonly #gzips: GzipCache;
  readonly #pieceLists: PieceLists;
  readonly #uploadsByRun = new Map<BlobRun, Uploads>();

  constructor(options: BlobApiOptions) {
    this.#options = options;
    this.#diskRoom = new DiskRoom({
      freeBytes: () => options.blobs.freeBytes(),
      now: () => performance.now(),
      report: options.report,
    });
    this.#gzips = new GzipCache((name) => options.blobs.get(name));
    this.#pieceLists = new PieceLists((name) => options.blobs.pieceList(name));
  }

  /** A run is served from now on. */
  added(run: BlobRun, keep: Keep): void {
    this.#uploadsByRun.set(run, new Uploads(run, this.#options.blobs, this.#diskRoom, keep));
  }

  removed(run: BlobRun): void {
    this.#uploadsByRun.delete(run);
  }

  /** @param rest of the path what comes behind /api/blobs/. @throws ApiError */
  async answer(request: IncomingMessage, response: ServerResponse, rest: string): Promise<void> {
    const [hash, what] = rest.split("/");
    if (!hashSchema.safeParse(hash).success)
      throw new ApiError(400, "hash", "A blob's name has 64 lower-case hex digits.");
    const { method } = request;
    const reads = method === "GET" || method === "HEAD";
    if (what === "pieces" && rest === `${hash}/pieces`) {
      if (!reads) throw new ApiError(405, "method", `${method} is not possible here; GET is.`);
      return this.#sendPieceList(response, hash);
    }
    if (what !== undefined) throw notFound(`A blob has no "${rest.slice(hash.length + 1)}". It has pieces.`);
    if (reads) return this.#send(request, response, hash);
    if (method === "PUT") return this.#take(request, response, hash);
    throw new ApiError(405, "method", `${method} is not possible here; GET, HEAD and PUT are.`);
  }

  /** What sort of blob it is, and who counts its bytes: blobs may be of several runs, and the first that knows it does. */
  #ownerOf(hash: string): { kind: BlobKind; served: Record<BlobKind, number> | undefined } {
    const all = this.#options.runs.list();
    const run = all.find((one) => one.kindOf(hash) !== "other") ?? all[0];
    return { kind: run?.kindOf(hash) ?? "other", served: run?.bytesServed };
  }

  async #send(request: IncomingMessage, response: ServerResponse, hash: string): Promise<void> {
    const { blobs, runs } = this.#options;
    const shelved = runs
      .list()
      .map((run) => run.anchors.bytes(hash))
      .find((bytes) => bytes !== undefined);
    const size = shelved?.length ?? (await blobs.bytes(hash));
    if (size === undefined) throw notFound(`Blob ${hash} is not here.`);
    const headers: Record<string, string | number> = {
      "Content-Type": "application/octet-stream",
      "Accept-Ranges": "bytes",
      "Cache-Control": "public, max-age=31536000, immutable", // a name never gets other bytes
      ETag: `"${hash}"`,
    };
    const { kind, served } = this.#ownerOf(hash);
    const count = (as: BlobKind, bytes: number): void => {
      if (served !== undefined) served[as] += bytes;
    };
    if (kind === "shard") response.appendHeader("Vary", "Accept-Encoding");
    if (kind === "shard" && request.headers.range === undefined && accepts(request, "gzip")) {
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
        count("shard", packed.length);
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
      count("checkpoint", end - start + 1);
      return void response.end(shelved.subarray(start, end + 1));
    }
    for await (const chunk of blobs.read(hash, start, end)) {
      if (response.destroyed) break;
      count(kind, chunk.length);
      if (!response.write(chunk)) await drained(response);
    }
    response.end();
  }

  /** Hash by hash, for who takes pieces from several sources. Its own hash is the blob's name, so it needs no trust. */
  async #sendPieceList(response: ServerResponse, hash: string): Promise<void> {
    if (!(await this.#options.blobs.has(hash))) throw notFound(`Blob ${hash} is not here.`);
    const list = await this.#pieceLists.get(hash);
    response.writeHead(200, {
      "Content-Type": "application/octet-stream",
      "Content-Length": list.length,
      "Cache-Control": "public, max-age=31536000, immutable",
    });
    const { kind, served } = this.#ownerOf(hash);
    if (served !== undefined) served[kind] += list.length;
    response.end(list);
  }

  async #take(request: IncomingMessage, response: ServerResponse, hash: string): Promise<void> {
    const { runs, peerOfToken, originIsAllowed } = this.#options;
    if (!originIsAllowed(request))
      throw new ApiError(403, "origin", "This page's origin may not write here (--allow-origin).");
    const token = /^Bearer ([0-9a-f]{64})$/.exec(request.headers.authorization ?? "")?.[1];
    const session = token === undefined ? undefined : await peerOfToken(token);
    const run = session === undefined ? undefined : runs.find(session.run);
    const uploads = run && this.#uploadsByRun.get(run);
    if (session === undefined || uploads === undefined)
      throw new ApiError(401, "session", "Uploading needs the session token of an open /signal connection.");
    const { bytes, isNew } = await uploads.take(request, session.peer, hash);
    answerJson(response, isNew ? 201 : 200, { hash, bytes });
  }
}

const gzipHeaders = { "Content-Encoding": "gzip" } as const;

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
