// `gossamer replay --url`: what a host gives to anybody, copied into a folder that is thrown away, and folded here.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backup } from "./backup/backup.ts";
import { remoteSource } from "./backup/sources.ts";
import { placeOfAddress, Remote } from "./remote.ts";
import { type ReplayReport, replay } from "./replay.ts";

/** @throws RemoteError, DataError */
export async function replayRemote(
  address: string,
  run: string | undefined,
  evaluation: boolean,
  exported?: string,
): Promise<ReplayReport> {
  const place = placeOfAddress(address);
  const remote = new Remote(place.base);
  const { id } = await remote.detail(run ?? place.run ?? "default");
  const folder = await mkdtemp(join(tmpdir(), "gossamer-replay-"));
  try {
    await backup(remoteSource(remote, id), folder);
    return await replay({ data: folder, run: id, eval: evaluation, export: exported });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
