// A file that one process holds at a time; what a dead one left is taken over.
import { randomBytes } from "node:crypto";
import { link, open, readFile, rename, rm, unlink } from "node:fs/promises";
import { DataError, isMissing, readFileIfThere } from "./disk-file.ts";

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

/**
 * One process at a time holds that file. Returns the function that gives it back.
 * @param inUse what to say when another process has it
 * @throws DataError
 */
export async function takeLock(lock: string, inUse: (pid: number) => string): Promise<() => Promise<void>> {
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
      const owner = await aliveIn(content);
      if (owner !== undefined) throw new DataError(inUse(owner));
      await dropStaleLock(lock, content);
    }
    throw new DataError(`${lock} keeps changing hands: several processes are starting there. Start one.`);
  } finally {
    await unlink(draft);
  }
}

/** The process that holds that file now; undefined: none does, or what did is gone. */
export async function holderOfLock(lock: string): Promise<number | undefined> {
  const content = (await readFileIfThere(lock))?.toString();
  return content === undefined ? undefined : aliveIn(content);
}

async function aliveIn(content: string): Promise<number | undefined> {
  const owner = parseLock(content);
  if (owner === undefined || !isAlive(owner.pid)) return undefined;
  return (await startTimeOf(owner.pid)) === owner.started ? owner.pid : undefined;
}

function parseLock(content: string): LockContent | undefined {
  try {
    const { pid, started } = JSON.parse(content) as Partial<LockContent>;
    return typeof pid === "number" && typeof started === "string" ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

/** Moves the lock of a dead process away; if another one took it since we read it, puts that one back. */
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
