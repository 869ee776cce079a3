import { expect, test } from "vitest";
import type { LogEntry } from "#wire";
import { LogReader } from "./log-reader.ts";
import { alice, commitBody, genesisHash, openBody, run, sealBody, spec, TestLog } from "./test-given.ts";
import { Wake } from "./timing.ts";

function given() {
  const log = new TestLog();
  for (const body of [openBody(), commitBody(), sealBody()]) log.append(body);
  const reader = new LogReader({ run, spec, self: alice, genesisHash });
  const taken: string[] = [];
  const take = (entry: LogEntry) => void taken.push(entry.type);
  return { log: log.entries, reader, taken, take, wake: new Wake() };
}

test("[R16] the log is fetched from the first unknown entry to the host's head", () => {
  const { log, reader, taken, take, wake } = given();
  expect(reader.advance(0, wake)).toEqual([]); // the host has not spoken
  reader.welcome(2);
  expect(reader.advance(0, wake)).toEqual([{ type: "fetch-log", from: 0 }]);
  expect(reader.advance(1, wake)).toEqual([]);
  reader.answer(2, log.slice(0, 2), take);
  expect(reader.caughtUp).toBe(false);
  expect(reader.advance(2, wake)).toEqual([{ type: "fetch-log", from: 2 }]);
  reader.answer(3, log.slice(2), take);
  expect(reader.caughtUp).toBe(true);
  expect(taken).toEqual(["open", "commit", "seal"]);
});

test("[R16] live entries are taken in order, doubles are ignored, a gap is fetched", () => {
  const { log, reader, taken, take, wake } = given();
  reader.welcome(-1);
  reader.live(0, [log[0]], take);
  reader.live(1, [log[0]], take);
  reader.live(2, [log[2]], take);
  expect(taken).toEqual(["open"]);
  expect(reader.advance(2, wake)).toEqual([{ type: "fetch-log", from: 1 }]);
});

test("[R16] an answer that does not come, or is empty, is asked for again", () => {
  const { reader, take, wake } = given();
  reader.welcome(2);
  reader.advance(0, wake);
  expect(reader.advance(19_999, wake)).toEqual([]);
  expect(reader.advance(20_000, wake)).toHaveLength(1);
  reader.answer(20_001, [], take);
  expect(reader.advance(20_002, wake)).toEqual([]);
  expect(reader.advance(20_501, wake)).toHaveLength(1);
});

test.each<[string, (log: LogEntry[]) => LogEntry[]]>([
  ["a changed entry", ([a, b, c]) => [a, { ...b, time: 5 } as LogEntry, c]],
  ["an unsigned last entry", ([a, b, c]) => [a, b, { ...c, signature: "0".repeat(128) }]],
  ["an entry left out and renumbered", ([a, , c]) => [a, { ...c, seq: 1 } as LogEntry]],
])("[R16] %s is believed in no part, and after five times the host is not followed", (_, forge) => {
  const { log, reader, taken, take, wake } = given();
  reader.welcome(2);
  let now = 0;
  let fault: string | undefined;
  for (let i = 0; i < 5; i++) {
    expect(fault).toBeUndefined();
    now += 60_000;
    reader.advance(now, wake);
    fault = reader.answer(now, forge([...log]), take);
  }
  expect(fault).toContain("entry");
  expect(taken).toEqual([]);
});

test("a host whose log is shorter than ours is not followed", () => {
  const { log, reader, take } = given();
  reader.welcome(-1);
  reader.live(0, log, take);
  reader.close();
  expect(reader.welcome(1)).toContain("ends at entry 1");
});
