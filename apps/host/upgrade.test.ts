// A data directory that a build of data format 1 has made (packages/store/fixtures/data-1: three rounds of one volunteer, a checkpoint after two).
import { cp, readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { backup } from "../cli/backup/backup.ts";
import { dataSource } from "../cli/backup/sources.ts";
import { replay } from "../cli/replay.ts";
import { freshFolder, startTestHost, TestVolunteer } from "./test-given.ts";

const fixture = resolve(import.meta.dirname, "..", "..", "packages", "store", "fixtures", "data-1");
const id = "8b81090317d48e7e156fb30f33a9fab68ca1d4501be8cca65cd8026259f3972e";
const anchorHash = "e3e083910937c71ed3b764c55f3297067955a45f3d4518859a3e81f4b6ff62dd";

async function given(): Promise<{ data: string; run: string }> {
  const folder = await freshFolder();
  await cp(fixture, folder, { recursive: true });
  return { data: join(folder, "data"), run: join(folder, "run.json") };
}

test("a directory of data format 1 opens with the same run, head and anchor, says so once, and goes on", async () => {
  const { data, run } = await given();
  const before = (await readFile(join(data, "runs", id, "log.ndjson"), "utf8")).trimEnd().split("\n");
  const lines: string[] = [];
  const host = await startTestHost({ data, run, report: (line) => lines.push(line) });
  expect(lines).toEqual([expect.stringMatching(/^The log's 10 entries were taken over/)]);
  expect(host.run.id).toBe(id);
  expect(host.run.detail(0, 1).head).toMatchObject({ round: 3, anchorHash, seq: 9 });
  expect(host.run.entries.map((entry) => JSON.stringify(entry))).toEqual(before);
  const ada = await TestVolunteer.join(host.url, 1);
  for (const round of [0, 1, 2]) ada.foldAgain(host.run.entries, round);
  await ada.playRound(3, anchorHash);
  await ada.entry("checkpoint");
  ada.socket.close();
  await host.close();
  expect(JSON.parse(await readFile(join(data, "version.json"), "utf8"))).toEqual({
    format: "gossamer data",
    version: 2,
  });
  expect(await readdir(join(data, "runs", id))).toContain("log.v1.ndjson");
  expect(await replay({ data, eval: false })).toMatchObject({ ok: true, fromRound: 0, rounds: 4, folded: 4 });

  const again: string[] = [];
  await (await startTestHost({ data, run, report: (line) => again.push(line) })).close();
  expect(again).toEqual([]);
});

test("what only reads leaves it as it is: replay, and a backup", async () => {
  const { data } = await given();
  expect(await replay({ data, eval: false })).toMatchObject({ run: id, ok: true, rounds: 3, anchorHash });
  const { manifest } = await backup(await dataSource(data, undefined), join(data, "..", "backup"));
  expect(manifest.runs).toMatchObject([{ id, entries: 10, round: 3, anchorHash }]);
  expect(await readdir(join(data, "runs", id))).toEqual(["log.ndjson", "spec.json"]);
  expect(JSON.parse(await readFile(join(data, "version.json"), "utf8")).version).toBe(1);
});
