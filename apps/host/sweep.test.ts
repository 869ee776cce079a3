import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DiskBlobStore, logTexts, replaceLog } from "#store/disk";
import { blobName } from "#wire";
import { sweepBlobs } from "./sweep.ts";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "./test-given.ts";

/** A stopped host with one round, its checkpoint, and an upload of a round that was not committed. */
async function stoppedHost() {
  const data = await freshFolder();
  const run = await writeRun(data);
  const host = await startTestHost({ data, run });
  const ada = await TestVolunteer.join(host.url, 1);
  await ada.playRound(0, host.run.started.genesisHash);
  await ada.entry("checkpoint");
  const upload = Uint8Array.of(1, 2, 3);
  expect((await ada.upload(upload)).status).toBe(201);
  ada.socket.close();
  await host.close();
  const blobs = await DiskBlobStore.open(data);
  return { data, run, blobs, id: host.run.id, upload: blobName(upload), spec: host.run.spec };
}

test("an upload that no commit named is gone after the next start, which says so; all else stays and the run goes on", async () => {
  const { data, run, blobs, upload, spec } = await stoppedHost();
  const before = await blobs.names();
  expect(before).toContain(upload);
  const lines: string[] = [];
  const again = await startTestHost({ data, run, report: (line) => lines.push(line) });
  expect(lines.join("\n")).toContain("Removed 1 upload of 3 bytes that no commit names");
  expect(await blobs.names()).toEqual(before.filter((name) => name !== upload));
  for (const { hash } of [...spec.data.train, ...spec.data.evaluation]) expect(await blobs.has(hash)).toBe(true);
  expect(again.run.detail(0, 1).round).toBe(1);
  await again.close();
  const quiet: string[] = [];
  await (await startTestHost({ data, run, report: (line) => quiet.push(line) })).close();
  expect(quiet.join("\n")).not.toContain("Removed");
});

test("blobs of another run in the same directory stay, also those of a version that we do not read", async () => {
  const { data, blobs, id, upload } = await stoppedHost();
  const before = await blobs.names();
  const folder = join(data, "runs", id);
  await replaceLog(folder, [...(await logTexts(folder))!, `{"version":9,"needs":["${upload}"]}`]);
  const draft = tinyDraft({ name: "another", seed: 9 });
  const other = await startTestHost({ data, run: await writeRun(data, draft) });
  await other.close();
  expect(await blobs.names()).toEqual(before);
});

test("nothing is deleted while a run's files are incomplete", async () => {
  const { data, blobs, id } = await stoppedHost();
  const before = await blobs.names();
  await rm(join(data, "runs", id, "spec.json"));
  expect(await sweepBlobs(data, blobs)).toMatchObject({
    blobs: 0,
    kept: expect.stringContaining("spec.json is missing"),
  });
  expect(await blobs.names()).toEqual(before);
});
