// End to end: real hosts on loopback, real headless browser processes, the page as built. `npx playwright test` alone does all of it.
import { defineConfig } from "@playwright/test";
import { chromiumFlags, findInstalledBrowser } from "./apps/cli/browser.ts";

const browser = findInstalledBrowser();

/** Nothing of them is timed, and few have a second browser that trains: two of these files fit two cores, and each waits for rounds most of its time. */
const pages =
  /[\\/](alerts|axe|backup|cluster|corpus|crash|disk|donate|fuzz-host|hosting|identity|island-kills|join|kills|looks|lora|methods|models|offline|operator|overlap|pairs|proxy|try|watch)\.spec\.ts$/;

export default defineConfig({
  testDir: "e2e",
  testIgnore: ["nat/**", "engines/**"], // need more than a browser: npm run e2e:nat, npm run e2e:engines
  globalSetup: "./e2e/build.ts",
  // Two browsers with software GPUs fill two cores: one test at a time, but for the pages' in `npm test` (apps/cli/test.mjs).
  workers: 1,
  projects: [
    { name: "pages", testMatch: pages },
    { name: "swarms", testIgnore: [pages, "nat/**", "engines/**"] },
  ],
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  timeout: 180_000,
  reporter: "list",
  use: {
    browserName: "chromium",
    headless: true,
    serviceWorkers: "block", // what a test says of the network holds; e2e/offline.spec.ts has one
    launchOptions: {
      ...(browser === undefined ? {} : { executablePath: browser.path }),
      args: chromiumFlags(),
    },
  },
});
