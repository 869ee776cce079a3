// A run's log on the disk: appended and synced before anybody hears of it, verified whenever it is read.
//
//   log.lmdb      seq -> {"version":1,"seq":0,…}           log.ndjson      the same as lines: a backup's, or data format 1's
//
// Opening takes lines over into LMDB, once; what they were stays beside it as log.v1.ndjson.
import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { chainFault, type LogEntry, logEntrySchema, type RunId } from "#wire";
import { DataError, syncFolder } from "./disk-file.ts";
import { verifyNatively } from "./disk-verify.ts";
import { LogConflictError, type LogStore, type OpenedLog } from "./host-store.ts";
import { linesPath, readLines } from "./log-lines.ts";
import { LogTable, readTable, tableIsThere, tablePath } from "./log-table.ts";

/** @param path in the data directory, with slashes */
export const isLogFile = (path: string): boolean => /^runs\/[^/]+\/log\.[^/]+$/.test(path);

/** When a run's log was last written, in ms since 1970; undefined: it has none. */
export async function logWrittenAt(folder: string): Promise<number | undefined> {
  for (const path of [tablePath(folder), linesPath(folder)]) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) return found.mtimeMs;
  }
  return undefined;
}

/** The texts of all entries, unverified, of whatever version; undefined: there is no log. */
export async function logTexts(folder: string): Promise<string[] | undefined> {
  return (await readTable(folder)) ?? (await readLines(folder))?.lines;
}

/** Puts a log there as it is given, unverified: for tests, behind a host's back. */
export const replaceLog = (folder: string, texts: readonly string[]): Promise<void> =>
  LogTable.make(tablePath(folder), texts);

export interface LoadedLog {
  readonly entries: LogEntry[];
  /** Bytes after the last whole line, where the log is lines: a write that was interrupted. */
  readonly tornBytes: number;
}

/**
 * Reads and verifies a whole log without changing it: each entry's schema, the chain of hashes, the host's signatures.
 * @throws DataError that names file and line when an acknowledged entry is damaged: history is not repaired by guessing.
 */
export async function readLog(folder: string, run: RunId, hostKey: string): Promise<LoadedLog> {
  const texts = await readTable(folder);
  if (texts !== undefined) {
    const entries = verified(texts, run, hostKey, (at) => `${tablePath(folder)}, entry ${at}`);
    return { entries, tornBytes: 0 };
  }
  const { lines, tornBytes } = (await readLines(folder)) ?? { lines: [], tornBytes: 0 };
  return { entries: verified(lines, run, hostKey, (at) => `${linesPath(folder)}, line ${at + 1}`), tornBytes };
}

function verified(texts: readonly string[], run: RunId, hostKey: string, place: (at: number) => string): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const [at, text] of texts.entries()) {
    const fault = (what: string) => new DataError(`${place(at)}: ${what}. Restore the file from a backup.`);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw fault("not JSON");
    }
    const parsed = logEntrySchema.safeParse(value);
    if (!parsed.success) {
      const version = (value as { version?: unknown } | null)?.version;
      const issue = parsed.error.issues[0];
      throw fault(
        version === 1
          ? `no valid entry (${issue?.path.join(".")}: ${issue?.message})`
          : `log version ${version} is unknown`,
      );
    }
    const entry = parsed.data as LogEntry;
    const broken = chainFault(run, hostKey, entries.at(-1), entry, verifyNatively);
    if (broken !== undefined) throw fault(broken);
    entries.push(entry);
  }
  return entries;
}

export class DiskLog implements LogStore {
  readonly #table: LogTable;
  readonly #path: string;
  #next: number; // place of the next entry
  #tail: Promise<void> = Promise.resolve();
  #failure: unknown;

  private constructor(table: LogTable, path: string, next: number) {
    this.#table = table;
    this.#path = path;
    this.#next = next;
  }

  /** Opens for appending; lines are taken over first. @throws DataError */
  static async open(folder: string, run: RunId, hostKey: string): Promise<OpenedLog> {
    const taken = await takeOver(folder, run, hostKey);
    const path = tablePath(folder);
    const table = await LogTable.open(path);
    try {
      const entries = taken?.entries ?? verified(table.texts(), run, hostKey, (at) => `${path}, entry ${at}`);
      await syncFolder(folder);
      return { log: new DiskLog(table, path, entries.length), entries, notice: taken?.notice };
    } catch (error) {
      await table.close();
      throw error;
    }
  }

  /** Resolves when the entry is on the disk. */
  append(entry: LogEntry): Promise<void> {
    const write = async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        if (entry.seq !== this.#next)
          throw new LogConflictError(`${this.#path} takes entry ${this.#next} next, not ${entry.seq}`);
        this.#next++;
        await this.#table.append(entry.seq, JSON.stringify(entry));
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    };
    const done = this.#tail.then(write);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** After the entries under way. */
  async close(): Promise<void> {
    await this.#tail;
    await this.#table.close();
  }
}

/** What the lines were, for who goes back to a build that reads data format 1. */
const oldLinesPath = (folder: string): string => join(folder, "log.v1.ndjson");

/**
 * Lines into a table, which gets its name when it is whole and on the disk; the lines lose theirs last. A crash before that leaves the lines
 * as they were, and it is done again.
 * @returns what was taken over, and what the operator should hear of
 */
async function takeOver(
  folder: string,
  run: RunId,
  hostKey: string,
): Promise<{ entries: LogEntry[]; notice: string } | undefined> {
  const stored = await readLines(folder);
  if (stored === undefined) return undefined;
  const table = tablePath(folder);
  let taken: { entries: LogEntry[]; notice: string } | undefined;
  if (!(await tableIsThere(folder))) {
    const { lines, tornBytes } = stored;
    const entries = verified(lines, run, hostKey, (at) => `${linesPath(folder)}, line ${at + 1}`);
    const draft = join(folder, "log.new.lmdb");
    await LogTable.make(draft, lines);
    await rename(draft, table);
    await LogTable.remove(draft); // its lock file
    await syncFolder(folder);
    const torn =
      tornBytes === 0 ? "" : ` Its last ${tornBytes} bytes were half written and are left out; nobody had seen them.`;
    const notice = `The log's ${entries.length} entries were taken over into ${table}.${torn} ${oldLinesPath(folder)} is what they were, and may be deleted.`;
    taken = { entries, notice };
  }
  await rename(linesPath(folder), oldLinesPath(folder));
  await syncFolder(folder);
  return taken;
}
