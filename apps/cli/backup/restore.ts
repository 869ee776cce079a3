// `gossamer restore`: a backup into an empty data directory, after all of it was read and found good.
//
//   FOLDER: manifest, hashes, chains -> DATA: files with their modes, blobs as they arrive; last its version.json
import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataError, DiskBlobStore, openDataFolder, restoreDataFolder, writeFileWhole } from "#store/disk";
import { identityFrom } from "#wire";
import { readSpec } from "../replay.ts";
import { checkBackup, type Manifest } from "./manifest.ts";

/** @throws DataError when the backup is damaged or has no key, or the directory is not empty */
export async function restore(folder: string, data: string): Promise<Manifest> {
  const manifest = await checkBackup(folder);
  if (!manifest.key)
    throw new DataError(
      `${folder} was taken from ${manifest.source}, without the host's key: no host can go on with it. Read it where it lies: gossamer replay --data ${folder}`,
    );
  await restoreDataFolder(data, async () => {
    for (const { path } of manifest.files) {
      const from = join(folder, path);
      await mkdir(dirname(join(data, path)), { recursive: true });
      await writeFileWhole(join(data, path), await readFile(from), (await stat(from)).mode & 0o777);
    }
    const [source, target] = [await DiskBlobStore.open(folder), await DiskBlobStore.open(data, { owner: true })];
    for (const { name, bytes } of manifest.blobs)
      if (!(await target.has(name))) await target.receive(name, source.read(name, 0, bytes - 1), bytes);
  });
  await checkKey(data, manifest);
  return manifest;
}

/** The key that came back signs on where the logs end. */
async function checkKey(data: string, { runs }: Manifest): Promise<void> {
  const opened = await openDataFolder(data);
  try {
    const { volunteer } = identityFrom(await opened.keySeed());
    for (const { id, name } of runs) {
      const { hostKey } = await readSpec(join(data, "runs", id));
      if (hostKey !== volunteer)
        throw new DataError(
          `The key in ${data} is not the one of run ${name} (${id}): no host can go on with that run.`,
        );
    }
  } finally {
    await opened.close();
  }
}
