// `npm run screenshots`: the page's main states as pictures for the README, over a run that is made up, so that they can be made again.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { builtPage } from "../../host/host.ts";
import { chromiumFlags, findBrowser } from "../browser.ts";
import { painted } from "./measure.ts";
import { serveSynthetic } from "./serve.ts";
import type { SyntheticOptions } from "./synthetic-run.ts";

/** WebP of this quality: texts stay sharp, and each file below 150 kB. */
const QUALITY = 78;
const SCREENSHOT_BYTES_MAX = 150_000;

interface Shot {
  readonly name: string;
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
  readonly language?: string;
  readonly run?: Partial<SyntheticOptions>;
  /** Scrolled to this section. */
  readonly at?: string;
}

const PHONE = { width: 390, height: 844 };
const DESK = { width: 1280, height: 860 };

const shots: readonly Shot[] = [
  { name: "donate-desktop", path: "/", ...DESK },
  { name: "donate-phone-dark", path: "/", ...PHONE, dark: true },
  { name: "watch-desktop-dark", path: "/watch", ...DESK, dark: true, at: "now" },
  { name: "rounds-desktop", path: "/watch", ...DESK, at: "rounds" },
  { name: "mesh-desktop-dark", path: "/watch", ...DESK, dark: true, at: "mesh" },
  { name: "machines-desktop", path: "/watch", ...DESK, at: "anchors" },
  { name: "watch-phone", path: "/watch", ...PHONE, at: "learning" },
  { name: "past-phone-german", path: "/watch?round=160", ...PHONE, language: "de-DE", at: "now" },
  { name: "kiosk-wall", path: "/watch?kiosk", width: 1920, height: 1080, dark: true },
  { name: "ended-desktop", path: "/watch", ...DESK, run: { state: "ended" } },
  { name: "empty-phone", path: "/watch", ...PHONE, run: { peers: 1, rounds: 0 }, at: "now" },
];

const SWARM = { peers: 24, rounds: 412, contributors: 12, seed: 7, endsAt: Date.UTC(2026, 10, 21, 15) };
/** After so many pushes what was asked for by scrolling has come, and is drawn. */
const PUSHES_TO_SETTLE = 3;

/** @param only names of shots; all of them when there is none */
export async function takeScreenshots(
  folder: string,
  only: readonly string[],
  out: (line: string) => void,
): Promise<void> {
  const { chromium } = await import("playwright-core");
  const { path } = await findBrowser();
  await mkdir(folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: path, args: [...chromiumFlags()] });
  try {
    for (const shot of shots) {
      if (only.length > 0 && !only.includes(shot.name)) continue;
      const bytes = await take(browser, shot);
      if (bytes.length > SCREENSHOT_BYTES_MAX)
        throw new Error(`${shot.name} has ${bytes.length} bytes, too many for the repository`);
      await writeFile(join(folder, `${shot.name}.webp`), bytes);
      out(`${shot.name}.webp  ${(bytes.length / 1000).toFixed(0)} kB`);
    }
  } finally {
    await browser.close();
  }
}

async function take(browser: Browser, { path, width, height, dark, language, run, at }: Shot): Promise<Buffer> {
  const host = await serveSynthetic(builtPage(), { ...SWARM, ...run });
  for (let ticks = 0; ticks < 30; ticks++) host.run.advance(500); // some way into a round
  const page = await browser.newPage({
    viewport: { width, height },
    deviceScaleFactor: width < 600 ? 2 : 1,
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    locale: language ?? "en-US",
    timezoneId: "UTC",
  });
  try {
    await page.goto(host.url + path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    for (let times = 0; times < 2; times++) {
      if (at !== undefined) await page.locator(`#${at}`).evaluate((heading) => heading.scrollIntoView()); // what came meanwhile may have moved it
      await host.ticked(PUSHES_TO_SETTLE);
    }
    await painted(page);
    const session = await page.context().newCDPSession(page);
    const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: QUALITY });
    return Buffer.from(data, "base64");
  } finally {
    await page.close();
    await host.close();
  }
}
