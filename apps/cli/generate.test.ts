import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DiskBlobStore } from "#store/disk";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "../host/test-given.ts";
import { type GenerateOptions, generate } from "./generate.ts";

type TestHost = Awaited<ReturnType<typeof startTestHost>>;

let data: string;
let host: TestHost;

/** Two rounds, each with its checkpoint. */
beforeAll(async () => {
  data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data) });
  const volunteer = await TestVolunteer.join(host.url, 1);
  await volunteer.playCheckpoints(host, 2);
  volunteer.socket.close();
});
afterAll(() => host.close());

const given: Omit<GenerateOptions, "data"> = {
  ...{ prompt: "It was", tokens: 30, json: false },
  ...{ temperature: 1, topK: 0, topP: 1, seed: 3 },
};

async function run(options: Partial<GenerateOptions>) {
  let [text, progress] = ["", ""];
  const report = await generate(
    { ...given, data, ...options },
    (more) => {
      text += more;
    },
    (line) => {
      progress += `${line}\n`;
    },
  );
  return { report, text, progress };
}

test("the newest checkpoint of a host and of its data directory write the same text, again and again", async () => {
  const [own, fetched, again] = [await run({}), await run({ url: host.url }), await run({})];
  expect(own.report).toMatchObject({ run: host.run.id, round: 2, tokens: 30, engine: "processor" });
  expect(own.text).toBe(`${own.report.text}\n`);
  expect(fetched.text).toBe(own.text);
  expect(again.text).toBe(own.text);
  expect((await run({ seed: 4 })).text).not.toBe(own.text);
  expect(fetched.progress).toMatch(
    /fetching [\d.]+ kB from http.*\n.*tiny, after round 2 .*\n30 tokens, .* a second; seed 3/s,
  );
});

test("an older checkpoint by its round; as JSON one object and no text", async () => {
  const older = await run({ round: 1, json: true });
  expect(older.report.round).toBe(1);
  expect(JSON.parse(older.text)).toEqual(older.report);
  expect((await run({ url: host.url, round: 1 })).report.text).toBe(older.report.text);
});

test("what cannot be is said with the way out", async () => {
  await expect(run({ round: 7 })).rejects.toThrow(
    "No checkpoint of round 7 is kept. There are those of 2, 1: --round 2",
  );
  await expect(run({ prompt: "" })).rejects.toThrow(/nothing to continue.*--prompt/);
  await expect(run({ temperature: 3 })).rejects.toThrow(/temperature is 3; it must be from 0 to 2/);
  await expect(run({ url: "http://127.0.0.1:9" })).rejects.toThrow(/http:\/\/127\.0\.0\.1:9 cannot be reached/);
  await expect(run({ url: host.url, run: "ab".repeat(32) })).rejects.toThrow(/This host serves run/);
  await expect(run({ data: await freshFolder() })).rejects.toThrow(/holds no run/);
});

test("a run without a checkpoint yet, and one whose checkpoint is damaged on the disk", async () => {
  const folder = await freshFolder();
  const draft = tinyDraft({ checkpoint: { everyRounds: 100, retain: "all" } });
  const young = await startTestHost({ data: folder, run: await writeRun(folder, draft) });
  await expect(run({ url: young.url })).rejects.toThrow(/nothing to try yet/);
  // A host gives the anchor of each round, whatever it keeps of them.
  const volunteer = await TestVolunteer.join(young.url, 2);
  const { anchorHash } = await volunteer.playRound(0, young.run.started.genesisHash);
  volunteer.socket.close();
  expect((await run({ url: young.url })).report).toMatchObject({ round: 1, anchorHash, tokens: 30 });
  await young.close();
  await expect(run({ data: folder })).rejects.toThrow(/nothing to try yet/);

  const entry = host.run.entries.find((each) => each.type === "checkpoint" && each.round === 1);
  const blob = entry?.type === "checkpoint" ? entry.blobs.find(({ name }) => name === "parameters") : undefined;
  await writeFile((await DiskBlobStore.open(data)).path(blob!.hash), "something else");
  await expect(run({ round: 1 })).rejects.toThrow(/round 1 is damaged on the disk/);
  await expect(run({ round: 1, url: host.url })).rejects.toThrow(/round 1|bytes/);
});
