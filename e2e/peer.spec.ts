// One peer's fate: the host dies under it, its tab reloads, it comes late, its updates are bad, its browser stores nothing, the run ends.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, expect, type Page, test } from "@playwright/test";
import { chromiumFlags, findInstalledBrowser } from "../apps/cli/browser.ts";
import type { HoldPhase } from "../apps/web/worker/api.ts";
import { JOURNAL, type JournalLine } from "../apps/web/worker/journal.ts";
import {
  countOfAttesters,
  type EntryOf,
  type LogEntry,
  offersIn,
  type PeerId,
  type RunDetail,
  sampleOfAttesters,
} from "../packages/wire/index.ts";
import {
  openDonor,
  SHORT_ROUNDS,
  STEADY_DUTY,
  specLike,
  startHost,
  type TestDonor,
  type TestHost,
  untilRun,
} from "./support.ts";

const entriesOf = <T extends LogEntry["type"]>(log: readonly LogEntry[], type: T): EntryOf<T>[] =>
  log.filter((entry): entry is EntryOf<T> => entry.type === type);
const here = (run: RunDetail) => run.peers.filter(({ state }) => state !== "left");
const hold = (page: Page, phase: HoldPhase) => page.evaluate((name) => window.__gossamer?.hold(name), phase);
const release = (page: Page, phase: HoldPhase) => page.evaluate((name) => window.__gossamer?.release(name), phase);
const reached = (page: Page, phase: HoldPhase) => page.evaluate((name) => window.__gossamer?.reached(name), phase);
const press = (page: Page) => page.getByRole("button", { name: "Donate this GPU" }).click();
const trains = (page: Page) =>
  expect(page.locator("[data-figure=own-loss]")).toHaveText(/^\d+\.\d+$/, { timeout: 60_000 });

