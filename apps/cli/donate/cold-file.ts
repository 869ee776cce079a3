// Moments on disk, where the GPU's memory is short: a file in the donor's folder for each engine, which goes with it.
import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ColdStore } from "#engine";
import { ColdStoreError } from "../../web/worker/cold-place.ts";

/** @throws what the system says */
export function openColdFile(path: string, bytes: number): ColdStore {
  const file = openSync(path, "w+");
  const close = (): void => {
    closeSync(file);
    rmSync(path, { force: true });
  };
  try {
    ftruncateSync(file, bytes);
  } catch (error) {
    close();
    throw error;
  }
  return {
    read: (at, into) => whole(readSync(file, into, 0, into.length, at), into),
    write: (at, given) => whole(writeSync(file, given, 0, given.length, at), given),
    close,
  };
}

function whole(done: number, { length }: Uint8Array): void {
  if (done !== length) throw new ColdStoreError(`the file took or gave ${done} bytes of ${length}`);
}

/** What a process that was killed has left: files whose path begins so. */
export async function removeLeft(prefix: string): Promise<void> {
  const folder = dirname(prefix);
  for (const name of await readdir(folder))
    if (name.startsWith(basename(prefix))) await rm(join(folder, name), { force: true });
}
