// While it trains on a software adapter half of the time, the page is a page: clicks are answered, and script leaves frames their time.
import { type CDPSession, expect, type Page, test } from "@playwright/test";
import { openDonor, startHost, untilRun } from "./support.ts";

const CLICKS = 40;
/** An answer that feels immediate; a frame of 16.7 ms whose half is left to the browser. */
const CLICK_P95_MS = 200;
const SCRIPT_P95_MS = 8;
const FRAME_MS = 1000 / 60;

test("at half of the time a click is answered within 200 ms, and script takes less than 8 ms of a frame", async () => {
  const host = await startHost();
  const donor = await openDonor(host.url);
  const { page } = donor;
  try {
    const slider = page.getByRole("slider", { name: "Time for training" });
    await expect(slider).toBeVisible({ timeout: 60_000 });
    await slider.focus();
    for (let step = 0; step < 5; step++) await page.keyboard.press("ArrowLeft");
    await expect(slider).toHaveAttribute("aria-valuetext", "50% of the time");
    await expect(page.getByText("The GPU rests after each step.")).toBeVisible();
    const before = await untilRun(host, "a round that counts", ({ round }) => round >= 1);

    const session = await page.context().newCDPSession(page);
    const scriptMs = await scriptByFrame(session, () => clicks(page));
    const clickMs = await answers(page);
    expect(clickMs.length).toBeGreaterThanOrEqual(CLICKS);
    console.log(
      `click to paint p50 ${percentile(clickMs, 0.5)} ms, p95 ${percentile(clickMs, 0.95)} ms; script of a frame p50 ${percentile(scriptMs, 0.5).toFixed(1)} ms, p95 ${percentile(scriptMs, 0.95).toFixed(1)} ms of ${scriptMs.length} frames`,
    );
    expect(percentile(clickMs, 0.95)).toBeLessThan(CLICK_P95_MS);
    expect(percentile(scriptMs, 0.95)).toBeLessThan(SCRIPT_P95_MS);
    const after = await untilRun(host, "training went on meanwhile", ({ tokens }) => tokens > before.tokens);
    expect(after.peers).toHaveLength(1);
  } finally {
    await donor.close();
    await host.stop();
    host.remove();
  }
});

const percentile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))];

/** The browser's own measure of each click, from the hand to the frame that shows its effect (Event Timing: in steps of 8 ms). */
async function clicks(page: Page): Promise<void> {
  await page.evaluate(() => {
    const durations: number[] = [];
    const counted = (): number => performance.eventCounts.get("click") ?? 0;
    const before = counted();
    const take = (entries: PerformanceEntryList): void => {
      for (const { name, duration } of entries) if (name === "click") durations.push(duration);
    };
    const observer = new PerformanceObserver((list) => take(list.getEntries()));
    observer.observe({ type: "event", durationThreshold: 16 } as PerformanceObserverInit);
    Reflect.set(globalThis, "answers", () => {
      take(observer.takeRecords());
      return { told: durations, count: counted() - before };
    });
  });
  const axes = [page.getByRole("radio", { name: "tokens" }), page.getByRole("radio", { name: "rounds" })];
  for (let i = 0; i < CLICKS; i++) {
    await axes[i % 2].click();
    await expect(axes[i % 2]).toBeChecked();
  }
}

/** Milliseconds of each click that the browser counted; those below the threshold of 16 ms are not told one by one. */
async function answers(page: Page): Promise<number[]> {
  const { told, count } = await page.evaluate(() =>
    (Reflect.get(globalThis, "answers") as () => { told: number[]; count: number })(),
  );
  return [...told, ...new Array(count - told.length).fill(16)];
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly tid: number;
  readonly pid: number;
  readonly ts: number; //   microseconds
  readonly dur?: number;
  readonly tdur?: number; // of it on a core: other programs take none of this
  readonly args?: { readonly name?: string };
}

/** Milliseconds of script on the page's main thread in each sixtieth of a second while `run` ran. */
async function scriptByFrame(session: CDPSession, run: () => Promise<void>): Promise<number[]> {
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await session.send("Tracing.start", {
    traceConfig: { includedCategories: ["devtools.timeline", "v8.execute", "__metadata"] },
  });
  await run();
  const complete = new Promise<void>((resolve) => session.once("Tracing.tracingComplete", () => resolve()));
  await session.send("Tracing.end");
  await complete;
  const main = events.find(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain");
  expect(main, "the trace has the page's main thread").toBeDefined();
  const own = events
    .filter(({ ph, tid, pid, dur }) => ph === "X" && tid === main!.tid && pid === main!.pid && dur !== undefined)
    .toSorted((a, b) => a.ts - b.ts);
  const script = new Set([
    "FunctionCall",
    "EvaluateScript",
    "v8.run",
    "V8.Execute",
    "RunMicrotasks",
    "V8.RunMicrotasks",
    "EventDispatch",
    "FireAnimationFrame",
    "TimerFire",
  ]);
  const first = own[0].ts;
  const last = own[own.length - 1].ts;
  const frames = new Array<number>(Math.ceil((last - first) / 1000 / FRAME_MS)).fill(0);
  let until = 0;
  for (const { name, ts, dur, tdur } of own) {
    if (!script.has(name) || ts < until) continue; // one within another counts once
    until = ts + dur!;
    frames[Math.min(frames.length - 1, Math.floor((ts - first) / 1000 / FRAME_MS))] += (tdur ?? dur!) / 1000;
  }
  expect(frames.filter((ms) => ms > 0).length, "frames with script").toBeGreaterThan(CLICKS / 2);
  return frames;
}
