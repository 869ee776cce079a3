// A run's anchor of now, or a checkpoint, as files that other tools load, made while they are sent.
//
//   GET /api/runs/:id/export?format=safetensors|gguf&dtype=f32|f16|bf16|q8_0&round=N      {run, round, anchorHash, archive, files: [{name, bytes}]}
//   GET /api/runs/:id/export/NAME?…       one of them, or the archive with all        GET /api/runs/:id/export/provenance.json?round=N
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type ExportFile,
  type ExportFormat,
  type ExportType,
  exportFormats,
  exportName,
  exportTypes,
  type FloatSource,
  FormatError,
  floatsOf,
  namedParts,
  type Provenance,
  planExport,
  tarOf,
} from "#formats";
import { CHECKPOINT_HEADER_BYTES, decodeCheckpointSection, mergeRange } from "#outer";
import type { HostBlobs } from "#store/disk";
import type { CheckpointRow, ExportList } from "#wire";
import { ApiError, answerJson, notFound, numberOf } from "./answer.ts";
import type { HostedRun } from "./run.ts";

/** At once, of one run: each is a stream of some megabytes of this process's memory, and of the disk's time, which the run needs too. */
const STREAMS_MAX = 4;
/** A client that takes nothing for so long is gone, whatever its socket says: its place is another one's. */
const STALLED_MS = 60_000;
/**
 * Provenances and plans kept, each: a download asks for them several times. Over a long log a provenance takes a second, with a large vocabulary a plan a tenth of one
 * and some megabytes.
 */
const KEPT_MAX = 4;

export type ExportedRun = Pick<HostedRun, "spec" | "entries" | "anchors"> & Partial<Pick<HostedRun, "provenance">>;
type Blobs = Pick<HostBlobs, "has" | "get" | "read">;

export class ExportApi {
  readonly #run: ExportedRun;
  readonly #blobs: Blobs;
  readonly #provenances: Provenance[] = []; // newest first
  readonly #plans = new Map<string, readonly ExportFile[]>(); // oldest first
  #streams = 0;

  constructor(run: ExportedRun, blobs: Blobs) {
    this.#run = run;
    this.#blobs = blobs;
  }

