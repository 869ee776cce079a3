// A host on real files that has lost the end of its log, and volunteers that hold it.
import { join } from "node:path";
import { expect, test } from "vitest";
import { logTexts, replaceLog } from "#store/disk";
import { entryHash, type LogEntry, type SignedOffer } from "#wire";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "./test-given.ts";

/** Two rounds on a fresh host, which then stops and loses its last `lost` entries. */
async function hostThatLost(lost: number) {
  const data = await freshFolder();
  const run = await writeRun(data);
  const host = await startTestHost({ data, run });
  const ada = await TestVolunteer.join(host.url, 1);
  const { anchorHash } = await ada.playRound(0, host.run.started.genesisHash);
  await ada.playRound(1, anchorHash);
  const path = join(data, "runs", host.run.id);
  await host.close();
  const whole = (await logTexts(path))!;
  await replaceLog(path, whole.slice(0, -lost));
  const entries = whole.map((text) => JSON.parse(text) as LogEntry);
  return { data, run, path, whole, entries };
}

test("[R33] it takes its own signed entries back from a peer, and its file is what it was", async () => {
  const { data, run, path, whole, entries } = await hostThatLost(4);
  const reported: string[] = [];
  const host = await startTestHost({ data, run, report: (line) => reported.push(line) });
  const ada = await TestVolunteer.join(host.url, 1);
  const last = entries.at(-1)!;
  expect(ada.welcome.headSeq).toBe(last.seq - 4);
  expect(ada.welcome.headHash).toBe(entryHash(entries[last.seq - 4]));
  ada.send({ type: "head", seq: last.seq, hash: entryHash(last) });
  const { from } = await ada.next("give-back");
  expect(from).toBe(last.seq - 3);
  ada.send({ type: "given-back", entries: entries.slice(from) });
  while (host.run.view.headSeq < last.seq) await ada.next("entries");
  expect(await logTexts(path)).toEqual(whole);
  expect(reported.filter((line) => line.includes("gave entry"))).toHaveLength(4);
  const offer: SignedOffer = await ada.offerRound(2, host.run.detail(0, 1).head.anchorHash); // and the run goes on
  expect((await ada.entry("commit")).contributors).toEqual([offer]);
  ada.socket.close();
  await host.close();
});

test("[R33] what is not its own, or does not follow, is not taken, and costs its sender", async () => {
  const { data, run, path, entries } = await hostThatLost(2);
  const host = await startTestHost({ data, run });
  const before = await logTexts(path);
  const last = entries.at(-1)!;
  const eve = await TestVolunteer.join(host.url, 2);
  const attempts: LogEntry[][] = [
    [{ ...entries.at(-2)!, signature: "00".repeat(64) } as LogEntry, last],
    [entries.at(-2)!, { ...last, time: 5 } as LogEntry],
    [last],
    entries.slice(0, 2),
  ];
  for (let i = 0; i < 16; i++) {
    eve.send({ type: "head", seq: last.seq, hash: entryHash(last) });
    await eve.next("give-back");
    eve.send({ type: "given-back", entries: attempts[i % attempts.length] });
  }
  expect(await eve.next("refuse")).toMatchObject({ code: "invalid" });
  expect(await logTexts(path)).toEqual(before);
  await host.close();
});
