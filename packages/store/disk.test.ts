import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rename, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { identityFrom, type LogEntry } from "#wire";
import { blobStoreContract, settingsContract } from "./contract.ts";
import {
  DataError,
  DiskBlobStore,
  DiskLog,
  DiskSettings,
  logTexts,
  openDataFolder,
  readLog,
  replaceLog,
  writeFault,
} from "./disk.ts";
import { chainOf, contractHost, contractRun, hostBlobsContract, logContract } from "./host-contract.ts";

const freshFolder = () => mkdtemp(join(tmpdir(), "gossamer-store-"));
const host = contractHost;
const run = contractRun;
const chain = chainOf;

/** As data format 1 and backups have them. */
const linesOf = (entries: readonly LogEntry[]): string => entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");

describe("log on disk", () => {
  test("a torn last line is cut off with a notice, and the chain goes on where it was", async () => {
    const folder = await freshFolder();
    const entries = chain(3);
    const torn = linesOf(entries.slice(0, 2)) + JSON.stringify(entries[2]).slice(0, 40);
    await writeFile(join(folder, "log.ndjson"), torn);
    const opened = await DiskLog.open(folder, run, host.volunteer);
    expect(opened.notice).toMatch(/2 entries were taken over .* Its last 40 bytes were half written/);
    expect(opened.entries).toEqual(entries.slice(0, 2));
    await opened.log.append(entries[2]);
    await opened.log.close();
    expect((await readLog(folder, run, host.volunteer)).entries).toEqual(entries);
    expect(await readFile(join(folder, "log.v1.ndjson"), "utf8")).toBe(torn);
  });

  test("a reader leaves a torn line alone, and the lines lines", async () => {
    const folder = await freshFolder();
    const torn = `${linesOf(chain(1))}{"version":1`;
    await writeFile(join(folder, "log.ndjson"), torn);
    expect(await readLog(folder, run, host.volunteer)).toEqual({ entries: chain(1), tornBytes: 12 });
    expect(await readdir(folder)).toEqual(["log.ndjson"]);
    expect(await readFile(join(folder, "log.ndjson"), "utf8")).toBe(torn);
  });

  describe.each(["lines", "a table"])("in %s", (form) => {
    const [first, write] =
      form === "lines"
        ? [1, (folder: string, texts: string[]) => writeFile(join(folder, "log.ndjson"), `${texts.join("\n")}\n`)]
        : [0, replaceLog];

    test.each([
      [
        "another reason in an entry",
        (line: string) => line.replace("lost", "kept"),
        /(line 2|entry 1): .*(hash|signed)/,
      ],
      ["a line that is no JSON", () => "nonsense", /(line 2|entry 1): not JSON/],
      [
        "a version of tomorrow",
        (line: string) => line.replace('"version":1', '"version":9'),
        /log version 9 is unknown/,
      ],
    ])("tampering is found and named: %s", async (_, tamper, message) => {
      const folder = await freshFolder();
      const texts = chain(3).map((entry) => JSON.stringify(entry));
      texts[1] = tamper(texts[1]);
      await write(folder, texts);
      await expect(DiskLog.open(folder, run, host.volunteer)).rejects.toThrow(message);
      await expect(readLog(folder, run, host.volunteer)).rejects.toThrow(message);
      expect(await logTexts(folder)).toEqual(texts); // and left as it was
    });

    test("a missing entry and another host's key are refused", async () => {
      const folder = await freshFolder();
      const texts = chain(3).map((entry) => JSON.stringify(entry));
      await write(folder, texts);
      await expect(readLog(folder, run, identityFrom(new Uint8Array(32)).volunteer)).rejects.toThrow(
        /not signed by the host/,
      );
      await write(folder, [texts[0], texts[2]]);
      await expect(readLog(folder, run, host.volunteer)).rejects.toThrow(
        new RegExp(`${1 + first}: entry 2 where 1 belongs`),
      );
    });
  });

  test.each(["log.new.lmdb", "log.lmdb"])(
    "taking lines over begins anew, or ends, after a crash that left %s",
    async (left) => {
      const folder = await freshFolder();
      const entries = chain(3);
      await writeFile(join(folder, "log.ndjson"), linesOf(entries));
      await replaceLog(
        folder,
        entries.slice(0, left === "log.lmdb" ? 3 : 1).map((entry) => JSON.stringify(entry)),
      );
      if (left !== "log.lmdb") await rename(join(folder, "log.lmdb"), join(folder, left));
      const opened = await DiskLog.open(folder, run, host.volunteer);
      expect(opened.entries).toEqual(entries);
      await opened.log.close();
      expect((await readdir(folder)).sort()).toEqual(["log.lmdb", "log.lmdb-lock", "log.v1.ndjson"]);
    },
  );

  test("another process reads while the host writes", async () => {
    const folder = await freshFolder();
    const entries = chain(40);
    const { log } = await DiskLog.open(folder, run, host.volunteer);
    for (const entry of entries.slice(0, 20)) await log.append(entry);
    // LMDB alone, as `gossamer replay` beside a host would: it prints how many it sees each time it is asked.
    const reader = fork(
      "-e",
      `const { open } = require("lmdb"); const db = open({ path: ${JSON.stringify(join(folder, "log.lmdb"))}, readOnly: true, noSubdir: true, encoding: "string", keyEncoding: "uint32" });
       process.stdin.on("data", () => { db.resetReadTxn(); console.log([...db.getKeys()].length); }); process.stdin.on("end", () => process.exit(0));`,
    );
    expect(await reader.ask()).toBe("20");
    for (const entry of entries.slice(20)) await log.append(entry);
    expect(await reader.ask()).toBe("40");
    reader.end();
    await log.close();
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
    expect((await writeFault("log.lmdb", full)).message).toMatch(/^log.lmdb takes no more .* Make room on that disk/);
    expect((await readLog(folder, run, host.volunteer)).entries).toEqual([first]);
  });
});

function fork(...words: string[]) {
  const child = spawn(process.execPath, words, { stdio: ["pipe", "pipe", "inherit"] });
  return {
    async ask(): Promise<string> {
      child.stdin.write("\n");
      const [answer] = (await once(child.stdout, "data")) as [Buffer];
      return answer.toString().trim();
    },
    end: () => child.stdin.end(),
  };
}

logContract("disk", async () => {
  const folder = await freshFolder();
  return { open: (hostKey = host.volunteer) => DiskLog.open(folder, run, hostKey) };
});
hostBlobsContract("disk", async () => DiskBlobStore.open(await freshFolder()));
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

describe("blobs on disk", () => {
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
