// Watching a large run, as it is and as it was: a made-up one through the real API, so that it has a past without waiting for it.
import { expect, type Page, test } from "@playwright/test";
import { scriptPerPush } from "../apps/cli/watch/measure.ts";
import { type SyntheticHost, serveSynthetic } from "../apps/cli/watch/serve.ts";
import { quantile } from "../apps/cli/watch/trace.ts";
import { bringAxe, findings } from "./axe.ts";

const PAGE = "dist/web-test";
const SWARM = { peers: 400, rounds: 3_000, contributors: 8, seed: 7, endsAt: Date.UTC(2026, 10, 21, 15) };

let host: SyntheticHost;
test.beforeAll(async () => {
  host = await serveSynthetic(PAGE, SWARM);
});
test.afterAll(() => host.close());

const slider = (page: Page) => page.getByRole("slider", { name: "Round that is shown" });

test("each part of the live page is there, can be gone to, and axe finds nothing in it", async ({ page }) => {
  await bringAxe(page);
  await page.goto(`${host.url}/watch`);
  await expect(page.locator(".chart canvas").first()).toBeVisible();
  const ways = page.getByRole("navigation", { name: "Parts of this page" });
  for (const [link, heading] of [
    ["Rounds", /^Rounds$/],
    ["Mesh", /^Mesh$/],
    ["Anchors", /^Anchors$/],
    ["Machines", /^Machines$/],
  ] as const) {
    await ways.getByRole("link", { name: link }).click();
    await expect(page.getByRole("heading", { name: heading })).toBeInViewport();
  }
  await expect(page.getByText(/^Round 3,000 took/)).toBeVisible();
  await expect(page.getByRole("img", { name: /^Mesh of 200 peers with \d+ links: \d+ direct, / })).toBeVisible();
  await expect(page.getByText("200 of 400 peers are drawn", { exact: false })).toBeVisible();
  await expect(page.getByText(/would have moved .* times as much/)).toBeVisible();
  await expect(page.getByRole("region", { name: "Adapters in the swarm" })).toContainText("nvidia ada");
  expect(await findings(page)).toEqual([]);
});

test("a link leads to a round of the past; from there one drags, replays, and comes back to live", async ({ page }) => {
  await bringAxe(page);
  await page.goto(`${host.url}/watch?round=1200`);
  await expect(page.getByRole("heading", { name: "As it was" })).toBeVisible();
  await expect(page.locator(".round-number")).toHaveText("Round 1,200");
  await expect(slider(page)).toHaveValue("1200");
  expect(await findings(page)).toEqual([]);
  await slider(page).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.locator(".round-number")).toHaveText("Round 1,201");
  await expect(page).toHaveURL(/round=1201$/);
  await page.getByLabel("Replay").selectOption("1000");
  await expect(page.getByRole("heading", { name: "Right now" })).toBeVisible(); // 1,800 rounds later
  await expect(page).toHaveURL(/\/watch$/);
  await slider(page).focus();
  await page.keyboard.press("Home");
  await expect(page.locator(".round-number")).toHaveText("Round 1");
  await page.getByRole("link", { name: "Back to live" }).click();
  await expect(page.getByRole("heading", { name: "Right now" })).toBeVisible();
});

test("of a long list the rows in sight are drawn, and further pages come as one scrolls to them", async ({ page }) => {
  await page.goto(`${host.url}/watch`);
  const list = page.getByRole("region", { name: "Peers, by committed tokens" });
  await expect(list.getByRole("row").nth(5)).toBeVisible();
  expect(await list.getByRole("row").count()).toBeLessThan(60);
  await list.scrollIntoViewIfNeeded();
  await list.evaluate((box) => box.scrollTo(0, box.scrollHeight));
  const last = list.locator(`tr[aria-rowindex="${SWARM.peers + 1}"]`);
  await expect(last).toContainText("%");
});

test("a drawing that cannot be fetched is said, and its values are there all the same", async ({ page }) => {
  await page.route("**/uPlot*.js", (route) => route.abort());
  await page.goto(`${host.url}/watch`);
  await expect(page.getByText("The drawing could not be loaded.").first()).toBeVisible();
  await page.getByText("Newest values as a table").first().click();
  await expect(page.getByRole("table", { name: "Training", exact: true })).toBeVisible();
});

test("every curve comes as CSV and JSON", async ({ page }) => {
  await page.goto(`${host.url}/watch`);
  await page.locator(".chart canvas").first().waitFor();
  await page.getByText("Newest values as a table").first().click();
  const [csv] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Training (CSV)" }).click(),
  ]);
  expect(csv.suggestedFilename()).toBe("trainLoss.csv");
  const json = await page.getByRole("link", { name: "Training (JSON)" }).getAttribute("href");
  expect(await (await page.request.get(json ?? "")).json()).toMatchObject({ metric: "trainLoss" });
});

test("for a wall: the run at a glance, nothing to press", async ({ page }) => {
  await bringAxe(page);
  await page.goto(`${host.url}/watch?kiosk`);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("State of the Union, micro");
  await expect(page.locator(".leaders li")).toHaveCount(6);
  await expect(page.getByRole("link")).toHaveCount(0);
  expect(await findings(page)).toEqual([]);
});

test("the page speaks German to who asks for it, and remembers", async ({ page }) => {
  await page.goto(`${host.url}/watch`);
  await page.getByRole("combobox", { name: "Language" }).selectOption("de");
  await expect(page.getByRole("heading", { name: "Gerade jetzt" })).toBeVisible();
  await page.reload();
  await expect(page.getByRole("heading", { name: "Gerade jetzt" })).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe("de");
});

test("a large run costs the page's thread little", async ({ page }) => {
  const script = await scriptPerPush(page, host, 8);
  expect(script.length).toBeGreaterThan(4);
  expect(quantile(script, 0.5)).toBeLessThan(16); // `npm run bench -- page` has the promise, on a machine that does nothing else
});
