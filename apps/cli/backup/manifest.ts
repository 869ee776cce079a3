// A backup is a folder that anything can copy and `replay --data` can read:
//
//   FOLDER/manifest.json                 written last: a folder without it is half a backup
//   FOLDER/runs/<id>/{spec.json, log.ndjson}      blobs/ab/ab12…      host.key, shards.json and what else lay beside them
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import * as z from "zod/mini";
import { DataError, DiskBlobStore, readFileIfThere, readLog } from "#store/disk";
import { entryHash, hashHex, hashSchema } from "#wire";
import { readSpec } from "../replay.ts";

export const MANIFEST_FILE = "manifest.json";
const BACKUP_VERSION = 1;

const manifestSchema = z.object({
  format: z.literal("gossamer backup"),
  version: z.literal(BACKUP_VERSION),
  build: z.string(),
  madeAt: z.string(), //          ISO 8601, for people
  source: z.string(), //          data directory or address
  /** Whether the host's key is in it: without it no host goes on with the runs. */
  key: z.boolean(),
  runs: z.array(
    z.object({
      id: hashSchema,
      name: z.string(),
      entries: z.int(),
      head: hashSchema, //        hash of the last entry; the run's id when there is none
      round: z.int(), //          sealed
      anchorHash: z.nullable(hashSchema),
    }),
  ),
  files: z.array(z.object({ path: z.string(), bytes: z.int(), sha256: hashSchema })),
  blobs: z.array(z.object({ name: hashSchema, bytes: z.int() })),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** @throws DataError when that is no backup, half of one, or one of another version */
async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, MANIFEST_FILE);
  const content = await readFileIfThere(path);
  if (content === undefined)
    throw new DataError(`${path} is missing: this is no backup, or one that was interrupted. Take another one.`);
  let value: unknown;
  try {
    value = JSON.parse(content.toString());
  } catch {
    throw new DataError(`${path} is not JSON: the backup is damaged. Take another one.`);
  }
  const { version } = value as { version?: unknown };
  if (version !== BACKUP_VERSION)
    throw new DataError(
      `${path} has version ${String(version)}; this build reads ${BACKUP_VERSION}. Use the build that made it.`,
    );
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success)
    throw new DataError(`${path} cannot be read (${parsed.error.issues[0].path.join(".")}). Take another backup.`);
  const inside = parsed.data.files.every(({ path }) => isInside(path));
  if (!inside) throw new DataError(`${path} names files outside of its folder: it was not made by a host.`);
  return parsed.data;
}

/** A path of a manifest must stay below its folder. */
const isInside = (path: string): boolean =>
  path !== "" && !path.includes("\\") && path.split("/").every((part) => part !== "" && part !== "." && part !== "..");

export async function hashOfFile(path: string): Promise<{ bytes: number; sha256: string } | undefined> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Reads all of it again: files, blobs, and each log's chain and signatures. @throws DataError that names the first part that is wrong */
export async function checkBackup(folder: string): Promise<Manifest> {
  const manifest = await readManifest(folder);
  await checkParts(folder, manifest);
  return manifest;
}

export async function checkParts(folder: string, { files, blobs, runs }: Manifest): Promise<void> {
  const damaged = (what: string) => new DataError(`${folder}: ${what}. The backup is damaged: take another one.`);
  for (const { path, bytes, sha256 } of files) {
    const found = await hashOfFile(join(folder, path));
    if (found === undefined) throw damaged(`${path} is missing`);
    if (found.bytes !== bytes || found.sha256 !== sha256) throw damaged(`${path} has changed`);
  }
  const store = await DiskBlobStore.open(folder);
  for (const { name, bytes } of blobs) {
    if ((await store.bytes(name)) !== bytes) throw damaged(`blob ${name} is missing or of another length`);
    if (hashHex(await store.pieceList(name)) !== name) throw damaged(`blob ${name} has changed`);
  }
  for (const { id, entries, head } of runs) {
    const spec = await readSpec(join(folder, "runs", id));
    const log = await readLog(join(folder, "runs", id), id, spec.hostKey);
    const last = log.entries.at(-1);
    if (log.entries.length !== entries || (last === undefined ? id : entryHash(last)) !== head)
      throw damaged(`the log of run ${id} does not end where the manifest says`);
  }
}