test.describe("a run of short rounds", () => {
  test.describe.configure({ mode: "serial" }); // one host, one steady donor: each test goes on where the last one stopped
  let host: TestHost;
  let steady: TestDonor;

  test.beforeAll(async () => {
    host = await startHost({ run: SHORT_ROUNDS });
    steady = await openDonor(host.url, { duty: STEADY_DUTY });
  });
  test.afterAll(async () => {
    await steady.close();
    await host.stop();
    host.remove();
  });

  test("with the host gone, two connected browsers still fetch from one another and fold; the host comes back to the same round", async () => {
    const other = await openDonor(host.url);
    const pages = [steady.page, other.page];
    const both = (act: (page: Page) => Promise<unknown>) => Promise.all(pages.map(act));
    try {
      await untilRun(
        host,
        "a commit of both",
        ({ peers }) =>
          here({ peers } as RunDetail).every((peer) => peer.rounds >= 1 && peer.links.length === 1) &&
          peers.length === 2,
      );
      // Both at the end of the same round's training first: else one may be past its fetch when the hold comes.
      await both((page) => hold(page, "trained"));
      await both((page) => reached(page, "trained"));
      await both((page) => hold(page, "fetching"));
      await both((page) => release(page, "trained"));
      await both((page) => reached(page, "fetching"));
      const commit = entriesOf(await host.log(), "commit").at(-1);
      expect(commit?.contributors).toHaveLength(2);

      await host.stop("SIGKILL");
      await both((page) => hold(page, "folded"));
      await both((page) => release(page, "fetching"));
      await both((page) => reached(page, "folded"));
      await both((page) => expect(page.getByRole("status").first()).toContainText("the host does not answer"));
      await both((page) => release(page, "folded"));

      host = await startHost({ run: SHORT_ROUNDS, dataDir: host.dataDir, port: Number(new URL(host.url).port) });
      const round = commit?.round ?? -1;
      const run = await untilRun(host, "rounds after the host came back", (now) => now.round >= round + 3);
      expect(run.updateBytesServed).toBe(0);
      // What they folded alone is what the witness folds: neither had to be repaired, and both attest what follows from it.
      await both((page) => expect(page.getByText("Desyncs repaired")).toHaveCount(0));
      const byBoth = async () =>
        entriesOf(await host.log(), "seal").some(
          (seal) => seal.round > round && countOfAttesters(seal.attesters) === 2,
        );
      await expect.poll(byBoth, { message: "a seal that both attest", timeout: 60_000 }).toBe(true); // one may be back rounds before the other
    } finally {
      await other.close();
    }
  });

  test("a reload keeps identity and slot; a second tab gets the next slot and says so; a closed tab's slot is free again", async () => {
    const browser = await openDonor(host.url, { press: false });
    try {
      const context = await browser.page.context().browser()!.newContext();
      const notice = (page: Page) => page.getByText("Another tab donates already");
      const openTab = async () => {
        const page = await context.newPage();
        await page.goto(host.url);
        await press(page);
        return page;
      };
      const newcomers = async (what: string, count: number) => {
        const run = await untilRun(host, what, (now) => here(now).length === count + 1);
        return here(run)
          .map(({ id }) => id)
          .filter((id) => id !== steadyId);
      };
      const steadyId = here(await untilRun(host, "the steady browser alone", (run) => here(run).length === 1))[0].id;

      const first = await openTab();
      const [id] = await newcomers("a first tab", 1);
      expect(id.slice(-2)).toBe("00");
      await first.reload();
      await press(first);
      await trains(first);
      expect(await newcomers("the same tab after its reload", 1)).toEqual([id]);
      await expect(notice(first)).toHaveCount(0);

      const second = await openTab();
      await expect(notice(second)).toBeVisible();
      expect(await newcomers("two tabs of one browser", 2)).toEqual([id, id.replace(/00$/, "01")]);

      await first.close();
      await second.reload();
      await press(second);
      await trains(second);
      expect(await newcomers("the second tab, which keeps its slot", 1)).toEqual([id.replace(/00$/, "01")]);
      await expect(notice(second)).toHaveCount(0); // it is the only one now
      await openTab();
      expect(await newcomers("the first slot again", 2)).toContain(id);
    } finally {
      await browser.close();
    }
  });

  test("one that joins mid-run starts from the newest checkpoint, and its anchor is everybody's", async () => {
    await untilRun(host, "rounds after a checkpoint", ({ round }) => round >= 5);
    const joiner = await openDonor(host.url, { press: false });
    try {
      const asked = new Set<string>();
      joiner.page.on("request", (request) => asked.add(request.url().split("/").at(-1) ?? ""));
      const before = await host.run();
      await joiner.donate();
      const run = await untilRun(
        host,
        "a round that counts both",
        (now) => here(now).length === 2 && here(now).every(({ rounds }) => rounds >= 1),
      );
      const log = await host.log();
      const self = here(run).find(({ id }) => !before.peers.some((peer) => peer.id === id))?.id as PeerId;
      const from = entriesOf(log, "checkpoint").find(({ blobs }) => blobs.every(({ hash }) => asked.has(hash)));
      expect(from?.round).toBeGreaterThanOrEqual(3);
      const older = entriesOf(log, "commit").filter(({ round }) => round < (from?.round ?? 0));
      expect(older.flatMap(({ contributors }) => contributors).filter(({ update }) => asked.has(update))).toEqual([]);
      // A round counts when it is committed; its seal, with whoever folded it, comes after that.
      const sealedByBoth = async () =>
        entriesOf(await host.log(), "seal").some(
          ({ attesters }) => countOfAttesters(attesters) === 2 && sampleOfAttesters(attesters).includes(self),
        );
      await expect.poll(sealedByBoth, { timeout: 60_000 }).toBe(true);
    } finally {
      await joiner.close();
    }
  });

  test("a peer whose updates decode to nothing is named, sent away after three, and costs nobody else a round", async () => {
    const bad = await openDonor(host.url);
    try {
      await bad.page.waitForFunction(() => window.__gossamer !== undefined);
      // The steady one is slower by choice elsewhere; here it must be in time for each round.
      await steady.page.evaluate(() => window.__gossamer?.setDuty(1));
      await bad.page.evaluate(() => window.__gossamer?.spoilUpdates());
      const run = await untilRun(host, "the bad peer sent away", ({ churn }) =>
        churn.some(({ kind, reason }) => kind === "refused" && /could not be used/.test(reason)),
      );
      const self = run.churn.find(({ kind }) => kind === "refused")?.peer as PeerId;
      await expect(bad.page.getByRole("alert")).toContainText("The host did not accept this browser");
      await expect(bad.page.getByRole("alert")).toContainText("3 updates in a row could not be used");
      const log = await host.log();
      const refusing = entriesOf(log, "seal").filter(({ refused }) => refused.length > 0);
      expect(refusing.map(({ refused }) => refused.map(({ peer }) => peer))).toEqual([[self], [self], [self]]);
      for (const { round } of refusing) {
        const commit = entriesOf(log, "commit").find((entry) => entry.round === round);
        expect(commit?.contributors).toHaveLength(2); // the other one's update counted in each of them
      }
      await untilRun(host, "rounds go on", ({ round }) => round >= run.round + 2);
    } finally {
      await bad.close();
    }
  });

  test("a browser that stores nothing donates all the same, and says what that means", async () => {
    const profile = mkdtempSync(join(tmpdir(), "gossamer-profile-"));
    mkdirSync(join(profile, "Default"));
    // "Block all cookies" in Chromium's settings: IndexedDB, locks and session storage are refused.
    const blocked = { profile: { default_content_setting_values: { cookies: 2 } } };
    writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify(blocked));
    const executablePath = findInstalledBrowser()?.path;
    const context = await chromium.launchPersistentContext(profile, {
      ...(executablePath && { executablePath }),
      args: chromiumFlags(),
    });
    try {
      const page = await context.newPage();
      await page.goto(host.url);
      await press(page);
      await expect(page.getByText("The browser refuses storage")).toBeVisible();
      await trains(page);
      await untilRun(
        host,
        "a round that counts both",
        (run) => here(run).length === 2 && here(run).every(({ rounds }) => rounds >= 1),
      );
    } finally {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    }
  });
});

