// A file from an http(s) address onto this disk. What is cut off goes on where it ended, now or with the next start.
//
//   PATH.part  bytes so far      PATH.json  what they are of: {url, validator, bytes}      PATH  whole
import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { CorpusError, messageOf } from "./fault.ts";

/** A disk that is full to the last byte takes the host's log with it. */
const KEEP_FREE_BYTES = 2 ** 30;
/** Of one file; a data set of that size comes in several. */
const FILE_BYTES_MAX = 256 * 2 ** 30;
/** A line that broke is tried again at once, so often without a byte between; who starts again begins to count again. */
const TRIES_WITHOUT_PROGRESS = 3;
/** Servers that say nothing for that long have forgotten us. */
const SILENCE_MS = 60_000;

export interface Download {
  readonly url: string;
  /** What messages call it: without a key that the address may have. */
  readonly name: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Announced by whoever listed it. */
  readonly bytes?: number | undefined;
  /** Bytes that are here so far. */
  readonly onBytes: (bytes: number) => void;
  /** What to do about a 401 or 403, besides checking the address. */
  readonly accessRemedy?: string;
}

interface Begun {
  readonly url: string;
  readonly validator: string | null; // ETag or Last-Modified: what If-Range asks for
  readonly bytes: number | null;
}

/** @returns bytes of the file, which is whole at `path`. @throws CorpusError */
export async function download(wanted: Download): Promise<number> {
  const { name, path } = wanted;
  const there = await bytesAt(path);
  if (there !== undefined) return there;
  await mkdir(dirname(path), { recursive: true });
  let tries = 0;
  for (;;) {
    const before = (await bytesAt(`${path}.part`)) ?? 0;
    const reason = await attempt(wanted, before);
    if (reason === undefined) break;
    const after = (await bytesAt(`${path}.part`)) ?? 0;
    tries = after > before ? 1 : tries + 1;
    if (tries >= TRIES_WITHOUT_PROGRESS) {
      const { bytes } = await begunAt(path);
      throw new CorpusError(
        name,
        `it stopped after ${after} of ${bytes ?? "unknown"} bytes: ${reason}`,
        "Start again: what is here stays, and the rest is fetched",
      );
    }
  }
  await rename(`${path}.part`, path);
  await rm(`${path}.json`, { force: true });
  return (await bytesAt(path))!;
}

const bytesAt = async (path: string): Promise<number | undefined> => (await stat(path).catch(() => undefined))?.size;

async function begunAt(path: string): Promise<Begun> {
  try {
    return JSON.parse(await readFile(`${path}.json`, "utf8")) as Begun;
  } catch {
    return { url: "", validator: null, bytes: null };
  }
}

/** @returns why the line broke; undefined: the file is whole. @throws CorpusError for what another try does not mend */
async function attempt(wanted: Download, before: number): Promise<string | undefined> {
  const { url, name, path, headers = {}, onBytes } = wanted;
  const begun = await begunAt(path);
  const goesOn = before > 0 && begun.url === url && begun.validator !== null;
  const abort = new AbortController();
  const silence = setTimeout(() => abort.abort(new Error("the server fell silent")), SILENCE_MS);
  const file = await open(`${path}.part`, "a");
  try {
    let response: Response;
    try {
      response = await fetch(url, {
        headers: {
          ...headers,
          "accept-encoding": "identity",
          ...(goesOn ? { range: `bytes=${before}-`, "if-range": begun.validator! } : {}),
        },
        signal: abort.signal,
      });
    } catch (error) {
      return messageOf(error);
    }
    if (response.body === null) return "nothing came";
    const at = placeOf(response);
    if (response.status === 416 && begun.bytes === before) return undefined; // all was here
    if (!response.ok) {
      await response.body.cancel();
      if (response.status >= 500 || response.status === 429) return `the server answered ${response.status}`;
      throw refusal(wanted, response.status);
    }
    if (!(goesOn && response.status === 206 && at.from === before)) await file.truncate(0);
    const start = goesOn && response.status === 206 && at.from === before ? before : 0;
    const total = at.total ?? wanted.bytes;
    await checkSize(wanted, total, start);
    const validator = response.headers.get("etag") ?? response.headers.get("last-modified");
    await writeFile(`${path}.json`, JSON.stringify({ url, validator, bytes: total ?? null } satisfies Begun));
    onBytes(start);
    let bytes = start;
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        silence.refresh();
        bytes += chunk.length;
        if (bytes > FILE_BYTES_MAX) throw tooLarge(name, bytes);
        await file.writeFile(chunk);
        onBytes(bytes);
      }
    } catch (error) {
      if (error instanceof CorpusError) throw error;
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") throw diskFull(name, path);
      return messageOf(error);
    }
    if (total !== undefined && bytes < total) return "the line was closed";
    if (total !== undefined && bytes > total) {
      await file.truncate(0);
      return `${bytes} bytes came`;
    }
    await file.sync();
    return undefined;
  } finally {
    clearTimeout(silence);
    await file.close();
  }
}

/** Where the body begins, and how long the whole file is. */
function placeOf({ status, headers }: Response): { readonly from: number; readonly total: number | undefined } {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
  const numberOf = (text: string | null | undefined) => (/^\d+$/.test(text ?? "") ? Number(text) : undefined);
  if (status === 206 && range) return { from: Number(range[1]), total: numberOf(range[2]) };
  return {
    from: 0,
    total: headers.get("content-encoding") === null ? numberOf(headers.get("content-length")) : undefined,
  };
}

function refusal({ name, accessRemedy }: Download, status: number): CorpusError {
  const remedies: Record<number, string> = { 404: "Check the address", 410: "Check the address" };
  const access = status === 401 || status === 403 ? accessRemedy : undefined;
  return new CorpusError(
    name,
    `the server answered ${status}`,
    access ?? remedies[status] ?? "Check that it may be fetched from here",
  );
}

async function checkSize({ name, path }: Download, total: number | undefined, start: number): Promise<void> {
  if (total === undefined) return;
  if (total > FILE_BYTES_MAX) throw tooLarge(name, total);
  const { bavail, bsize } = await statfs(dirname(path));
  if (bavail * bsize < total - start + KEEP_FREE_BYTES) throw diskFull(name, path);
}

const tooLarge = (name: string, bytes: number): CorpusError =>
  new CorpusError(
    name,
    `${bytes} bytes are more than one file may have (${FILE_BYTES_MAX})`,
    "Take it in several files",
  );
const diskFull = (name: string, path: string): CorpusError =>
  new CorpusError(
    name,
    `the disk of ${dirname(path)} has no room for it`,
    "Make room there, or take another --data, and start again",
  );

/** A file name for what an address gives. */
export const nameOfUrl = (url: string): string => createHash("sha256").update(url).digest("hex").slice(0, 32);
