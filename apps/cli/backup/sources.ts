// Where backups come from: a data directory whose host may go on meanwhile, or a host that is asked from afar.
import * as z from "zod/mini";
import { checkDataFolder, DataError, DiskBlobStore, verifyNatively } from "#store/disk";
import { chainFault, type LogEntry, logEntrySchema, runIdOf } from "#wire";
import { readRuns } from "../ask/stored.ts";
import { type Remote, RemoteError, runPath } from "../remote.ts";
import type { BackedUpRun, BackupSource } from "./backup.ts";

/** Entries in one answer; a host gives no more. */
const PAGE = 1_000;
/** A checkpoint of GPT-2 small is 500 MB: an hour on 1 Mbit/s. A line that is slower backs up nothing. */
const BLOB_WITHIN_MS = 3_600_000;

/** @throws DataError when it is none */
export async function dataSource(data: string, run: string | undefined): Promise<BackupSource> {
  await checkDataFolder(data);
  const blobs = await DiskBlobStore.open(data);
  return {
    name: data,
    data,
    runs: () => readRuns(data, run),
    async blob(name) {
      const bytes = await blobs.bytes(name);
      if (bytes === undefined) return undefined;
      return bytes === 0 ? nothing() : blobs.read(name, 0, bytes - 1);
    },
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Spec, log, and the blobs that it still has: what anybody may ask for. The host's key is not among it. */
export function remoteSource(remote: Remote, run: string | undefined): BackupSource {
  return {
    name: remote.base,
    data: undefined,
    async runs() {
      const ids = run === undefined ? (await remote.runs()).map(({ id }) => id) : [run];
      const runs: BackedUpRun[] = [];
      for (const id of ids) runs.push(await readRun(remote, id));
      return runs;
    },
    async blob(name) {
      try {
        const { body } = await remote.open(`/api/blobs/${name}`, { signal: AbortSignal.timeout(BLOB_WITHIN_MS) });
        return body === null ? nothing() : (body as unknown as AsyncIterable<Uint8Array>);
      } catch (error) {
        if (error instanceof RemoteError && error.status === 404) return undefined;
        throw error;
      }
    },
  };
}

async function readRun(remote: Remote, run: string): Promise<BackedUpRun> {
  const { id, spec } = await remote.detail(run);
  if (runIdOf(spec) !== id)
    throw new DataError(`The host at ${remote.base} gives another spec for run ${id} than its id says.`);
  const entries: LogEntry[] = [];
  for (;;) {
    const path = runPath(id, `/log?raw=1&from=${entries.length}&limit=${PAGE}`);
    const page = (await remote.ask(path, z.array(logEntrySchema))) as LogEntry[];
    if (page.length === 0) return { id, spec, entries };
    for (const entry of page) {
      const fault = chainFault(id, spec.hostKey, entries.at(-1), entry, verifyNatively);
      if (fault !== undefined) throw new DataError(`The log of run ${id} at ${remote.base} is no chain: ${fault}.`);
      entries.push(entry);
    }
  }
}
