import { afterAll, beforeAll, expect, test } from "vitest";
import type { LogEntry } from "#wire";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "../../host/test-given.ts";
import { Remote } from "../remote.ts";
import { entryLine, followLog, rangeOf, remoteLog } from "./log.ts";
import { giverLines, peerLines, remotePeers } from "./peers.ts";
import { remoteStatus, statusLines, storedStatus } from "./status.ts";
import { givers, headOf, readRuns } from "./stored.ts";
import { tableLines } from "./table.ts";

let data: string;
let host: Awaited<ReturnType<typeof startTestHost>>;
let ada: TestVolunteer;
let remote: Remote;

/** Two rounds by one volunteer, who is still there. */
beforeAll(async () => {
  data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data) });
  remote = new Remote(host.url);
  ada = await TestVolunteer.join(host.url, 1);
  await ada.playCheckpoints(host, 2);
});
afterAll(async () => {
  ada.socket.close();
  await host.close();
});

const all = async (entries: AsyncIterable<LogEntry>): Promise<LogEntry[]> => {
  const found: LogEntry[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
};

test("a host and its data directory tell the same of a run; each what it alone knows", async () => {
  const [asked, stored] = [await remoteStatus(remote, undefined), await storedStatus(data, undefined)];
  const { live, state, writtenAt, roundMs, ...told } = asked.runs[0];
  expect(stored.runs[0]).toMatchObject(told);
  expect(told).toMatchObject({ id: host.run.id, round: 2, trainLoss: 5 });
  expect(roundMs).toBe(stored.runs[0].roundMs);
  expect(live).toMatchObject({ peersByState: { paused: 1 }, roster: 0, awaited: [] });
  expect(stored).toMatchObject({ usedBy: process.pid, host: null });
  expect(asked.host?.connections).toBe(1);
});

test("its lines fit a terminal of 80 columns", async () => {
  for (const report of [await remoteStatus(remote, host.run.id), await storedStatus(data, host.run.id)]) {
    const lines = statusLines(report);
    expect(lines.filter((line, at) => at > 0 && line.length > 80)).toEqual([]); // the first names a place
    expect(lines.join("\n")).toContain("2 sealed");
  }
  expect(statusLines(await remoteStatus(remote, undefined)).join("\n")).toContain("1 paused");
});

test("a run that is not there: those that are get named, by the host and by the directory", async () => {
  await expect(remoteStatus(remote, "ab".repeat(32))).rejects.toThrow(/has no run abab.* It has: tiny \(http/);
  await expect(storedStatus(data, "ab".repeat(32))).rejects.toThrow(/holds no run abab.* Its runs are/);
  await expect(storedStatus(await freshFolder(), undefined)).rejects.toThrow(/holds no run. Give .* --data/);
  await expect(remoteStatus(new Remote("http://127.0.0.1:1"), undefined)).rejects.toThrow(/Nobody answers|cannot be/);
});

test("the log: the newest by default, any part by --from, as the disk has it", async () => {
  const entries = await all(remoteLog(remote, "default", { from: 0, limit: 1_000 }));
  expect(entries).toEqual(host.run.entries);
  expect((await readRuns(data, undefined))[0].entries).toEqual(entries);
  expect(await all(remoteLog(remote, "default", { from: undefined, limit: 2 }))).toEqual(entries.slice(-2));
  expect(await all(remoteLog(remote, "default", { from: 3, limit: 2 }))).toEqual(entries.slice(3, 5));
  expect(rangeOf({ from: 9, limit: 5 }, 4)).toEqual([9, 4]);
  const lines = entries.map(entryLine);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
  expect(lines.map((line) => line.split(/ +/)[4])).toEqual(entries.map(({ type }) => type));
  expect(lines[1]).toMatch(/commit +0 {2}1 named, 64 tokens/);
});

test("--follow gives what comes later too", async () => {
  const known = host.run.entries.length;
  const following = followLog(remote, "default", known - 1);
  expect((await following.next()).value).toEqual(host.run.entries[known - 1]);
  const next = following.next();
  host.run.end("that was enough");
  const { value } = await next;
  expect(value).toMatchObject({ type: "end", seq: known });
  expect(entryLine(value as LogEntry)).toContain("that was enough");
  await following.return(undefined);
  expect(headOf((await readRuns(data, undefined))[0]).endReason).toBe("that was enough");
});

test("peers: a table of who is here; from the disk who has given", async () => {
  const report = await remotePeers(remote, "default", 100);
  expect(report).toMatchObject({ total: 1, peers: [{ id: ada.peer, name: "Ada", rounds: 2 }] });
  const [head, row] = peerLines(report);
  expect(head).toMatch(/^PEER +STATE +TOKENS/);
  expect(row).toMatch(/^Ada +(paused|joining) +128 +2 +5\.000/);
  expect(row.length).toBeLessThanOrEqual(80);
  const [stored] = await readRuns(data, undefined);
  expect(
    giverLines(
      givers(stored, () => undefined),
      10,
    )[1],
  ).toMatch(/peer [0-9a-f]{6} +128 +2/);
});

test("a stranger's name cannot move the cursor, nor push columns away", () => {
  const columns = [
    { title: "A", cell: (text: string) => text },
    { title: "B", cell: () => "1", right: true },
  ];
  const lines = tableLines(columns, ["\x1b[2Jred\r\n", "x".repeat(500)]);
  expect(lines[1]).toMatch(/^\[2Jred +1$/);
  expect(lines[2].length).toBeLessThan(40);
});
