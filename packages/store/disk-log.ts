// A run's log as a file: one entry per line, appended and synced before anybody hears of it.
//
//   log.ndjson:  {"version":1,"seq":0,…}\n  {"version":1,"seq":1,…}\n  …       a last line without \n was never acknowledged
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { chainFault, type LogEntry, logEntrySchema, type RunId } from "#wire";
import { DataError, readFileIfThere, syncFolder, writeRemedy } from "./disk-file.ts";
import { verifyNatively } from "./disk-verify.ts";

export interface LoadedLog {
  readonly entries: LogEntry[];
  /** Bytes of the file that hold whole lines. */
  readonly bytes: number;
  /** Bytes after them: a write that a crash or a power cut interrupted. */
  readonly tornBytes: number;
}

const logPath = (folder: string): string => join(folder, "log.ndjson");

/**
 * Reads and verifies a whole log without changing it: each line's schema, the chain of hashes, the host's signatures.
 * @throws DataError that names file and line when an acknowledged entry is damaged: history is not repaired by guessing.
 */
export async function readLog(folder: string, run: RunId, hostKey: string): Promise<LoadedLog> {
  const path = logPath(folder);
  const content = (await readFileIfThere(path)) ?? Buffer.alloc(0);
  const bytes = content.lastIndexOf(0x0a) + 1;
  const lines = content.subarray(0, bytes).toString("utf8").split("\n").slice(0, -1);
  const entries: LogEntry[] = [];
  for (const [index, line] of lines.entries()) {
    const fault = (what: string) =>
      new DataError(`${path}, line ${index + 1}: ${what}. Restore the file from a backup.`);
    let value: unknown;
    try {
      value = JSON.parse(line);
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
  return { entries, bytes, tornBytes: content.length - bytes };
}

/** What the operator can do about it. Nothing was acknowledged that the file does not hold. */
export function appendError(path: string, { code, message }: NodeJS.ErrnoException): DataError {
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new DataError(`${path} takes no more entries: ${message}. ${writeRemedy(full)}`);
}

export class DiskLog {
  readonly #file: FileHandle;
  readonly #path: string;
  #tail: Promise<void> = Promise.resolve();
  #failure: unknown;

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Opens for appending; a torn last line is cut off, and its length reported in `tornBytes`. */
  static async open(folder: string, run: RunId, hostKey: string): Promise<{ log: DiskLog; loaded: LoadedLog }> {
    const loaded = await readLog(folder, run, hostKey);
    const file = await open(logPath(folder), "a", 0o644);
    await syncFolder(folder);
    if (loaded.tornBytes > 0) {
      await file.truncate(loaded.bytes);
      await file.sync();
    }
    return { log: new DiskLog(file, logPath(folder)), loaded };
  }

  /**
   * Resolves when the entry is on the disk. Calls keep their order.
   * @throws the same error for ever after one failed write: what follows a hole would not be a chain.
   */
  append(entry: LogEntry): Promise<void> {
    const write = async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        await this.#file.appendFile(`${JSON.stringify(entry)}\n`);
        await this.#file.datasync();
      } catch (error) {
        this.#failure = appendError(this.#path, error as NodeJS.ErrnoException);
        throw this.#failure;
      }
    };
    const done = this.#tail.then(write);
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** After the entries under way. */
  async close(): Promise<void> {
    await this.#tail;
    await this.#file.close();
  }
}
