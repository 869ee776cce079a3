// Islands in real tabs: what their tests share.
import { type Browser, chromium, expect, type Page, test } from "@playwright/test";
import { chromiumFlags, findInstalledBrowser } from "../apps/cli/browser.ts";
import { presets } from "../packages/wire/index.ts";
import { specLike, type TestHost } from "./support.ts";

/** Nano with rounds of three steps: with software adapters an island of four takes a second for each. */
export const nano = () =>
  specLike(({ inner, evaluation }) => ({
    model: presets.nano.model,
    inner: { ...inner, steps: 3, windowsPerStep: 2 },
    evaluation: { ...evaluation, everyRounds: 100 },
  }));

/** Opens tabs of one browser that donate; each page in a context of its own is another volunteer's. */
export function tabsOfOneBrowser(): (host: TestHost, address: string) => Promise<Page> {
  let browser: Browser;
  test.beforeAll(async () => {
    browser = await chromium.launch({ executablePath: findInstalledBrowser()?.path ?? "", args: chromiumFlags() });
  });
  test.afterAll(() => browser.close());
  return async (host, address) => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(host.url + address);
    await page.getByRole("button", { name: "Donate this GPU" }).click();
    return page;
  };
}

export const close = (page: Page): Promise<void> => page.context().close();
export const islandText = (page: Page) => page.locator(".panel .island");

/** Closes the tabs, stops the host, expects that its log replays, and leaves nothing behind. */
export async function endIslands(host: TestHost, tabs: readonly Page[], spec: ReturnType<typeof nano>): Promise<void> {
  await Promise.all(tabs.map((page) => close(page).catch(() => {}))); // some are closed already
  await host.stop();
  expect(host.replays()).toBe(true);
  host.remove();
  spec.remove();
}
