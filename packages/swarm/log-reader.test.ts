import { describe, expect, test } from "vitest";
import { entryHash, type LogEntry } from "#wire";
import { LogReader } from "./log-reader.ts";
import { LogTail, TAIL_ENTRIES_MAX } from "./log-tail.ts";
import { alice, commitBody, genesisHash, offerOf, openBody, run, sealBody, spec, TestLog } from "./test-given.ts";
import { Wake } from "./timing.ts";

function given() {
  const log = new TestLog();
  for (const body of [openBody(), commitBody(), sealBody()]) log.append(body);
  const reader = new LogReader({ run, spec, self: alice, genesisHash });
  const taken: string[] = [];
  const take = (entry: LogEntry) => void taken.push(entry.type);
  return { log: log.entries, head: log.headHash, reader, taken, take, wake: new Wake() };
}

test("[R16] the log is fetched from the first unknown entry to the host's head", () => {
  const { log, head, reader, taken, take, wake } = given();
  expect(reader.advance(0, wake)).toEqual([]); // the host has not spoken
  reader.welcome(0, 2, head);
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
  reader.welcome(0, -1, run);
  reader.live(0, [log[0]], take);
  reader.live(1, [log[0]], take);
  reader.live(2, [log[2]], take);
  expect(taken).toEqual(["open"]);
  expect(reader.advance(2, wake)).toEqual([{ type: "fetch-log", from: 1 }]);
});

test("[R16] an answer that does not come, or is empty, is asked for again", () => {
  const { head, reader, take, wake } = given();
  reader.welcome(0, 2, head);
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
  const { log, head, reader, taken, take, wake } = given();
  reader.welcome(0, 2, head);
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

test("[R33] a host whose log is a prefix of ours is given the rest, in pages; we are not caught up before it has taken them", () => {
  const { log, reader, take, wake } = given();
  reader.welcome(0, -1, run);
  reader.live(0, log, take);
  reader.close();
  expect(reader.welcome(1, 0, entryHash(log[0]))).toBeUndefined();
  expect(reader.agrees).toBe(true);
  expect(reader.caughtUp).toBe(false);
  expect(reader.advance(1, wake)).toEqual([]); // nothing to ask for
  expect(reader.giveBack(1)).toEqual(log.slice(1));
  reader.live(2, [log[1]], take);
  expect(reader.caughtUp).toBe(false);
  reader.live(3, [log[2]], take);
  expect(reader.caughtUp).toBe(true);
  expect(reader.takenBack(500_000, wake)).toBeUndefined();
});

test("[R33] a host that does not take its entries back is left after two minutes", () => {
  const { log, reader, take, wake } = given();
  reader.welcome(0, -1, run);
  reader.live(0, log, take);
  reader.close();
  reader.welcome(1_000, 0, entryHash(log[0]));
  expect(reader.takenBack(120_999, wake)).toBeUndefined();
  expect(reader.takenBack(121_000, wake)).toContain("ends at entry 0, ours at 2");
});

describe("[R34] a host that has signed two histories is not followed, and both entries are kept", () => {
  const forkedLog = () => {
    const other = new TestLog();
    for (const body of [openBody(), commitBody({ contributors: [offerOf(alice)] }), sealBody()]) other.append(body);
    return other;
  };

  test("its head is no entry of ours", () => {
    const { log, reader, take, wake } = given();
    const other = forkedLog();
    reader.welcome(0, -1, run);
    reader.live(0, log, take);
    reader.close();
    expect(reader.welcome(1, 2, other.headHash)).toBeUndefined();
    expect(reader.agrees).toBe(false);
    expect(reader.advance(1, wake)).toEqual([{ type: "fetch-log", from: 2 }]);
    expect(reader.answer(2, other.entries.slice(2), take)).toContain("signed two entries 2");
    expect(reader.forked).toEqual({ ours: log[2], theirs: other.entries[2] });
  });

  test("it has grown beyond ours on another branch", () => {
    const { log, reader, take, wake } = given();
    const other = forkedLog();
    reader.welcome(0, -1, run);
    reader.live(0, log.slice(0, 2), take);
    reader.close();
    reader.welcome(1, 2, other.headHash);
    reader.advance(1, wake);
    expect(reader.answer(2, other.entries.slice(2), take)).toBeUndefined(); // does not follow ours
    expect(reader.advance(10_000, wake)).toEqual([{ type: "fetch-log", from: 1 }]);
    expect(reader.answer(10_001, other.entries.slice(1), take)).toContain("signed two entries 1");
    expect(reader.forked).toEqual({ ours: log[1], theirs: other.entries[1] });
  });

  test("an entry that somebody else forged proves nothing", () => {
    const { log, reader, take } = given();
    reader.welcome(0, -1, run);
    reader.live(0, log, take);
    expect(reader.live(1, [{ ...log[2], time: 9 } as LogEntry], take)).toBeUndefined();
    expect(reader.forked).toBeUndefined();
  });
});

test("[R33] what is kept to give back is bounded", () => {
  const tail = new LogTail();
  const log = new TestLog();
  const entry = log.append(openBody());
  for (let seq = 0; seq < TAIL_ENTRIES_MAX + 10; seq++) tail.push({ ...entry, seq });
  expect(tail.at(9)).toBeUndefined();
  expect(tail.at(10)?.seq).toBe(10);
  expect(tail.from(20, 10, 1e9)).toHaveLength(10);
  expect(tail.from(20, 10, 1_000)).toHaveLength(1); // one at least
  expect(tail.from(5, 10, 1e9)).toEqual([]);
});
