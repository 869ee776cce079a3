// Headless donors: browser processes of their own, each with its own profile, that open the page and press the button.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { BrowserError, chromiumFlags, findBrowser, hasSandbox } from "./browser.ts";

/** The button's accessible name: what a person reads, and what tests press. A browser that offers no adapter gives its processor. */
const BUTTON = /^Donate this (GPU|processor)$/;
/** A software adapter on a busy machine takes seconds to show the page. */
const BUTTON_WAIT_MS = 60_000;

export interface DonorOptions {
  readonly url: string;
  readonly count: number;
  /** A line for the operator. */
  readonly report: (line: string) => void;
}

interface Donor {
  readonly context: BrowserContext;
  readonly profile: string;
}

/** @throws BrowserError: a browser that does not start is for the operator to put right */
async function launch<T>(start: () => Promise<T>, path: string): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const text = (error as Error).message;
    const remedy = /sandbox/i.test(text)
      ? "This machine forbids its sandbox: set CI=1 to run it without one (it opens this host's page alone)."
      : "Set CHROMIUM_PATH to another browser.";
    throw new BrowserError(`${path} does not start: ${text.split("\n")[0]} ${remedy}`);
  }
}

async function startDonor(path: string, url: string, label: string, report: (line: string) => void): Promise<Donor> {
  // Fetched with the development packages; a host without donors runs without it.
  const { chromium } = await import("playwright-core");
  const profile = await mkdtemp(join(tmpdir(), "gossamer-donor-"));
  const context = await launch(
    () =>
      chromium.launchPersistentContext(profile, {
        executablePath: path,
        chromiumSandbox: hasSandbox(), // Playwright's own default is none
        headless: true,
        ignoreHTTPSErrors: url.startsWith("https:"), // our own host's certificate
        args: chromiumFlags(),
        handleSIGINT: false, // the host stops first, then its donors
        handleSIGTERM: false,
      }),
    path,
  );
  const page = context.pages()[0] ?? (await context.newPage());
  page.on("pageerror", (error) => report(`${label}: ${error.message}`));
  page.on("crash", () => report(`${label}: the page crashed`));
  try {
    await page.goto(url);
    await liftLimits(page);
    await page.getByRole("button", { name: BUTTON }).click({ timeout: BUTTON_WAIT_MS });
  } catch (error) {
    await context.close();
    await rm(profile, { recursive: true, force: true });
    throw new BrowserError(`${label} could not press "Donate" at ${url}: ${(error as Error).message.split("\n")[0]}`);
  }
  report(`${label} donates.`);
  return { context, profile };
}

/** A volunteer's cap and battery are not the operator's, who started these donors on his own machine: nobody would see them pause. */
async function liftLimits(page: Page): Promise<void> {
  await page.locator(".controls > summary").click({ timeout: BUTTON_WAIT_MS });
  const daily = page.locator("#daily");
  await daily.selectOption({ index: (await daily.locator("option").count()) - 1 });
  const battery = page.locator("#battery");
  if (await battery.isEnabled()) await battery.selectOption({ index: 0 });
}

/** @returns what stops them all. @throws Error with the remedy when there is no browser, or no button */
export async function startDonors({ url, count, report }: DonorOptions): Promise<() => Promise<void>> {
  const { path, source } = await findBrowser();
  report(`Starting ${count} headless browser${count === 1 ? "" : "s"} (${path}, ${source})…`);
  const donors: Donor[] = [];
  const stop = async () => {
    for (const { context, profile } of donors) {
      await context.close().catch(() => undefined);
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    }
  };
  try {
    for (let i = 1; i <= count; i++) donors.push(await startDonor(path, url, `Donor ${i}`, report));
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
