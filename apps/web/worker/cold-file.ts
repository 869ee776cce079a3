// Moments on this machine's disk, where the GPU's memory is short: a file of this site's own (OPFS) for each engine, which nobody else sees and which goes with it.
//
//   open(bytes) -> a file that this worker alone holds -> read, write -> close: removed
//
// A tab that is killed leaves its file behind, which nobody holds then: whoever opens one removes it first.
import type { ColdStore } from "#engine";
import { COLD_FOLDER } from "./cold-folder.ts";
import { ColdStoreError, NO_ROOM } from "./cold-place.ts";

/** Between a file's making and its holding nobody sweeps. */
const LOCK = "gossamer-moments";

/** Rejects with the reason in words: no such storage here, or not so much. */
export async function openColdFile(bytes: number): Promise<ColdStore> {
  const root = await navigator.storage?.getDirectory?.().catch(() => undefined);
  if (!root) throw new ColdStoreError("this browser keeps no files here (a private window, or storage is blocked)");
  return navigator.locks.request(LOCK, async () => {
    const folder = await root.getDirectoryHandle(COLD_FOLDER, { create: true });
    for await (const left of folder.keys()) await folder.removeEntry(left).catch(() => {}); // held by another tab
    const name = crypto.randomUUID();
    const file = await (await folder.getFileHandle(name, { create: true })).createSyncAccessHandle();
    const close = (): void => {
      file.close();
      folder.removeEntry(name).catch(() => {}); // then the next one sweeps it
    };
    try {
      file.truncate(bytes);
    } catch (error) {
      close();
      throw error;
    }
    return {
      read(at, into) {
        const done = file.read(into, { at });
        if (done !== into.length) throw new ColdStoreError(`of ${into.length} bytes only ${done} are in the file`);
      },
      write(at, given) {
        // Where there is no room, Chromium answers a number that is none (its error, unsigned) instead of throwing.
        if (file.write(given, { at }) !== given.length) throw new ColdStoreError(NO_ROOM);
      },
      close,
    };
  });
}
