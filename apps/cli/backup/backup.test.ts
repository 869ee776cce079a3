import { appendFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DiskBlobStore } from "#store/disk";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "../../host/test-given.ts";
import { Remote } from "../remote.ts";
import { replay } from "../replay.ts";
import { replayRemote } from "../replay-remote.ts";
import { type BackupSource, backup } from "./backup.ts";
import { goesOnFrom } from "./going-on.ts";
import { checkBackup } from "./manifest.ts";
import { restore } from "./restore.ts";
import { dataSource, remoteSource } from "./sources.ts";

/** A host in the middle of a run: two rounds, the first with its checkpoint. */
async function runningHost() {
  const given = await freshFolder();
  const data = join(given, "data");
  const run = await writeRun(given, tinyDraft({ checkpoint: { everyRounds: 1, retain: "all" } }));
  const host = await startTestHost({ data, run });
  const ada = await TestVolunteer.join(host.url, 1);
  const first = await ada.playRound(0, host.run.started.genesisHash);
  await ada.entry("checkpoint");
  const { anchorHash } = await ada.playRound(1, first.anchorHash);
  await ada.entry("checkpoint");
  return { data, run, host, ada, anchorHash, to: join(given, "backup") };
}

const stopped = async ({ host, ada }: Awaited<ReturnType<typeof runningHost>>): Promise<void> => {
  ada.socket.close();
  await host.close();
};

test("a backup of a running host replays where it lies; the next one copies only what is new", async () => {
  const given = await runningHost();
  const { data, ada, to, anchorHash, host } = given;
  const first = await backup(await dataSource(data, undefined), to);
  expect(first.manifest.runs).toMatchObject([{ id: host.run.id, round: 2, anchorHash, entries: 8 }]);
  expect(first.copied.blobs).toBe(first.manifest.blobs.length);
  expect(await replay({ data: to, eval: false })).toMatchObject({ ok: true, rounds: 2, folded: 2, anchorHash });
  expect((await stat(join(to, "host.key"))).mode & 0o777).toBe(0o600);

  const third = await ada.playRound(2, anchorHash);
  await ada.entry("checkpoint");
  const second = await backup(await dataSource(data, undefined), to);
  expect(second.manifest.runs[0]).toMatchObject({ round: 3, anchorHash: third.anchorHash });
  expect(second.copied.blobs).toBe(3); // an update, and a checkpoint of two sections
  expect(await checkBackup(to)).toEqual(second.manifest);
  await stopped(given);
});

test("backup, wipe, restore, continue: the same anchor, and the run goes on from it", async () => {
  const given = await runningHost();
  const { data, run, to, anchorHash } = given;
  await backup(await dataSource(data, undefined), to);
  await stopped(given);
  await rm(data, { recursive: true });
  await restore(to, data);
  expect((await stat(join(data, "host.key"))).mode & 0o777).toBe(0o600);
  const again = await startTestHost({ data, run });
  expect(again.run.detail(0, 1).head).toMatchObject({ round: 2, anchorHash });
  const bob = await TestVolunteer.join(again.url, 1);
  for (const round of [0, 1]) bob.foldAgain(again.run.entries, round);
  await bob.playRound(2, anchorHash);
  bob.socket.close();
  await again.close();
  expect(await replay({ data, eval: false })).toMatchObject({ ok: true, rounds: 3 });
});

