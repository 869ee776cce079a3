// A browser in one of the lab's homes, on the page of a host that shares itself over HTTPS.
import type { Page } from "@playwright/test";
import { chromiumFlags, findInstalledBrowser } from "../../apps/cli/browser.ts";
import type { LogEntry, RunDetail } from "../../packages/wire/index.ts";
import { openDonor, type TestDonor } from "../support.ts";
import type { HomeName, Lab } from "./lab.ts";

export function volunteerIn(
  lab: Lab,
  home: HomeName,
  url: string,
  { press = true, path = "/" } = {},
): Promise<TestDonor> {
  const found = findInstalledBrowser();
  return openDonor(url, {
    ...{ press, path },
    browser: lab.browserIn(`home${home}`, found?.path ?? "chromium"),
    // "Advanced", "Proceed": in workers too.
    flags: [...chromiumFlags(), "--ignore-certificate-errors"],
    context: { ignoreHTTPSErrors: true },
  });
}

// What the host's API says, asked from the page: Node is not in the lab's network.
const get = <T>(page: Page, path: string): Promise<T> =>
  page.evaluate(async (of) => (await (await fetch(of)).json()) as never, path);

export const runOf = (page: Page) => get<RunDetail>(page, "/api/runs/default");

/** Entries from `from` on; a test's log fits one page. */
export const logOf = (page: Page, from: number) =>
  get<LogEntry[]>(page, `/api/runs/default/log?raw=1&from=${from}&limit=1000`);
