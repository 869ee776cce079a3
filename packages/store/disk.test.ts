import { appendFile, mkdtemp, readFile, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { blobName, identityFrom, type LogEntry, PIECE_BYTES, signEntry } from "#wire";
import { blobStoreContract, settingsContract } from "./contract.ts";
import {
  appendError,
  BlobRefused,
  DataError,
  DiskBlobStore,
  DiskLog,
  DiskSettings,
  openDataFolder,
  readLog,
} from "./disk.ts";

const freshFolder = () => mkdtemp(join(tmpdir(), "gossamer-store-"));
const host = identityFrom(new Uint8Array(32).fill(1));
const run = "ab".repeat(32);

function chain(length: number): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let i = 0; i < length; i++)
    entries.push(signEntry(host, run, entries.at(-1), 1000 + i, { type: "void", round: i, reason: "lost" }));
  return entries;
}

async function logOf(folder: string, entries: readonly LogEntry[]): Promise<void> {
  const { log } = await DiskLog.open(folder, run, host.volunteer);
  for (const entry of entries) await log.append(entry);
  await log.close();
}

describe("log on disk", () => {
  test("gives back what was appended, in order, also when appends overlap", async () => {
    const folder = await freshFolder();
    const entries = chain(5);
    const { log } = await DiskLog.open(folder, run, host.volunteer);
    await Promise.all(entries.map((entry) => log.append(entry)));
    await log.close();
    expect((await readLog(folder, run, host.volunteer)).entries).toEqual(entries);
  });

  test("a torn last line is cut off with a notice, and the chain goes on where it was", async () => {
    const folder = await freshFolder();
    const entries = chain(3);
    await logOf(folder, entries.slice(0, 2));
    await appendFile(join(folder, "log.ndjson"), JSON.stringify(entries[2]).slice(0, 40));
    const { log, loaded } = await DiskLog.open(folder, run, host.volunteer);
    expect(loaded.tornBytes).toBe(40);
    expect(loaded.entries).toEqual(entries.slice(0, 2));
    await log.append(entries[2]);
    await log.close();
    expect((await readLog(folder, run, host.volunteer)).entries).toEqual(entries);
  });

  test("a reader leaves a torn line alone: the host may be writing it", async () => {
    const folder = await freshFolder();
    await logOf(folder, chain(1));
    await appendFile(join(folder, "log.ndjson"), '{"version":1');
    expect((await readLog(folder, run, host.volunteer)).tornBytes).toBe(12);
    expect((await readFile(join(folder, "log.ndjson"), "utf8")).endsWith('{"version":1')).toBe(true);
  });

  test.each([
    ["another reason in an entry", (line: string) => line.replace("lost", "kept"), /line 2: .*(hash|signed)/],
    ["a line that is no JSON", () => "nonsense", /line 2: not JSON/],
    ["a version of tomorrow", (line: string) => line.replace('"version":1', '"version":9'), /log version 9 is unknown/],
  ])("tampering is found and named: %s", async (_, tamper, message) => {
    const folder = await freshFolder();
    const path = join(folder, "log.ndjson");
    await logOf(folder, chain(3));
    const lines = (await readFile(path, "utf8")).split("\n");
    lines[1] = tamper(lines[1]);
    await writeFile(path, lines.join("\n"));
    await expect(DiskLog.open(folder, run, host.volunteer)).rejects.toThrow(message);
  });

  test("a missing entry and another host's key are refused", async () => {
    const folder = await freshFolder();
    const path = join(folder, "log.ndjson");
    await logOf(folder, chain(3));
    await expect(readLog(folder, run, identityFrom(new Uint8Array(32)).volunteer)).rejects.toThrow(
      /not signed by the host/,
    );
    const lines = (await readFile(path, "utf8")).split("\n");
    await writeFile(path, [lines[0], lines[2], ""].join("\n"));
    await expect(readLog(folder, run, host.volunteer)).rejects.toThrow(/entry 2 where 1 belongs/);
  });

  test("after a failed write nothing more is written: a hole is no chain", async () => {
    const folder = await freshFolder();
    const [first, second] = chain(2);
    const { log } = await DiskLog.open(folder, run, host.volunteer);
    await log.append(first);
    await log.close();
    await expect(log.append(second)).rejects.toThrow("start again: the run goes on");
    await expect(log.append(second)).rejects.toThrow("start again: the run goes on");
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    expect(appendError("log.ndjson", full).message).toMatch(/^log.ndjson takes no more .* Make room on that disk/);
    expect((await readLog(folder, run, host.volunteer)).entries).toEqual([first]);
  });
});

blobStoreContract("disk", async () => DiskBlobStore.open(await freshFolder()));
settingsContract("disk", async () => new DiskSettings(join(await freshFolder(), "settings")));

