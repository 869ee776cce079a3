// A run's log in LMDB: its place -> the entry's text. One file a run, so that a run's folder is whole by itself, and damage stays in it.
//
//   log.lmdb, log.lmdb-lock      each commit is synced before it counts; other processes read while the host writes
import { access, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { open, type PutOptions, type RootDatabase } from "lmdb";
import { checkRoom, DataError, isMissing, isNearlyFull, writeRemedy } from "./disk-file.ts";

export const tablePath = (folder: string): string => join(folder, "log.lmdb");

/** Entries that one commit takes over: some megabytes. */
const BATCH = 4_096;

/** Fills a page before it begins the next, and refuses a place that is taken. */
const APPEND_NOW: PutOptions = { append: true };
/** `put` takes options too; its types know a version in that place alone (lmdb 3.5.6). */
const APPEND = APPEND_NOW as unknown as number;

type Table = RootDatabase<string, number>;

/** Each commit is synced before it resolves, and only what it holds is told of: no batching, no syncing behind. */
const openTable = (path: string, readOnly: boolean): Table =>
  open<string, number>({
    path,
    readOnly,
    noSubdir: true,
    encoding: "string",
    keyEncoding: "uint32",
    overlappingSync: false,
    eventTurnBatching: false,
  });

export async function tableIsThere(folder: string): Promise<boolean> {
  return access(tablePath(folder)).then(
    () => true,
    () => false,
  );
}

/** The entries' texts in their order; undefined: there is no such file. @throws DataError */
export async function readTable(folder: string): Promise<string[] | undefined> {
  if (!(await tableIsThere(folder))) return undefined;
  const path = tablePath(folder);
  let table: Table;
  try {
    table = openTable(path, true);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(path, error);
  }
  try {
    return textsOf(table, path);
  } finally {
    await table.close();
  }
}

/** One transaction: what a writer adds meanwhile is not in it. */
function textsOf(table: Table, path: string): string[] {
  const texts: string[] = [];
  try {
    for (const { key, value } of table.getRange()) {
      if (key !== texts.length) throw new DataError(`${path}: entry ${key} where ${texts.length} belongs. ${REMEDY}`);
      texts.push(value);
    }
  } catch (error) {
    throw error instanceof DataError ? error : unreadable(path, error);
  }
  return texts;
}

const REMEDY = "Restore it from a backup: gossamer restore.";

const unreadable = (path: string, error: unknown): DataError =>
  new DataError(
    `${path} cannot be read: ${(error as Error).message}. It must belong to this user; if it is damaged, restore it from a backup.`,
  );

/** The log of one run, open for appending by one process: the directory's lock sees to that. */
export class LogTable {
  readonly #table: Table;
  readonly #path: string;

  private constructor(table: Table, path: string) {
    this.#table = table;
    this.#path = path;
  }

  /** @throws DataError */
  static async open(path: string): Promise<LogTable> {
    await checkRoom(dirname(path));
    try {
      const table = openTable(path, false);
      table.readerCheck(); // readers that were killed would keep old pages for ever
      return new LogTable(table, path);
    } catch (error) {
      throw await writeFault(path, error);
    }
  }

  /** A new file with these texts, which is whole when this resolves. */
  static async make(path: string, texts: readonly string[]): Promise<void> {
    await LogTable.remove(path);
    const made = await LogTable.open(path);
    try {
      for (let from = 0; from < texts.length; from += BATCH)
        made.#table.transactionSync(() => {
          for (const [at, text] of texts.slice(from, from + BATCH).entries())
            made.#table.putSync(from + at, text, APPEND_NOW);
        });
    } catch (error) {
      throw await writeFault(path, error);
    } finally {
      await made.close();
    }
  }

  static async remove(path: string): Promise<void> {
    for (const file of [path, `${path}-lock`]) await rm(file, { force: true });
  }

  texts(): string[] {
    return textsOf(this.#table, this.#path);
  }

  /** Resolves when it is on the disk. @throws DataError */
  async append(seq: number, text: string): Promise<void> {
    let done: boolean;
    try {
      done = await this.#table.put(seq, text, APPEND);
    } catch (error) {
      throw await writeFault(this.#path, await causeOf(error));
    }
    if (!done) throw new DataError(`${this.#path} has an entry ${seq} already: another process writes to it.`);
  }

  close(): Promise<void> {
    return this.#table.close();
  }
}

/** A failed commit tells its cause by a promise, which must not be left alone. */
const causeOf = (error: unknown): Promise<unknown> =>
  Promise.resolve((error as { commitError?: unknown }).commitError ?? error).catch((cause: unknown) => cause);

/** LMDB tells a write that the disk took a part of as an input/output error: only the disk knows that it is full. */
export async function writeFault(path: string, error: unknown): Promise<DataError> {
  const { code, message } = error as { code?: unknown; message: string };
  const full =
    code === 28 || code === "ENOSPC" || code === "EDQUOT" || (await isNearlyFull(dirname(path)).catch(() => false));
  return new DataError(`${path} takes no more entries: ${message}. ${writeRemedy(full)}`);
}
