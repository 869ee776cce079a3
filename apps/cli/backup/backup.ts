// `gossamer backup`: a data directory, or what a host anywhere gives, into a folder. The host may go on meanwhile.
//
//   spec and log (it only grows) -> every blob that they mention, checked by its name -> the rest -> all read again -> manifest.json
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { DataError, DiskBlobStore, isLogFile, syncFolder, writeFileWhole } from "#store/disk";
import { blobsNamedBy, entryHash, type LogEntry, type RunSpec, specBlobs } from "#wire";
import { BUILD } from "../../host/build.ts";
import { hashesIn } from "../../host/sweep.ts";
import { goesOnFrom } from "./going-on.ts";
import { checkParts, hashOfFile, MANIFEST_FILE, type Manifest } from "./manifest.ts";

/** A run deletes what a checkpoint made needless once in many rounds; a copy that loses this race so often is on a disk that is too slow. */
const PASSES_MAX = 5;
/** Files beside blobs and logs are keys, lists and notes. A larger one is not ours. */
const FILE_BYTES_MAX = 256 * 2 ** 20;

/** What a log entry may say that a blob has. */
const BLOB_BYTES_MAX = 4 * 2 ** 30;
/** In the folder from the first file to the last. */
const UNDER_WAY = "incomplete.txt";

export interface BackedUpRun {
  readonly id: string;
  readonly spec: RunSpec;
  readonly entries: readonly LogEntry[];
}

/** Where a backup comes from. */
export interface BackupSource {
  /** For people: directory or address. */
  readonly name: string;
  /** What its key and lists lie in; undefined: a host that is asked from afar keeps them to itself. */
  readonly data: string | undefined;
  /** As they are now. */
  runs(): Promise<BackedUpRun[]>;
  /** A blob's bytes; undefined: it is not there any more. */
  blob(name: string): Promise<AsyncIterable<Uint8Array> | undefined>;
}

export interface BackupReport {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Blobs that were fetched; the others were in the folder already. */
  readonly copied: { readonly blobs: number; readonly bytes: number };
}

/** @throws DataError when the folder is something else's, or what is there could not go on */
export async function backup(source: BackupSource, folder: string): Promise<BackupReport> {
  await takeFolder(folder, source.data);
  const target = await DiskBlobStore.open(folder, { owner: true });
  const copied = { blobs: 0, bytes: 0 };
  const present = new Map<string, number>(); // in the target, whole: it was checked when it got its name
  for (let pass = 1; ; pass++) {
    const runs = await source.runs();
    const texts = await extraFiles(source.data);
    const wanted = new Set(texts.flatMap(({ content }) => hashesIn(content.toString("latin1"))));
    for (const { spec, entries } of runs) {
      for (const { hash } of specBlobs(spec)) wanted.add(hash);
      for (const entry of entries) for (const name of blobsNamedBy(entry)) wanted.add(name);
    }
    for (const name of wanted) {
      if (present.has(name)) continue;
      const stored = await target.bytes(name);
      if (stored !== undefined) {
        present.set(name, stored);
        continue;
      }
      const chunks = await source.blob(name);
      if (chunks === undefined) continue; // no blob's name, or one that retention has deleted
      const bytes = await target.receive(name, chunks, BLOB_BYTES_MAX);
      present.set(name, bytes);
      copied.blobs++;
      copied.bytes += bytes;
    }
    const stuck = await runThatCannotGoOn(runs, (name) => present.has(name));
    if (stuck === undefined) {
      const manifest = await complete(source, folder, target, runs, texts, present, wanted);
      return { folder, manifest, copied };
    }
    if (pass === PASSES_MAX)
      throw new DataError(
        `${source.name}: run ${stuck} cannot be backed up so that a host could go on with it: updates of its newest rounds are not there, and no checkpoint after them. Check its blobs with: gossamer replay --data ${source.data ?? "DIR"}`,
      );
  }
}

async function runThatCannotGoOn(
  runs: readonly BackedUpRun[],
  has: (name: string) => boolean,
): Promise<string | undefined> {
  for (const { id, spec, entries } of runs) if ((await goesOnFrom(spec, entries, has)) === undefined) return id;
  return undefined;
}

