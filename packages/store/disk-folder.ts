// The data directory: its version, the lock that keeps a second host out, the host's key, and small files written whole.
import { randomBytes } from "node:crypto";
import { access, constants, link, mkdir, open, readFile, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

export const DATA_VERSION = 1;

/** Something about the data directory that a person must put right; the message says what and how. */
export class DataError extends Error {
  override readonly name = "DataError";
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

/** Makes a rename or a new file in that folder survive a power cut. Windows cannot open folders and does not need it. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The file has its old content or the new one, never half: temporary file, fsync, rename, fsync of the folder. */
export async function writeFileWhole(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(temporary, "wx", mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

export async function readFileIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Creates the directory, or refuses one that another version made. */
async function checkVersion(path: string): Promise<void> {
  const file = join(path, "version.json");
  const content = await readFileIfThere(file);
  if (content === undefined) {
    await writeFileWhole(file, `${JSON.stringify({ format: "gossamer data", version: DATA_VERSION })}\n`);
    return;
  }
  let version: unknown;
  try {
    version = (JSON.parse(content.toString()) as { version?: unknown }).version;
  } catch {
    throw new DataError(`${file} is not JSON. Is ${path} a data directory of Gossamer? Choose another with --data.`);
  }
  if (version !== DATA_VERSION)
    throw new DataError(
      `${path} has data format ${String(version)}; this build reads ${DATA_VERSION}. Use the build that made it, or another --data.`,
    );
}

/** Process ids are reused after a reboot: on Linux the start time tells a namesake from the owner. "" where unknown. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFileIfThere(`/proc/${pid}/stat`).catch(() => undefined);
  // field 22, counted after the command, which may itself hold spaces and brackets
  return stat?.toString().slice(stat.lastIndexOf(")")).split(" ")[20] ?? "";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

interface LockContent {
  readonly pid: number;
  readonly started: string;
}

/** One host per data directory. Returns the function that gives the lock back. */
async function lockFolder(path: string): Promise<() => Promise<void>> {
  const lock = join(path, "host.lock");
  const mine: LockContent = { pid: process.pid, started: await startTimeOf(process.pid) };
  const draft = `${lock}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(draft, "wx");
  await file.writeFile(JSON.stringify(mine));
  await file.close();
  try {
    // A hard link appears with its content or not at all, so nobody reads a lock that is half written.
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await link(draft, lock);
        return async () => {
          const now = await readFileIfThere(lock);
          if (now?.toString() === JSON.stringify(mine)) await rm(lock, { force: true });
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const content = (await readFileIfThere(lock))?.toString();
      if (content === undefined) continue; // given back meanwhile
      const owner = parseLock(content);
      if (owner !== undefined && isAlive(owner.pid) && (await startTimeOf(owner.pid)) === owner.started)
        throw new DataError(
          `${path} is in use by the host with process id ${owner.pid}. Stop it first, or give this one its own directory with --data.`,
        );
      await dropStaleLock(lock, content);
    }
    throw new DataError(`${lock} keeps changing hands: several hosts are starting on ${path}. Start one.`);
  } finally {
    await unlink(draft);
  }
}

function parseLock(content: string): LockContent | undefined {
  try {
    const { pid, started } = JSON.parse(content) as Partial<LockContent>;
    return typeof pid === "number" && typeof started === "string" ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

/** Moves the lock of a dead host away; if another host took it since we read it, puts that one back. */
async function dropStaleLock(lock: string, stale: string): Promise<void> {
  const aside = `${lock}.${randomBytes(6).toString("hex")}.stale`;
  try {
    await rename(lock, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  if ((await readFile(aside)).toString() !== stale) await link(aside, lock).catch(() => undefined);
  await unlink(aside);
}

export interface DataFolder {
  readonly path: string;
  /** 32 bytes: the seed of the host's Ed25519 key, made on first use, readable by the owner alone. */
  keySeed(): Promise<Uint8Array>;
  runFolder(run: string): Promise<string>;
  /** Gives the lock back. */
  close(): Promise<void>;
}

/** @throws DataError when the directory cannot be made or written, has another format, or another host uses it. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    await mkdir(join(path, "runs"), { recursive: true });
    await access(path, constants.W_OK);
  } catch (error) {
    throw new DataError(`${path} cannot be a data directory: ${(error as Error).message}. Choose another with --data.`);
  }
  await checkVersion(path);
  const unlock = await lockFolder(path);
  return {
    path,
    async keySeed() {
      const file = join(path, "host.key");
      const content = await readFileIfThere(file);
      if (content !== undefined) {
        const seed = Buffer.from(content.toString().trim(), "hex");
        if (seed.length !== 32)
          throw new DataError(
            `${file} does not hold 64 hex digits. Put the run's key back, or remove it for a new one.`,
          );
        return new Uint8Array(seed);
      }
      const seed = randomBytes(32);
      await writeFileWhole(file, `${seed.toString("hex")}\n`, 0o600);
      return new Uint8Array(seed);
    },
    async runFolder(run) {
      const folder = join(path, "runs", run);
      await mkdir(folder, { recursive: true });
      return folder;
    },
    close: unlock,
  };
}
