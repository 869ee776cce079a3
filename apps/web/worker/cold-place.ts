// Where an engine's moments may lie outside of its device, until that fails once: a disk that was full or gone is not tried again by this page.
import type { ColdStore, OpenColdStore } from "#engine";

/** What is wrong with it, in words. */
export class ColdStoreError extends Error {
  override readonly name = "ColdStoreError";
}

export const NO_ROOM = "the browser gives this site no more room on the disk";

/** Opens as `open` does; once one of its stores has failed it rejects, with the reason. */
export function untilItFails(open: OpenColdStore): OpenColdStore {
  let failed: string | undefined;
  const watched = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      failed = wordsOf(error);
      throw new ColdStoreError(failed);
    }
  };
  return async (bytes): Promise<ColdStore> => {
    if (failed !== undefined) throw new ColdStoreError(failed);
    const store = await open(bytes).catch((error: unknown) => {
      throw new ColdStoreError(wordsOf(error));
    });
    return {
      read: (at, into) => watched(() => store.read(at, into)),
      write: (at, given) => watched(() => store.write(at, given)),
      close: () => store.close(),
    };
  };
}

/** A browser's own message may be empty, or the same for many reasons: its name is what one looks for. */
function wordsOf(error: unknown): string {
  if (error instanceof ColdStoreError) return error.message;
  if (error instanceof DOMException && error.name === "QuotaExceededError") return NO_ROOM;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