/** Only an empty folder, or one that holds a backup, whole or half. */
async function takeFolder(folder: string, data: string | undefined): Promise<void> {
  if (data !== undefined && !relative(data, folder).startsWith(".."))
    throw new DataError(`${folder} lies in the data directory: a backup belongs elsewhere, best on another disk.`);
  await mkdir(folder, { recursive: true });
  const there = await readdir(folder);
  const ours = there.includes(MANIFEST_FILE) || there.includes(UNDER_WAY);
  if (there.length > 0 && !ours)
    throw new DataError(`${folder} is not empty and holds no backup. Give --to a new folder.`);
  await writeFileWhole(join(folder, UNDER_WAY), "A backup is being written, or was interrupted.\n");
  await rm(join(folder, MANIFEST_FILE), { force: true }); // from now on it is half a backup
  await rm(join(folder, "runs"), { recursive: true, force: true });
  await syncFolder(folder);
}

interface ExtraFile {
  readonly path: string; // in the directory, with slashes
  readonly content: Buffer;
  readonly mode: number;
}

/** All files but blobs, logs, the lock and what is being written: keys, lists, certificates, whatever a host keeps. */
async function extraFiles(data: string | undefined): Promise<ExtraFile[]> {
  if (data === undefined) return [];
  const files: ExtraFile[] = [];
  for (const name of await readdir(data, { recursive: true })) {
    const path = name.split(sep).join("/");
    if (
      path.startsWith("blobs/") ||
      path === "host.lock" ||
      path === "version.json" ||
      /\.(tmp|stale)$/.test(path) ||
      isLogFile(path)
    )
      continue;
    const found = await stat(join(data, name)).catch(() => undefined);
    if (found === undefined || !found.isFile()) continue;
    if (found.size > FILE_BYTES_MAX)
      throw new DataError(
        `${join(data, name)} has ${found.size} bytes: no host writes such a file. Move it elsewhere.`,
      );
    files.push({ path, content: await readFile(join(data, name)), mode: found.mode & 0o777 });
  }
  return files;
}

async function complete(
  source: BackupSource,
  folder: string,
  target: DiskBlobStore,
  runs: readonly BackedUpRun[],
  texts: readonly ExtraFile[],
  present: ReadonlyMap<string, number>,
  wanted: ReadonlySet<string>,
): Promise<Manifest> {
  for (const name of await target.names()) if (!wanted.has(name)) await target.delete(name); // of an older backup
  const paths: string[] = [];
  for (const { id, spec, entries } of runs) {
    const log = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    for (const [file, content] of [
      ["spec.json", `${JSON.stringify(spec, null, 2)}\n`],
      ["log.ndjson", log],
    ] as const) {
      await writeInto(folder, `runs/${id}/${file}`, content, 0o644);
      paths.push(`runs/${id}/${file}`);
    }
  }
  for (const { path, content, mode } of texts) {
    if (paths.includes(path)) continue;
    await writeInto(folder, path, content, mode);
    paths.push(path);
  }
  const files: Manifest["files"] = [];
  for (const path of paths.sort()) {
    const found = await hashOfFile(join(folder, path));
    if (found === undefined) throw new DataError(`${join(folder, path)} has vanished while the backup was written.`);
    files.push({ path, ...found });
  }
  const manifest: Manifest = {
    format: "gossamer backup",
    version: 1,
    build: BUILD,
    madeAt: new Date().toISOString(),
    source: source.name,
    key: paths.includes("host.key"),
    runs: runs.map(summaryOf),
    files,
    blobs: [...present]
      .filter(([name]) => wanted.has(name))
      .map(([name, bytes]) => ({ name, bytes }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
  await checkParts(folder, manifest);
  await writeFileWhole(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 1)}\n`);
  await rm(join(folder, UNDER_WAY), { force: true });
  return manifest;
}

async function writeInto(folder: string, path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const full = join(folder, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFileWhole(full, content, mode);
}

function summaryOf({ id, spec, entries }: BackedUpRun): Manifest["runs"][number] {
  const last = entries.at(-1);
  const seal = entries.findLast((entry) => entry.type === "seal");
  return {
    id,
    name: spec.name,
    entries: entries.length,
    head: last === undefined ? id : entryHash(last),
    round: seal === undefined ? 0 : seal.round + 1,
    anchorHash: seal?.anchorHash ?? null,
  };
}
