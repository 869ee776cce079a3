// What a large run costs the page: script on its own thread per push, how long it takes to answer a hand, and its memory.
//
//   SyntheticHost -> Chromium -> trace, event timing, memory -> PageCost
import type { Browser, Page } from "playwright-core";
import { type SyntheticHost, TICK_MS } from "./serve.ts";
import { quantile, scriptDuring, scriptPerWindow } from "./trace.ts";

export interface PageCost {
  readonly pushes: number;
  /** Script on the page's own thread from one push to the next. */
  readonly scriptMsMedian: number;
  readonly scriptMsP95: number;
  /** From the input to the next frame that shows what it did. */
  readonly interactions: number;
  readonly interactionMsMax: number;
  /** Page and its workers, after a collection. */
  readonly memoryBytes: number;
}

/** Over `pushes` pushes of the host, and then under the hands of somebody who looks around. */
export async function measurePage(browser: Browser, host: SyntheticHost, pushes: number): Promise<PageCost> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  try {
    await page.addInitScript(watchInteractions);
    const script = await scriptPerPush(page, host, pushes);
    await interact(page);
    const durations = await page.evaluate(() => Reflect.get(globalThis, "interactions") as number[]);
    const memoryBytes = await memoryOf(page);
    return {
      pushes: script.length,
      scriptMsMedian: quantile(script, 0.5),
      scriptMsP95: quantile(script, 0.95),
      interactions: durations.length,
      interactionMsMax: Math.max(0, ...durations),
      memoryBytes,
    };
  } finally {
    await page.close();
  }
}

/** What a test asks, in which other programs take the cores: script from one push to the next, in milliseconds. */
export async function scriptPerPush(page: Page, host: SyntheticHost, pushes: number): Promise<number[]> {
  await open(page, host);
  return scriptPerWindow(await scriptDuring(page, () => host.ticked(pushes)), TICK_MS);
}

async function open(page: Page, host: SyntheticHost): Promise<void> {
  await page.goto(`${host.url}/watch`);
  await page.getByRole("heading", { name: "Machines" }).waitFor();
  await page.locator(".chart canvas").first().waitFor();
}

function watchInteractions(): void {
  const durations: number[] = [];
  Reflect.set(globalThis, "interactions", durations);
  const options = { type: "event", durationThreshold: 16, buffered: true };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (Reflect.get(entry, "interactionId")) durations.push(entry.duration);
    }
  }).observe(options as PerformanceObserverInit);
}

/** What a hand does: another axis, a round of the past and back, down the list of peers. */
async function interact(page: Page): Promise<void> {
  for (const axis of ["time", "tokens", "rounds"]) {
    await page.getByRole("radio", { name: axis, exact: true }).click();
    await painted(page);
  }
  const slider = page.getByRole("slider", { name: "Round that is shown" });
  await slider.focus();
  for (const key of ["Home", "PageUp", "PageUp", "ArrowRight", "End"]) {
    await page.keyboard.press(key);
    await painted(page);
  }
  const list = page.getByRole("region", { name: "Peers, by committed tokens" });
  await list.focus();
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press("PageDown");
    await painted(page);
  }
}

/** Until a frame has shown what was done before. */
export const painted = (page: Page): Promise<void> =>
  page.evaluate(
    () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );

/** Needs isolation, which the host gives, and the flag that spares the wait for the next collection. */
export const MEASURE_FLAGS = ["--enable-blink-features=ForceEagerMeasureMemory"];
async function memoryOf(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const measure = Reflect.get(performance, "measureUserAgentSpecificMemory") as () => Promise<{ bytes: number }>;
    return (await measure.call(performance)).bytes;
  });
}
