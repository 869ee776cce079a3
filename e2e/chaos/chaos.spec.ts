// The proof's own judges and weapons, without a browser: a checker that cannot fail proves nothing.
import { spawn } from "node:child_process";
import { expect, test } from "@playwright/test";
import { entryHash } from "../../packages/wire/index.ts";
import { chain, hash, peer } from "../../packages/wire/test-given.ts";
import { signal, treeOf } from "./processes.ts";
import { quantile, RunRecord } from "./record.ts";
import { type Fault, faultKinds, HEALTHY_MIN, Schedule } from "./schedule.ts";

const record = () => new RunRecord(() => undefined);

test("an entry that anybody was told must be in the log, with the same hash", () => {
  const log = chain();
  const seen = record();
  for (const entry of log) seen.saw("a page", entry.seq, entryHash(entry));
  expect(seen.lost(log)).toEqual([]);
  expect(seen.lost(log.slice(0, -1))).toHaveLength(1);
  expect(seen.lost([...log.slice(0, -1), { ...log[0] }])).toHaveLength(1);
  expect(seen.contradictions).toEqual([]);
  seen.saw("another", 2, hash(9));
  expect(seen.contradictions).toHaveLength(1);
});

test("an anchor that a page held must be one that was sealed, or of a round that was voided", () => {
  const log = chain();
  const seen = record();
  seen.held("a page", 0, hash(2));
  seen.held("a page", 1, hash(3));
  seen.held("a page", 2, hash(7)); // round 1 was voided
  expect(seen.strayAnchors(log)).toEqual([]);
  seen.held("another", 1, hash(8));
  expect(seen.strayAnchors(log)).toEqual([`another held 1 ${hash(8)}`]);
});

test("a stall is the time from seal to seal, also to the end; recovery is a seal that names enough of the healthy", () => {
  const seen = record();
  const seal = (atMs: number, round: number) =>
    seen.seals.push({ atMs, openedMs: atMs, round, contributors: [peer(1), peer(2)] });
  seal(100, 0);
  seal(200, 1);
  seal(900, 2);
  expect(seen.roundsMs(0, 2)).toEqual([100, 700]);
  expect(seen.gaps(150, 1_000).map(({ ms }) => ms)).toEqual([100, 700, 100]);
  expect(seen.gaps(250, 5_000).map(({ ms }) => ms)).toEqual([700, 4_100]);
  expect(seen.sealedAfter(150, [peer(1), peer(2), peer(3)], 2)?.atMs).toBe(200);
  expect(seen.sealedAfter(150, [peer(1), peer(3)], 2)).toBeUndefined();
  expect([quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 0.95), quantile([], 0.5)]).toEqual([2, 3, Number.NaN]);
});

test("a seed's faults are the same again, each kind comes once in three, and two healthy ones always stay", () => {
  const browsers = ["a", "b", "c", "d"];
  const faults = (seed: number) => {
    const schedule = new Schedule(seed);
    return Array.from({ length: 30 }, () => schedule.next(browsers) as Fault<string>);
  };
  expect(faults(7)).toEqual(faults(7));
  expect(faults(7)).not.toEqual(faults(8));
  for (let i = 0; i < 30; i += 3)
    expect(
      faults(7)
        .slice(i, i + 3)
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual([...faultKinds].sort());
  expect(new Schedule(7).next(browsers.slice(0, HEALTHY_MIN))).toBeUndefined();
});

test("a stopped process stands still until it goes on, and a killed tree is gone with its children", async () => {
  const child = spawn("sh", ["-c", "sleep 1000 & wait"]);
  const pid = child.pid as number;
  try {
    await expect.poll(() => treeOf(pid).length).toBe(2);
    const pids = treeOf(pid).map((process) => process.pid);
    signal(pids, "SIGSTOP");
    await expect.poll(() => treeOf(pid).every(({ state }) => state === "T")).toBe(true);
    signal(pids, "SIGCONT");
    await expect.poll(() => treeOf(pid).some(({ state }) => state === "T")).toBe(false);
    signal(pids, "SIGKILL");
    await expect.poll(() => pids.flatMap(treeOf)).toEqual([]);
    signal(pids, "SIGKILL"); // gone already: nothing to complain about
  } finally {
    signal(
      treeOf(pid).map((process) => process.pid),
      "SIGKILL",
    );
  }
});