test("settings on disk outlive the process; a damaged file begins anew", async () => {
  const path = join(await freshFolder(), "settings");
  await new DiskSettings(path).set("microbatch", { of: "this device", microbatch: 4 });
  expect(await new DiskSettings(path).get("microbatch")).toEqual({ of: "this device", microbatch: 4 });
  await writeFile(path, "nonsense");
  expect(await new DiskSettings(path).get("microbatch")).toBeUndefined();
});

test("of blobs that a donor has no room for, the oldest go", async () => {
  const store = await DiskBlobStore.open(await freshFolder());
  const names = ["a", "b", "c"].map((digit) => digit.repeat(64));
  for (const [i, name] of names.entries()) {
    await store.put(name, new Uint8Array(100));
    await utimes(store.path(name), 1_000 + i, 1_000 + i);
  }
  await store.prune(200);
  expect(await store.names()).toEqual(names.slice(1));
});

describe("blobs from strangers", () => {
  const blob = new Uint8Array(PIECE_BYTES + 1000).map((_, i) => i % 251);
  const stream = (bytes: Uint8Array, chunk: number) =>
    Readable.from(
      Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) => bytes.subarray(i * chunk, (i + 1) * chunk)),
    );

  test.each([0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES])(
    "%i bytes in chunks of any size have the name that wire gives them",
    async (bytes) => {
      const store = await DiskBlobStore.open(await freshFolder());
      const part = new Uint8Array(bytes).fill(7);
      expect(await store.receive(blobName(part), stream(part, 65_537), bytes)).toBe(bytes);
      expect(await store.get(blobName(part))).toEqual(part);
    },
  );

  test("too many bytes and a wrong name are refused, and leave nothing behind", async () => {
    const store = await DiskBlobStore.open(await freshFolder());
    const name = blobName(blob);
    await expect(store.receive(name, stream(blob, 1000), blob.length - 1)).rejects.toThrow(/at most/);
    const other = blobName(Uint8Array.of(1));
    await expect(store.receive(other, stream(blob, 1000), blob.length)).rejects.toThrow(BlobRefused);
    expect(await store.names()).toEqual([]);
  });

  test("a stream that breaks off leaves nothing behind", async () => {
    const store = await DiskBlobStore.open(await freshFolder());
    async function* broken() {
      yield blob.subarray(0, 1000);
      throw new Error("connection lost");
    }
    await expect(store.receive(blobName(blob), broken(), blob.length)).rejects.toThrow("connection lost");
    expect(await store.names()).toEqual([]);
  });

  test("what an interrupted host left half written goes when the next one opens the directory, and a reader leaves it", async () => {
    const data = await freshFolder();
    await DiskBlobStore.open(data, { owner: true });
    const half = join(data, "blobs", "incoming", "half.tmp");
    await writeFile(half, "half");
    await DiskBlobStore.open(data);
    expect(await readFile(half, "utf8")).toBe("half");
    await DiskBlobStore.open(data, { owner: true });
    await expect(readFile(half)).rejects.toThrow(/ENOENT/);
  });

  test("a name never becomes a path", async () => {
    const store = await DiskBlobStore.open(await freshFolder());
    await expect(store.get("../../host.key")).rejects.toThrow(/no blob name/);
  });
});

describe("data directory", () => {
  test("one host at a time, the next after it has gone", async () => {
    const path = await freshFolder();
    const first = await openDataFolder(path);
    await expect(openDataFolder(path)).rejects.toThrow(`in use by the host with process id ${process.pid}`);
    await first.close();
    await (await openDataFolder(path)).close();
  });

  test.each([
    ["a process that is gone", JSON.stringify({ pid: 2 ** 22 + 1, started: "1" })],
    ["another process with the same id", JSON.stringify({ pid: process.pid, started: "1" })],
    ["nobody readable", "nonsense"],
  ])("a stale lock of %s is taken over", async (_, content) => {
    const path = await freshFolder();
    await writeFile(join(path, "host.lock"), content);
    await (await openDataFolder(path)).close();
  });

  test("a format of tomorrow is refused by name", async () => {
    const path = await freshFolder();
    await writeFile(join(path, "version.json"), '{"format":"gossamer data","version":7}');
    await expect(openDataFolder(path)).rejects.toThrow(/data format 7; this build reads 1/);
  });

  test("the key is made once, for the owner's eyes, and a damaged one is not replaced", async () => {
    const path = await freshFolder();
    const data = await openDataFolder(path);
    const seed = await data.keySeed();
    expect(await data.keySeed()).toEqual(seed);
    await writeFile(join(path, "host.key"), "short");
    await expect(data.keySeed()).rejects.toThrow(DataError);
    await data.close();
  });
});