  /** @param name of a file; undefined: the list of them. @throws ApiError */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    name: string | undefined,
    query: URLSearchParams,
  ): Promise<void> {
    const round = query.has("round") ? numberOf(query, "round", 0, 0, Number.MAX_SAFE_INTEGER) : undefined;
    const row = await this.#row(round);
    const provenance = this.#provenance(row);
    if (name === "provenance.json") return answerJson(response, 200, provenance);
    const format = choice(query, "format", exportFormats);
    const dtype = choice(query, "dtype", Object.keys(exportTypes) as ExportType[]);
    const files = await this.#plan(provenance, format, dtype);
    const archive = tarOf(exportName(this.#run.spec, dtype), files, row.time);
    if (name === undefined) {
      const { run, anchorHash } = provenance;
      const list = [archive, ...files].map(({ name, bytes }) => ({ name, bytes }));
      const document: ExportList = { run, round: row.round, anchorHash, archive: list[0], files: list.slice(1) };
      return answerJson(response, 200, document);
    }
    const file = [archive, ...files].find((each) => each.name === name);
    if (file === undefined)
      throw notFound(
        `This export has no "${name}". It has ${[archive, ...files].map((each) => each.name).join(", ")}.`,
      );
    await this.#send(request, response, file, row);
  }

  /** @param round undefined: the anchor of now where there is one, else the newest checkpoint. @throws ApiError */
  async #row(round: number | undefined): Promise<CheckpointRow> {
    const now = await this.#run.anchors.newest();
    const isIt = (each: { readonly round: number }): boolean => round === undefined || each.round === round;
    const kept = this.#run.entries.findLast((entry) => entry.type === "checkpoint" && isIt(entry));
    if (now !== undefined && isIt(now) && (kept?.type !== "checkpoint" || kept.round < now.round)) return now;
    if (kept?.type === "checkpoint" && (await this.#blobs.has(parametersOf(kept).hash))) return kept;
    throw notFound(
      round === undefined
        ? "There is nothing to export yet: no checkpoint is kept, and no round sealed. Try again later."
        : `No checkpoint of round ${round} is kept; /api/runs/:id/checkpoints lists those that are.`,
    );
  }

  /** @throws ApiError */
  #provenance(row: CheckpointRow): Provenance {
    const before = this.#provenances.find(
      ({ anchorHash, round }) => anchorHash === row.anchorHash && round === row.round,
    );
    const provenance = before ?? this.#run.provenance?.(row);
    if (provenance === undefined) throw notFound("This host exports nothing.");
    if (before === undefined) this.#provenances.unshift(provenance);
    this.#provenances.length = Math.min(KEPT_MAX, this.#provenances.length);
    return provenance;
  }

  /** Made once for who asks for the list and then for files. @throws ApiError */
  async #plan(provenance: Provenance, format: ExportFormat, dtype: ExportType): Promise<readonly ExportFile[]> {
    const key = `${provenance.round} ${provenance.anchorHash} ${format} ${dtype}`;
    const before = this.#plans.get(key);
    if (before !== undefined) return before;
    const files = await this.#planned(provenance, format, dtype);
    this.#plans.set(key, files);
    if (this.#plans.size > KEPT_MAX) this.#plans.delete(this.#plans.keys().next().value!);
    return files;
  }

  async #planned(provenance: Provenance, format: ExportFormat, dtype: ExportType): Promise<ExportFile[]> {
    const { spec } = this.#run;
    const given = await namedParts(spec, async ({ hash }) => {
      const content = await this.#blobs.get(hash);
      if (content === undefined)
        throw notFound(`Blob ${hash} of the run is not on this host's disk: restore a backup.`);
      return content;
    });
    try {
      return planExport({ spec, provenance, ...given }, format, dtype);
    } catch (error) {
      if (error instanceof FormatError) throw new ApiError(400, "format", error.message);
      throw error;
    }
  }

  async #send(request: IncomingMessage, response: ServerResponse, file: ExportFile, row: CheckpointRow): Promise<void> {
    const isHead = request.method === "HEAD";
    if (!isHead && this.#streams >= STREAMS_MAX)
      throw new ApiError(503, "busy", `${STREAMS_MAX} exports of this run are under way. Try again in a minute.`, 60);
    response.writeHead(200, {
      "Content-Type": file.name.endsWith(".json") ? "application/json" : "application/octet-stream",
      "Content-Length": file.bytes,
      "Content-Disposition": `attachment; filename="${file.name}"`, // letters, digits, dots and dashes
      "Cache-Control": "no-store",
    });
    if (isHead) return void response.end();
    this.#streams++;
    try {
      const source = await this.#parameters(row);
      for await (const chunk of file.chunks(source)) {
        if (!response.write(chunk)) await taken(response);
        if (response.destroyed) return;
      }
      response.end();
    } finally {
      this.#streams--;
    }
  }

  /** The whole model's, of a run with adapters too. */
  async #parameters(row: CheckpointRow): Promise<FloatSource> {
    const { model, lora, base } = this.#run.spec;
    const shared = this.#shared(row);
    if (!lora || !base) return shared;
    const adapters = await shared.read(0, shared.length);
    const weights = joined(base.blobs.map(({ hash, bytes }) => blobFloats(this.#blobs, hash, bytes, 0)));
    return {
      length: weights.length,
      async read(from, length) {
        const values = await weights.read(from, length);
        mergeRange(model, lora, adapters, values, from);
        return values;
      },
    };
  }

  #shared(row: CheckpointRow): FloatSource {
    const { hash, bytes } = parametersOf(row);
    const shelved = this.#run.anchors.bytes(hash);
    if (shelved === undefined) return blobFloats(this.#blobs, hash, bytes, CHECKPOINT_HEADER_BYTES);
    const section = decodeCheckpointSection(shelved);
    if (typeof section === "string") throw new Error(section); // we made it
    return floatsOf(section.values);
  }
}

const parametersOf = ({ blobs }: Pick<CheckpointRow, "blobs">) => blobs.find(({ name }) => name === "parameters")!;

/** What stands in several, one behind the other. */
function joined(parts: readonly FloatSource[]): FloatSource {
  return {
    length: parts.reduce((sum, { length }) => sum + length, 0),
    async read(from, length) {
      const values = new Float32Array(length);
      let start = 0;
      for (const part of parts) {
        const [first, end] = [Math.max(from, start), Math.min(from + length, start + part.length)];
        if (first < end) values.set(await part.read(first - start, end - first), first - from);
        start += part.length;
      }
      return values;
    },
  };
}

/** A blob's values behind its header, read from the store range by range. */
function blobFloats(blobs: Blobs, hash: string, bytes: number, header: number): FloatSource {
  return {
    length: (bytes - header) / 4,
    async read(from, length) {
      const values = new Float32Array(length);
      const into = new Uint8Array(values.buffer);
      let at = 0;
      const start = header + 4 * from;
      for await (const chunk of blobs.read(hash, start, start + 4 * length - 1)) {
        into.set(chunk, at);
        at += chunk.length;
      }
      return values;
    },
  };
}

/** @throws ApiError */
function choice<T extends string>(query: URLSearchParams, name: string, known: readonly T[]): T {
  const text = query.get(name) ?? known[0];
  if ((known as readonly string[]).includes(text)) return text as T;
  throw new ApiError(400, "parameter", `${name} is "${text}"; there are ${known.join(", ")}.`);
}

/** Resolves when the client has read, or has gone; one that stalls is let go. */
function taken(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(stalled);
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    const stalled = setTimeout(() => response.destroy(), STALLED_MS);
    response.on("drain", done);
    response.on("close", done);
  });
}
