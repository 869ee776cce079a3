// When a host starts: uploads that came before the last stop, and that no commit named, are of no use to anybody and leave the disk.
//
//   blobs on the disk - every hash that any run's spec or log, or the list of shards, mentions = what is deleted
import { createReadStream } from "node:fs";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type DiskBlobStore, logTexts } from "#store/disk";

export interface Swept {
  readonly blobs: number;
  readonly bytes: number;
  /** Why nothing was deleted, if so. */
  readonly kept?: string;
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Every quoted hash of a text: more than the blobs that it names, never fewer, whatever the version of what wrote it. */
export const hashesIn = (text: string): string[] => [...text.matchAll(/"([0-9a-f]{64})"/g)].map(([, hash]) => hash);

async function collectHashes(path: string, into: Set<string>): Promise<void> {
  const lines = createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) for (const hash of hashesIn(line)) into.add(hash);
}

/** Call it under the directory's lock, before anything is taken in. A crash in the middle leaves the rest to the next start. */
export async function sweepBlobs(data: string, blobs: DiskBlobStore): Promise<Swept> {
  const mentioned = new Set<string>();
  const shards = join(data, "shards.json");
  if (await isThere(shards)) await collectHashes(shards, mentioned);
  for (const run of await readdir(join(data, "runs"))) {
    const folder = join(data, "runs", run);
    // A run that lost a part of its files may need blobs that we cannot know of.
    const kept = (what: string): Swept => ({
      blobs: 0,
      bytes: 0,
      kept: `${what} is missing, so nobody can tell which blobs are needed`,
    });
    const spec = join(folder, "spec.json");
    if (!(await isThere(spec))) return kept(spec);
    await collectHashes(spec, mentioned);
    const texts = await logTexts(folder);
    if (texts === undefined) return kept(`the log in ${folder}`);
    for (const text of texts) for (const hash of hashesIn(text)) mentioned.add(hash);
  }
  let [count, bytes] = [0, 0];
  for (const name of await blobs.names()) {
    if (mentioned.has(name) || !/^[0-9a-f]{64}$/.test(name)) continue; // what has no blob's name is not ours
    bytes += (await blobs.bytes(name)) ?? 0;
    await blobs.delete(name);
    count++;
  }
  return { blobs: count, bytes };
}
