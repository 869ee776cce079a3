// The data directory: its version, the lock that keeps a second host out, and the host's key.
import { randomBytes } from "node:crypto";
import { access, constants, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DataError, readFileIfThere, writeFileWhole } from "./disk-file.ts";
import { takeLock } from "./disk-lock.ts";

export const DATA_VERSION = 1;

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
  const unlock = await takeLock(
    join(path, "host.lock"),
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
      const folder = join(path, "runs", run);
      await mkdir(folder, { recursive: true });
      return folder;
    },
    close: unlock,
  };
}
