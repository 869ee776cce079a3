// Small files of a data directory, written whole.
import { randomBytes } from "node:crypto";
import { open, readFile, rename, statfs } from "node:fs/promises";
import { dirname } from "node:path";

/** Something about the data directory that a person must put right; the message says what and how. */
export class DataError extends Error {
  override readonly name = "DataError";
}

/** What the operator does about a host that stopped because it could not write. */
export const writeRemedy = (full: boolean): string =>
  `${full ? "Make room on that disk" : "Check that disk and this user's rights there"}, then start again: the run goes on.`;

/**
 * Nothing is opened for writing with less than this: a start writes a lock, a log, perhaps a spec. And LMDB maps its lock file: a page of a map
 * that the disk has no room for ends the process (SIGBUS), with no word to its operator.
 */
const FREE_BYTES_MIN = 1024 * 1024;

export async function isNearlyFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize < FREE_BYTES_MIN;
}

/** @throws DataError when the disk that holds the folder has next to no room */
export async function checkRoom(folder: string): Promise<void> {
  if (await isNearlyFull(folder))
    throw new DataError(`The disk of ${folder} has less than 1 MiB left. ${writeRemedy(true)}`);
}

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

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
