import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DiskBlobStore, logTexts, readLog, replaceLog } from "#store/disk";
import { type EntryBody, identityFrom, type LogEntry, type RunSpec, runIdOf, signEntry } from "#wire";
import { freshFolder, startTestHost, TestVolunteer, tinyDraft, writeRun } from "../host/test-given.ts";
import { readEvaluationSet, replay, replayLines } from "./replay.ts";

/** Two sealed rounds on a disk, and the host that made them is gone. */
async function storedRun(
  checkpointEvery = 100,
): Promise<{ data: string; anchorHash: string; id: string; spec: RunSpec }> {
  const data = await freshFolder();
  const draft = tinyDraft({ checkpoint: { everyRounds: checkpointEvery, retain: "all" } });
  const host = await startTestHost({ data, run: await writeRun(data, draft) });
  const volunteer = await TestVolunteer.join(host.url, 1);
  const first = await volunteer.playRound(0, host.run.started.genesisHash);
  if (checkpointEvery === 1) await volunteer.entry("checkpoint");
  const { anchorHash } = await volunteer.playRound(1, first.anchorHash);
  volunteer.socket.close();
  await host.close();
  return { data, anchorHash, id: host.run.id, spec: host.run.spec };
}

/** Appends an entry as the host would, with its key. */
async function append(data: string, id: string, body: EntryBody): Promise<void> {
  const folder = join(data, "runs", id);
  const texts = (await logTexts(folder))!;
  const host = identityFrom(
    new Uint8Array(Buffer.from((await readFile(join(data, "host.key"), "utf8")).trim(), "hex")),
  );
  const previous = JSON.parse(texts[texts.length - 1]) as LogEntry;
  await replaceLog(folder, [...texts, JSON.stringify(signEntry(host, id, previous, 0, body))]);
}

test("refolds from genesis to the sealed anchor, also when checkpoints exist", async () => {
  for (const checkpointEvery of [1, 100]) {
    const { data, anchorHash, id } = await storedRun(checkpointEvery);
    const report = await replay({ data, eval: false });
    expect(report).toMatchObject({ run: id, ok: true, fromRound: 0, rounds: 2, folded: 2, anchorHash });
    expect(replayLines(report).join("\n")).toContain("OK ");
  }
});

test("begins at the oldest checkpoint from which every update is still stored", async () => {
  const { data, anchorHash, spec } = await storedRun(1);
  const log = await readLog(join(data, "runs", runIdOf(spec)), runIdOf(spec), spec.hostKey);
  const first = log.entries.find((entry) => entry.type === "commit")!;
  await (await DiskBlobStore.open(data)).delete(first.contributors[0].update);
  expect(await replay({ data, eval: false })).toMatchObject({
    ok: true,
    fromRound: 1,
    rounds: 2,
    folded: 1,
    anchorHash,
  });
});

/** A dishonest host changes bodies and signs its whole chain again. */
async function forge(data: string, id: string, change: (body: EntryBody) => EntryBody): Promise<void> {
  const folder = join(data, "runs", id);
  const host = identityFrom(
    new Uint8Array(Buffer.from((await readFile(join(data, "host.key"), "utf8")).trim(), "hex")),
  );
  const chain: LogEntry[] = [];
  for (const text of (await logTexts(folder))!) {
    const { version: _v, seq: _s, prevHash: _p, time: _t, signature: _g, ...body } = JSON.parse(text) as LogEntry;
    chain.push(signEntry(host, id, chain.at(-1), 0, change(body as EntryBody)));
  }
  await replaceLog(
    folder,
    chain.map((entry) => JSON.stringify(entry)),
  );
}

test("a log whose seal says another anchor is a mismatch, by round and entry", async () => {
  const { data, id } = await storedRun();
  await forge(data, id, (body) =>
    body.type === "seal" && body.round === 1 ? { ...body, anchorHash: "ab".repeat(32) } : body,
  ); // only folding finds it out
  const report = await replay({ data, eval: false });
  expect(report.ok).toBe(false);
  expect(report.fault).toMatch(/round 1 folds to anchor .* but its seal \(entry \d+\) says abab/);
});

test("a commit that credits more than its volunteer signed is named, by round, entry and peer", async () => {
  const { data, id } = await storedRun();
  expect(await replay({ data, eval: false })).toMatchObject({ ok: true, signed: 2 });
  await forge(data, id, (body) =>
    body.type === "commit" && body.round === 1
      ? { ...body, contributors: body.contributors.map((offer) => ({ ...offer, tokens: offer.tokens + 1 })) }
      : body,
  );
  const report = await replay({ data, eval: false });
  expect(report).toMatchObject({ ok: false, signed: 1, folded: 0 });
  expect(report.fault).toMatch(/^round 1 \(entry \d+\): peer [0-9a-f]{66} did not sign this offer$/);
  expect(replayLines(report).join("\n")).toContain("MISMATCH    round 1");
});

test("--eval computes the last evaluation again, and finds one that was made up", async () => {
  const { data, id, anchorHash, spec } = await storedRun();
  const { setHash } = await readEvaluationSet(spec, await DiskBlobStore.open(data));
  const evaluation = { type: "eval", round: 2, anchorHash, setHash, peer: `${spec.hostKey}00` } as const;
  await append(data, id, { ...evaluation, loss: 0.1 });
  const wrong = await replay({ data, eval: true });
  expect(wrong).toMatchObject({ ok: false, evaluation: { round: 2, recorded: 0.1 } });
  // genesis predicts about log(256) nats; two tiny rounds change little
  expect(wrong.evaluation!.recomputed).toBeGreaterThan(4);
  expect(wrong.fault).toMatch(/evaluation of round 2 is off by/);
});

test("a folder without runs says what to give", async () => {
  await expect(replay({ data: await freshFolder(), eval: false })).rejects.toThrow(/holds no run.*--data/);
});
