// A member of an island goes, at points of its life and of a round: the other one looks for company, and a new island goes on from the last anchor.
//
// `npm test` does so once (and island.spec.ts closes a member); `npm run proof:island-kills` at every point, the leader and the other one, in every way.
import { expect, type Page, test } from "@playwright/test";
import type { HoldPhase } from "../apps/web/worker/api.ts";
import type { LogEntry } from "../packages/wire/index.ts";
import { close, endIslands, islandText, nano, tabsOfOneBrowser } from "./islands.ts";
import { secondsSince, startHost, type TestHost, untilRun } from "./support.ts";

const openTab = tabsOfOneBrowser();

/** A state of the island, or what its leader has just done in a round. */
type Point = "forming" | "training" | Extract<HoldPhase, "trained" | "offered" | "folded" | "attested">;
type Who = "leader" | "member";
type Way = "closed" | "paused" | "host restarted";
interface Case {
  readonly point: Point;
  readonly who: Who;
  readonly way: Way;
}

const whole = process.env.GOSSAMER_PROOF === "whole";
const all = (["forming", "training", "trained", "offered", "folded", "attested"] as const).flatMap((point) =>
  (["leader", "member"] as const).map((who): Case => ({ point, who, way: "closed" })),
);
const cases: readonly Case[] = whole
  ? [
      ...all,
      { point: "training", who: "leader", way: "paused" },
      { point: "training", who: "member", way: "paused" },
      { point: "training", who: "leader", way: "host restarted" },
    ]
  : [{ point: "offered", who: "leader", way: "closed" }];

const inState = (page: Page, state: "waiting" | "forming" | "training") =>
  page.locator(`.panel .island[data-state="${state}"]`).waitFor();

test(`of an island of two one goes, ${cases.length === 1 ? "once" : `at ${cases.length} points`}: another island goes on`, async () => {
  test.setTimeout(whole ? 20 * 60_000 : 3 * 60_000);
  const spec = nano();
  let host: TestHost = await startHost({ run: spec.file });
  const tabs: Page[] = [];
  const open = async (): Promise<Page> => {
    const page = await openTab(host, "/?island=2");
    tabs.push(page);
    return page;
  };
  const leaderOf = async (pages: readonly Page[]): Promise<Page> => {
    const texts = await Promise.all(pages.map((page) => islandText(page).textContent()));
    return pages[texts.findIndex((text) => text?.includes("leads an island"))];
  };
  const log: LogEntry[] = [];
  try {
    let pair = await Promise.all([open(), open()]);
    for (const [i, { point, who, way }] of cases.entries()) {
      if (point === "forming" && i > 0) {
        await close(pair[0]);
        await inState(pair[1], "waiting");
        pair = [pair[1], await open()];
      }
      const started = performance.now();
      await Promise.all(pair.map((page) => inState(page, point === "forming" ? "forming" : "training")));
      const leader = await leaderOf(pair);
      const other = pair.find((page) => page !== leader) as Page;
      const held = point === "forming" || point === "training" ? undefined : point;
      if (held !== undefined) {
        await leader.evaluate((phase) => window.__gossamer?.hold(phase), held);
        await leader.evaluate((phase) => window.__gossamer?.reached(phase), held);
      }
      log.splice(0, log.length, ...(await host.log()));
      const [gone, stays] = who === "leader" ? [leader, other] : [other, leader];
      if (held !== undefined && stays === leader)
        await leader.evaluate((phase) => window.__gossamer?.release(phase), held);
      const { round } = await host.run();
      if (way === "host restarted") {
        const { dataDir, url } = host;
        await host.stop("SIGKILL");
        host = await startHost({ run: spec.file, dataDir, port: Number(new URL(url).port) });
      } else {
        if (way === "closed") await close(gone);
        else await gone.getByRole("button", { name: "Pause" }).click();
        await expect(islandText(stays)).toContainText("The island before fell apart.");
        const next =
          way === "closed"
            ? open()
            : gone
                .getByRole("button", { name: "Resume" })
                .click()
                .then(() => gone);
        pair = [stays, await next];
      }
      const fell = performance.now();
      await Promise.all(pair.map((page) => inState(page, "training")));
      await untilRun(host, `a round of the island behind: ${point}, ${who} ${way}`, (run) => run.round >= round + 2);
      const now = await host.log();
      expect(now.slice(0, log.length)).toEqual(log);
      console.log(
        `${point}, ${who} ${way}: after ${secondsSince(started).toFixed(1)} s, of it ${secondsSince(fell).toFixed(1)} s until rounds went on`,
      );
    }
    const seals = (await host.log()).filter((entry) => entry.type === "seal");
    expect(seals.flatMap(({ refused }) => refused)).toEqual([]);
  } finally {
    await endIslands(host, tabs, spec);
  }
});