test("from afar: what the host gives to anybody replays, and is refused as a host's directory", async () => {
  const given = await runningHost();
  const { to, host, anchorHash, data } = given;
  const { manifest } = await backup(remoteSource(new Remote(host.url), undefined), to);
  expect(await replayRemote(host.url, undefined, false)).toMatchObject({ ok: true, folded: 2, anchorHash });
  await stopped(given);
  expect(manifest).toMatchObject({ key: false, source: host.url });
  expect(await replay({ data: to, eval: false })).toMatchObject({ ok: true, folded: 2, anchorHash });
  await expect(restore(to, join(data, "..", "new"))).rejects.toThrow(/without the host's key.*gossamer replay/);
});

test("half a backup, a damaged one, one of another version: each is refused by name, and nothing is restored", async () => {
  const given = await runningHost();
  const { data, to } = given;
  const { manifest } = await backup(await dataSource(data, undefined), to);
  await stopped(given);
  const into = join(data, "..", "new");
  const { name } = manifest.blobs[0];
  const blob = (await DiskBlobStore.open(to)).path(name);
  const bytes = await readFile(blob);
  await writeFile(
    blob,
    bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte)),
  );
  await expect(restore(to, into)).rejects.toThrow(`blob ${name} has changed`);
  await rm(blob);
  await expect(restore(to, into)).rejects.toThrow(`blob ${name} is missing`);
  await writeFile(blob, bytes);
  await appendFile(join(to, "shards.json"), " ");
  await expect(restore(to, into)).rejects.toThrow("shards.json has changed");
  const path = join(to, "manifest.json");
  await writeFile(path, JSON.stringify({ ...manifest, version: 9 }));
  await expect(restore(to, into)).rejects.toThrow(/version 9; this build reads 1/);
  await writeFile(path, JSON.stringify({ ...manifest, files: [{ ...manifest.files[0], path: "../elsewhere" }] }));
  await expect(restore(to, into)).rejects.toThrow(/outside of its folder/);
  await rm(path);
  await expect(restore(to, into)).rejects.toThrow(/no backup, or one that was interrupted/);
  await expect(stat(into)).rejects.toThrow(/ENOENT/);
});

test("neither overwrites what is somebody else's", async () => {
  const given = await runningHost();
  const { data, to } = given;
  const source = await dataSource(data, undefined);
  await expect(backup(source, join(data, "inside"))).rejects.toThrow(/lies in the data directory/);
  await mkdir(to);
  await writeFile(join(to, "thesis.txt"), "years of work");
  await expect(backup(source, to)).rejects.toThrow(/not empty and holds no backup/);
  await rm(join(to, "thesis.txt"));
  await backup(source, to);
  await expect(restore(to, data)).rejects.toThrow(/not empty/);
  await stopped(given);
  await expect(dataSource(join(data, ".."), undefined)).rejects.toThrow(/is no data directory/);
});

test("what retention deletes meanwhile is made up for by a newer log; what is lost for good is named", async () => {
  const given = await runningHost();
  const { data, to, host } = given;
  const whole = await dataSource(data, undefined);
  const [run] = await whole.runs();
  const commits = run.entries.filter((entry) => entry.type === "commit");
  const gone = new Set(commits.map(({ contributors }) => contributors[0].update));
  const checkpoints = run.entries.filter((entry) => entry.type === "checkpoint");
  const early = { ...run, entries: run.entries.slice(0, checkpoints[0].seq) }; // no checkpoint yet, and its updates are gone
  let reads = 0;
  const racing: BackupSource = {
    ...whole,
    runs: async () => (reads++ === 0 ? [early] : [run]),
    blob: async (name) => (gone.has(name) ? undefined : whole.blob(name)),
  };
  const { manifest } = await backup(racing, to);
  expect(reads).toBe(2);
  expect(manifest.runs[0].round).toBe(2);
  await expect(backup({ ...racing, runs: async () => [early] }, `${to}-2`)).rejects.toThrow(
    `run ${host.run.id} cannot be backed up`,
  );
  await expect(checkBackup(`${to}-2`)).rejects.toThrow(/interrupted/);
  await stopped(given);
});

test("from where a host could go on: the newest checkpoint that is there with all updates after it", async () => {
  const given = await runningHost();
  const { spec, entries } = given.host.run;
  await stopped(given);
  const updates = entries.filter((entry) => entry.type === "commit").map((entry) => entry.contributors[0].update);
  const checkpoints = entries.filter((entry) => entry.type === "checkpoint").map((entry) => entry.blobs[0].hash);
  const without = (...lost: string[]) => goesOnFrom(spec, entries, (name) => !lost.includes(name));
  expect(await without()).toBe(2);
  expect(await without(checkpoints[1])).toBe(1);
  expect(await without(...checkpoints)).toBe(0);
  expect(await without(...updates)).toBe(2);
  expect(await without(updates[0], checkpoints[1])).toBe(1);
  expect(await without(updates[1], checkpoints[1])).toBeUndefined();
});
