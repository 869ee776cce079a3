// Uploads that no commit named, of hosts that died before they could delete them: who takes the run over deletes them from the shared store.
import type { CachedBlobs } from "#store/nats";
import type { LogEntry, RunSpec } from "#wire";

/** Younger ones may be of an offer that is on its way. */
const AGE_MS = 3_600_000;

/** A hundred thousand entries take a second. */
const PAUSE_ENTRIES = 500;

/** @returns how many were deleted */
export async function sweepShared(
  blobs: Pick<CachedBlobs, "namesBefore" | "delete">,
  spec: RunSpec,
  log: readonly LogEntry[],
  now: number,
): Promise<number> {
  const mentioned = new Set<string>();
  const collect = (value: unknown): void => {
    for (const [, hash] of JSON.stringify(value).matchAll(/"([0-9a-f]{64})"/g)) mentioned.add(hash);
  };
  collect(spec);
  for (const [i, entry] of log.entries()) {
    collect(entry);
    if (i % PAUSE_ENTRIES === 0) await new Promise(setImmediate); // the round that goes on comes first
  }
  const left = (await blobs.namesBefore(now - AGE_MS)).filter((name) => !mentioned.has(name));
  for (const name of left) await blobs.delete(name);
  return left.length;
}
