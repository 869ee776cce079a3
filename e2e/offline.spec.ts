// The page as an app: what makes it installable, what it shows where no host answers, and that it is never an older page than the host's.
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { bringAxe, findings } from "./axe.ts";
import { startHost, type TestHost } from "./support.ts";

test.use({ serviceWorkers: "allow" });

/** Until the worker answers for this page: the first visit installs it, the next one has it. */
async function openKept(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await page.reload();
  await expect(page.getByRole("heading", { level: 1, name: "nano" })).toBeVisible();
  expect(await page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
}

/** Its path: the page names it relative to where it lies. */
const scriptOf = (page: Page): Promise<string | null> =>
  page
    .locator("script[type=module]")
    .first()
    .evaluate((script: HTMLScriptElement) => new URL(script.src).pathname);

/** The same page as another build would have it: its first script under another name. */
function anotherBuild(): { folder: string; script: string } {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-page-"));
  cpSync("dist/web-test", folder, { recursive: true });
  const first = /src="\.\/assets\/(index-[^"]+\.js)"/.exec(readFileSync(join(folder, "index.html"), "utf8"))?.[1] ?? "";
  const script = first.replace(/index-[^.]+/, "index-another");
  renameSync(join(folder, "assets", first), join(folder, "assets", script));
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (/\.(br|gz)$/.test(name)) rmSync(join(folder, name));
    else if (/\.(js|html)$/.test(name)) {
      const path = join(folder, name);
      writeFileSync(path, readFileSync(path, "utf8").replaceAll(first, script));
    }
  }
  return { folder, script: `/assets/${script}` };
}

test("it can be installed: the browser finds nothing that is missing", async ({ page }) => {
  const host = await startHost();
  try {
    await openKept(page, host.url);
    const session = await page.context().newCDPSession(page);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    expect(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito")).toEqual([]); // where tests run
    const { data, errors } = await session.send("Page.getAppManifest");
    expect(errors).toEqual([]);
    expect(JSON.parse(data ?? "{}").icons.map(({ purpose }: { purpose?: string }) => purpose)).toContain("maskable");
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true); // through the worker too
  } finally {
    await host.stop();
    host.remove();
  }
});

test("without its host the page opens, says what was last seen, and goes on by itself; a newer host's page takes its place", async ({
  page,
}) => {
  const host = await startHost();
  const newer = anotherBuild();
  const port = Number(new URL(host.url).port);
  try {
    await bringAxe(page);
    await openKept(page, host.url);
    const old = await scriptOf(page);
    await host.stop();
    await page.goto(`${host.url}/watch`);
    await expect(page.getByText("The host does not answer.")).toBeVisible();
    await expect(page.getByRole("heading", { level: 1, name: "nano" })).toBeVisible();
    await expect(page.getByText("Last seen")).toBeVisible();
    await expect(page.getByText("0 rounds, 0 tokens")).toBeVisible();
    expect(await findings(page)).toEqual([]);
    expect(await scriptOf(page)).toBe(old);

    const again = await startHost({ dataDir: host.dataDir, port });
    await expect(page.getByRole("heading", { name: "Right now" })).toBeVisible(); // nobody pressed anything
    expect(await scriptOf(page)).toBe(old); // the same build: nothing to load anew
    await again.stop();

    await expect(page.getByText("The host does not answer.")).toBeVisible();
    const changed = await startHost({ dataDir: host.dataDir, port, args: ["--page", newer.folder] });
    await expect.poll(() => scriptOf(page).catch(() => null)).toBe(newer.script);
    await expect(page.getByRole("heading", { name: "Right now" })).toBeVisible();
    await page.goto(host.url); // and no navigation is ever given the kept one
    expect(await scriptOf(page)).toBe(newer.script);
    await page.goto("about:blank"); // its worker asks nobody any more: a browser that closes with a request of it under way has hung once
    await changed.stop();
  } finally {
    await host.stop();
    host.remove();
    rmSync(newer.folder, { recursive: true });
  }
});

test("what is kept is one build: the older one's files go with the last page that used them", async ({ context }) => {
  const host = await startHost();
  const newer = anotherBuild();
  const port = Number(new URL(host.url).port);
  let changed: TestHost | undefined;
  const keptNames = (page: Page) =>
    page.evaluate(async () => {
      const names = await caches.keys();
      const files = await Promise.all(
        names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)),
      );
      return { caches: names.length, files: files.flat().map((url) => new URL(url).pathname) };
    });
  try {
    const page = await context.newPage();
    await openKept(page, host.url);
    expect((await keptNames(page)).files).toContain(await scriptOf(page));
    await host.stop();
    changed = await startHost({ dataDir: host.dataDir, port, args: ["--page", newer.folder] });
    await page.goto(host.url);
    // The new worker waits for the pages of the old one; a press of reload is not enough, leaving them is.
    await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      await registration.update();
      const coming = registration.installing ?? registration.waiting;
      if (coming && coming.state !== "installed")
        await new Promise<void>((done) => {
          coming.addEventListener("statechange", () => coming.state === "installed" && done());
        });
    });
    await page.goto("about:blank");
    await page.goto(host.url);
    await expect.poll(async () => (await keptNames(page)).caches).toBe(1);
    const { files } = await keptNames(page);
    expect(files).toContain(newer.script);
    expect(files.length).toBeLessThan(40);
  } finally {
    await changed?.stop();
    await host.stop();
    host.remove();
    rmSync(newer.folder, { recursive: true });
  }
});
