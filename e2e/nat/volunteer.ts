// A browser in one of the lab's homes, on the page of a host that shares itself over HTTPS.
import { chromiumFlags, findInstalledBrowser } from "../../apps/cli/browser.ts";
import { openDonor, type TestDonor } from "../support.ts";
import type { HomeName, Lab } from "./lab.ts";

export function volunteerIn(lab: Lab, home: HomeName, url: string, { press = true } = {}): Promise<TestDonor> {
  const found = findInstalledBrowser();
  return openDonor(url, {
    press,
    browser: lab.browserIn(`home${home}`, found?.path ?? "chromium"),
    // "Advanced", "Proceed": in workers too.
    flags: [...chromiumFlags(), "--ignore-certificate-errors"],
    context: { ignoreHTTPSErrors: true },
  });
}