/** As its worker tells them, the newest last. */
function anchorsHeldBy(page: Page): string[] {
  const anchors: string[] = [];
  page.on("console", (message) => {
    if (!message.text().startsWith(JOURNAL)) return;
    const line = JSON.parse(message.text().slice(JOURNAL.length)) as JournalLine;
    if ("anchorHash" in line) anchors.push(line.anchorHash);
  });
  return anchors;
}

test("a run that reaches its last round ends: both pages say so, donors stop, and both hold the final anchor", async () => {
  const spec = specLike(() => ({ end: { roundsMax: 3 } }));
  const host = await startHost({ run: spec.file });
  const donors = await Promise.all([openDonor(host.url, { press: false }), openDonor(host.url, { press: false })]);
  const held = donors.map(({ page }) => anchorsHeldBy(page));
  try {
    await Promise.all(donors.map(({ page }) => press(page)));
    await untilRun(host, "the end", ({ state }) => state === "ended");
    for (const { page } of donors) {
      await expect(page.getByRole("status").first()).toHaveText("The run has ended");
      await expect(page.getByRole("button", { name: /Donate|Pause|Resume|Stop/ })).toHaveCount(0);
    }
    const log = await host.log();
    expect(log.at(-1)).toMatchObject({ type: "end", reason: expect.stringContaining("3 rounds") });
    const last = entriesOf(log, "seal").at(-1);
    expect(last?.round).toBe(2);
    // What a page's worker tells comes beside what the page shows, and the last fold may come after the end.
    for (const anchors of held) await expect.poll(() => anchors.at(-1), { timeout: 30_000 }).toBe(last?.anchorHash);
    expect(entriesOf(log, "eval").at(-1)?.round).toBe(3);
    expect(entriesOf(log, "checkpoint").at(-1)?.round).toBe(3);
    await untilRun(host, "nobody connected any more", (run) => here(run).length === 0);
  } finally {
    await Promise.all(donors.map((donor) => donor.close()));
    await host.stop();
    host.remove();
    spec.remove();
  }
});

test("a device that would be late takes fewer sequences per step, says so, and ends all its steps", async () => {
  // A model of a quarter of a million parameters and two seconds for eight steps of eight sequences: a software adapter needs five and more.
  const spec = specLike(({ model }) => ({
    model: { ...model, dModel: 128, layers: 3, heads: 4, kvHeads: 4, dFfn: 352, contextLength: 64 },
    rounds: { quorum: 32, maxContributors: 32, deadlineMinMs: 2_000, deadlineMaxMs: 2_000 },
  }));
  const host = await startHost({ run: spec.file });
  const donor = await openDonor(host.url);
  try {
    const { steps, windowsPerStep } = (await host.run()).spec.inner;
    // What a step costs besides its sequences shows once there are fewer: the share may need a round or two more to settle.
    const settled = async (): Promise<boolean> =>
      entriesOf(await host.log(), "commit")
        .flatMap(offersIn)
        .some((offer) => offer.steps === steps && offer.tokens < steps * windowsPerStep * 64);
    await expect.poll(settled, { message: "all steps, of fewer sequences", timeout: 60_000 }).toBe(true);
    await expect(donor.page.getByText("sequences per step")).toBeVisible();
  } finally {
    await donor.close();
    await host.stop();
    host.remove();
    spec.remove();
  }
});
