// The data directory: its version, the lock that keeps a second host out, and the host's key.
import { randomBytes } from "node:crypto";
import { access, constants, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { checkRoom, DataError, readFileIfThere, writeFileWhole } from "./disk-file.ts";
import { holderOfLock, takeLock } from "./disk-lock.ts";

/** 2: logs in LMDB. A directory of 1 is taken over when its first run is opened; from then on builds that read 1 alone refuse it. */
const DATA_VERSION = 2;
const VERSIONS_READ: readonly unknown[] = [1, DATA_VERSION];

const versionFile = (path: string): string => join(path, "version.json");

/** While files are put back: what a host must not begin with. */
const RESTORING = "restoring";

const writeVersion = (path: string, version: unknown): Promise<void> =>
  writeFileWhole(versionFile(path), `${JSON.stringify({ format: "gossamer data", version })}\n`);

/** @returns undefined where nothing says so. @throws DataError when that is no version */
async function readVersion(path: string): Promise<unknown> {
  const file = versionFile(path);
  const content = await readFileIfThere(file);
  if (content === undefined) return undefined;
  try {
    return (JSON.parse(content.toString()) as { version?: unknown }).version;
  } catch {
    throw new DataError(`${file} is not JSON. Is ${path} a data directory of Gossamer? Choose another with --data.`);
  }
}

function checkVersion(path: string, version: unknown): void {
  if (version === RESTORING)
    throw new DataError(`${path} holds a part of a backup: restoring it was interrupted. Empty it, and restore again.`);
  if (!VERSIONS_READ.includes(version))
    throw new DataError(
      `${path} has data format ${String(version)}; this build reads ${VERSIONS_READ.join(" and ")}. Use the build that made it, or another --data.`,
    );
}

export interface DataFolder {
  readonly path: string;
  /** 32 bytes: the seed of the host's Ed25519 key, made on first use, readable by the owner alone. */
  keySeed(): Promise<Uint8Array>;
  /** Where a run is written, from now on as this build writes it. */
  runFolder(run: string): Promise<string>;
  /** Gives the lock back. */
  close(): Promise<void>;
}

const lockOf = (path: string): string => join(path, "host.lock");

/** Process id of the host that uses the directory now. */
export const holderOf = (path: string): Promise<number | undefined> => holderOfLock(lockOf(path));

/** For who only reads. @throws DataError when it is no data directory, or one of another format */
export async function checkDataFolder(path: string): Promise<void> {
  const version = await readVersion(path);
  if (version === undefined) throw new DataError(`${path} is no data directory. Give the host's with --data.`);
  checkVersion(path, version);
}

/**
 * Fills an empty directory from a backup: until `fill` is done no host takes it for its own.
 * @throws DataError when something is there already
 */
export async function restoreDataFolder(path: string, fill: () => Promise<void>): Promise<void> {
  await mkdir(path, { recursive: true });
  if ((await readdir(path)).length > 0)
    throw new DataError(`${path} is not empty. Restore into a new directory, or move that one away first.`);
  await writeVersion(path, RESTORING);
  await fill();
  await writeVersion(path, DATA_VERSION);
}

/** @throws DataError when the directory cannot be made or written, has another format, or another host uses it. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    await mkdir(join(path, "runs"), { recursive: true });
    await access(path, constants.W_OK);
  } catch (error) {
    throw new DataError(`${path} cannot be a data directory: ${(error as Error).message}. Choose another with --data.`);
  }
  await checkRoom(path);
  const version = await readVersion(path);
  if (version === undefined) await writeVersion(path, DATA_VERSION);
  else checkVersion(path, version);
  let isTakenOver = version === undefined || version === DATA_VERSION;
  const unlock = await takeLock(
    lockOf(path),
    (pid) =>
      `${path} is in use by the host with process id ${pid}. Stop it first, or give this one its own directory with --data.`,
  );
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
      if (!isTakenOver) await writeVersion(path, DATA_VERSION); // before anything is written as that version has it
      isTakenOver = true;
      const folder = join(path, "runs", run);
      await mkdir(folder, { recursive: true });
      return folder;
    },
    close: unlock,
  };
}
