import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DiskBlobStore } from "#store/disk";
import type { EntryOf } from "#wire";
import { letGo } from "../host/retention.ts";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "../host/test-given.ts";
import { collectGarbage, gcLines } from "./gc.ts";
import { replay } from "./replay.ts";

/** Five rounds, each with its checkpoint; the host is gone. Runs of other names make the same updates and checkpoints. */
async function fiveRounds(name = "tiny", data?: string) {
  const given = await freshFolder();
  const folder = data ?? join(given, "data");
  const run = await writeRun(given, tinyDraft({ name, checkpoint: { everyRounds: 1, retain: "all" } }));
  const host = await startTestHost({ data: folder, run });
  const ada = await TestVolunteer.join(host.url, 1);
  const anchor = await ada.playCheckpoints(host, 5);
  ada.socket.close();
  await host.close();
  const { entries, id } = host.run;
  const updates = entries.filter((entry) => entry.type === "commit").map((entry) => entry.contributors[0].update);
  const checkpoints = entries
    .filter((entry) => entry.type === "checkpoint")
    .map((entry) => entry.blobs.map(({ hash }) => hash));
  return { data: folder, run, id, entries, updates, checkpoints, anchor, blobs: await DiskBlobStore.open(folder) };
}

test("checkpoints: the newest so many stay, and every so many rounds; a dry run deletes nothing", async () => {
  const { data, blobs, checkpoints, anchor } = await fiveRounds();
  const before = await blobs.names();
  const policy = { checkpoints: 2, every: 2, updates: "keep" } as const; // stay: 4 and 5, and 2
  const dry = await collectGarbage(data, policy, true);
  expect(await blobs.names()).toEqual(before);
  expect(gcLines(dry).at(-1)).toMatch(/^Would delete 4 blobs of 40/);
  const done = await collectGarbage(data, policy, false);
  expect(done).toMatchObject({ deleted: true, blobs: 4, bytes: dry.bytes });
  const gone = [...checkpoints[0], ...checkpoints[2]];
  expect(await blobs.names()).toEqual(before.filter((name) => !gone.includes(name)));
  expect(await replay({ data, eval: false })).toMatchObject({ ok: true, fromRound: 0, anchorHash: anchor });
  expect(gcLines(await collectGarbage(data, policy, false))[0]).toMatch(/^Nothing goes/);
});

test("updates before the kept checkpoints go when they may; the run replays from there, and a host goes on", async () => {
  const { data, run, blobs, updates, anchor } = await fiveRounds();
  expect(await collectGarbage(data, { updates: "ended" }, false)).toMatchObject({ blobs: 0 }); // it has not ended
  expect(await collectGarbage(data, { updates: "past" }, false)).toMatchObject({ blobs: 4 });
  expect(await Promise.all(updates.map((name) => blobs.has(name)))).toEqual([false, false, false, false, true]);
  expect(await replay({ data, eval: false })).toMatchObject({ ok: true, fromRound: 4, folded: 1, anchorHash: anchor });
  const again = await startTestHost({ data, run });
  expect(again.run.detail(0, 1).head).toMatchObject({ round: 5, anchorHash: anchor });
  await again.close();
});

test("of an archived run the last checkpoint is enough", async () => {
  const { data, id, blobs, anchor } = await fiveRounds();
  await writeFile(join(data, "runs", id, "state.json"), JSON.stringify({ archived: true }));
  const report = await collectGarbage(data, { checkpoints: 1, updates: "ended" }, false);
  expect(report.rows).toMatchObject([
    { over: true, kind: "checkpoint", blobs: 8 },
    { over: true, kind: "update", blobs: 5 },
  ]);
  expect((await blobs.names()).length).toBe(2 + 2); // two shards, two sections
  expect(await replay({ data, eval: false })).toMatchObject({ ok: true, fromRound: 5, anchorHash: anchor });
});

test("what another run of the directory names stays; one run that cannot be read keeps everything", async () => {
  const { data, id, updates, blobs } = await fiveRounds();
  const twin = await fiveRounds("twin", data);
  expect([twin.updates, twin.id === id]).toEqual([updates, false]);
  await writeFile(join(data, "runs", id, "state.json"), JSON.stringify({ archived: true }));
  const before = await blobs.names();
  expect(await collectGarbage(data, { checkpoints: 1, updates: "ended" }, true)).toMatchObject({ blobs: 6 }); // checkpoints 1 to 3, of both
  await collectGarbage(data, { updates: "ended" }, false);
  expect(await blobs.names()).toEqual(before);
  await writeFile(join(data, "runs", id, "spec.json"), "{}");
  await expect(collectGarbage(data, { checkpoints: 1, updates: "past" }, false)).rejects.toThrow(/no valid spec/);
  expect(await blobs.names()).toEqual(before);
});

test("what leads to the anchor never goes: no whole checkpoint, no deletion; the newest ones count", async () => {
  const { entries, checkpoints } = await fiveRounds();
  const drop = { checkpoints: 1, updates: "past" } as const;
  expect(letGo(entries, false, drop, (name) => !checkpoints.flat().includes(name))).toEqual([]);
  const kept = (over: boolean, lost: readonly string[]) => {
    const going = new Set(letGo(entries, over, drop, (name) => !lost.includes(name)).map(({ name }) => name));
    const rounds = (of: EntryOf<"checkpoint">[]) => of.map(({ round }) => round);
    const all = entries.filter((entry) => entry.type === "checkpoint");
    return rounds(all.filter(({ blobs }) => blobs.every(({ hash }) => !going.has(hash) && !lost.includes(hash))));
  };
  expect(kept(false, [])).toEqual([4, 5]);
  expect(kept(true, [])).toEqual([5]);
  expect(kept(true, checkpoints[4])).toEqual([4]);
});
