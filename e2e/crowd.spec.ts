// Four browsers in one run: more than a commit may name, and where the host keeps no update. Each page has a store of its own.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { countOfAttesters, type EntryOf, isGroup, type LogEntry, type RunDraft } from "../packages/wire/index.ts";
import { openDonor, specLike, startHost, type TestHost } from "./support.ts";

const PAGES = 4;
/** Four software GPUs share the cores: a quarter of the work is enough to see who folds what. */
const light = ({ inner }: RunDraft) => ({ inner: { ...inner, steps: 4, windowsPerStep: 4 } });

/** Until the test is done with them: so many volunteers, in one browser process. */
async function withCrowd(
  change: (spec: RunDraft) => Partial<RunDraft>,
  story: (host: TestHost, run: string) => Promise<TestHost>,
): Promise<void> {
  const spec = specLike((draft) => ({ ...light(draft), ...change(draft) }));
  let host = await startHost({ run: spec.file, waitFor: PAGES });
  const first = await openDonor(host.url, { press: false });
  try {
    const browser = first.page.context().browser()!;
    const others = await Promise.all(Array.from({ length: PAGES - 1 }, () => browser.newPage()));
    const pages = [first.page, ...others];
    await Promise.all(others.map((page) => page.goto(host.url)));
    await Promise.all(pages.map((page) => page.getByRole("button", { name: "Donate this GPU" }).click()));
    host = await story(host, spec.file);
    for (const page of pages) await expect(page.getByText("Desyncs repaired")).toHaveCount(0);
  } finally {
    await first.close();
    await host.stop();
    host.remove();
    spec.remove();
  }
}

const ofType = <T extends LogEntry["type"]>(log: readonly LogEntry[], type: T): EntryOf<T>[] =>
  log.filter((entry): entry is EntryOf<T> => entry.type === type);
const byAll = (log: readonly LogEntry[]): EntryOf<"seal">[] =>
  ofType(log, "seal").filter(({ attesters }) => countOfAttesters(attesters) === PAGES);

test("[R27] more browsers than a commit may name make groups, fold their aggregates, and the log replays", async () => {
  const few = ({ rounds }: RunDraft) => ({ rounds: { ...rounds, maxContributors: 2 } });
  await withCrowd(few, async (host) => {
    const inGroups = ({ contributors }: EntryOf<"commit">): boolean =>
      contributors.length === 2 && contributors.every((c) => isGroup(c) && c.members === 2 && c.attesters === 2);
    const sealedByAll = async (): Promise<number> => {
      const log = await host.log();
      const rounds = new Set(
        ofType(log, "commit")
          .filter(inGroups)
          .map(({ round }) => round),
      );
      return byAll(log).filter(({ round, refused }) => rounds.has(round) && refused.length === 0).length;
    };
    const message = "a round of two groups that all four attest";
    await expect.poll(sealedByAll, { message, timeout: 90_000 }).toBeGreaterThanOrEqual(1);
    const { peers } = await host.run();
    expect(peers.map(({ tokens }) => tokens > 0)).toEqual(peers.map(() => true));
    await host.stop();
    expect(host.replays()).toBe(true);
    return host;
  });
});

test("[R35] [R36] [R37] browsers keep the updates: none lies at the host, and a killed host goes on with its log alone", async () => {
  const kept = ({ rounds }: RunDraft) => ({
    version: 2 as const,
    checkpoint: { everyRounds: 1, retain: "window" as const },
    rounds: { ...rounds, durability: "peers" as const, holders: 2 },
  });
  await withCrowd(kept, async (host, run) => {
    const sealedSince = async (round: number, by: TestHost): Promise<number> =>
      byAll(await by.log()).filter((seal) => seal.round >= round).length;
    const message = "a round that all four attest";
    await expect.poll(() => sealedSince(0, host), { message, timeout: 90_000 }).toBeGreaterThanOrEqual(1);
    const before = await host.log();
    await host.stop("SIGKILL");
    const again = await startHost({ run, dataDir: host.dataDir, port: Number(new URL(host.url).port) });
    const { length } = ofType(before, "seal");
    await expect.poll(() => sealedSince(length, again), { message, timeout: 90_000 }).toBeGreaterThanOrEqual(1);
    const checkpoints = async () => ofType(await again.log(), "checkpoint").length; // each comes behind its seal
    await expect.poll(checkpoints, { message: "a checkpoint", timeout: 90_000 }).toBeGreaterThan(0);
    const log = await again.log();
    expect(log.slice(0, before.length)).toEqual(before);
    expect(ofType(log, "void")).toEqual([]);
    const named = log.flatMap((entry) =>
      entry.type === "commit"
        ? entry.contributors.map(({ update }) => update)
        : entry.type === "checkpoint"
          ? entry.blobs.map(({ hash }) => hash)
          : [],
    );
    const atHost = named.filter((hash) => existsSync(join(host.dataDir, "blobs", hash.slice(0, 2), hash)));
    expect(atHost).toEqual([]);
    return again;
  });
});
