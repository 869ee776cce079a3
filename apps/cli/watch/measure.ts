// What a large run costs the page: script on its own thread per push, how long it takes to answer a hand, and its memory.
//
//   SyntheticHost -> Chromium -> trace, event timing, memory -> PageCost
import type { Browser, CDPSession, Page } from "playwright-core";

export interface PageCost {
  readonly pushes: number;
  /** Script on the page's own thread, per half second, in which the host pushes once. */
  readonly scriptMsMedian: number;
  readonly scriptMsP95: number;
  /** From the input to the next frame that shows what it did. */
  readonly interactions: number;
  readonly interactionMsMax: number;
  /** Page and its workers, after a collection. */
  readonly memoryBytes: number;
}

const PUSH_MS = 500;
/** What counts as script; nested events are inside of their outermost one. */
const SCRIPT = new Set([
  "FunctionCall",
  "EvaluateScript",
  "RunMicrotasks",
  "FireAnimationFrame",
  "TimerFire",
  "EventDispatch",
  "MinorGC",
  "MajorGC",
]);

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly ts: number; // µs
  readonly dur?: number;
  /** Of it the thread's own time, without what it waited for a core. */
  readonly tdur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args?: { readonly name?: string };
}

export async function measurePage(browser: Browser, url: string, seconds: number): Promise<PageCost> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  try {
    await page.addInitScript(watchInteractions);
    await page.goto(`${url}/watch`);
    await page.getByRole("heading", { name: "Machines" }).waitFor();
    await page.locator(".chart canvas").first().waitFor();
    const session = await page.context().newCDPSession(page);
    const events = await traced(session, () => page.waitForTimeout(seconds * 1000));
    const script = scriptPerPush(events);
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
    await page.waitForTimeout(300);
  }
  const slider = page.getByRole("slider", { name: "Round that is shown" });
  await slider.focus();
  for (const key of ["Home", "PageUp", "PageUp", "ArrowRight", "End"]) {
    await page.keyboard.press(key);
    await page.waitForTimeout(300);
  }
  const list = page.getByRole("region", { name: "Peers, by committed tokens" });
  await list.focus();
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press("PageDown");
    await page.waitForTimeout(200);
  }
}

async function traced(session: CDPSession, run: () => Promise<void>): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: ["devtools.timeline", "v8", "__metadata"], excludedCategories: ["*"] },
  });
  await run();
  const complete = new Promise<void>((resolve) => session.once("Tracing.tracingComplete", () => resolve()));
  await session.send("Tracing.end");
  await complete;
  return events;
}

/** Of the renderer's main thread that ran most of it: the page's. */
function scriptPerPush(events: readonly TraceEvent[]): number[] {
  const mains = new Set(
    events
      .filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain")
      .map(({ pid, tid }) => `${pid}/${tid}`),
  );
  const byThread = new Map<string, TraceEvent[]>();
  for (const event of events) {
    const thread = `${event.pid}/${event.tid}`;
    if (event.ph !== "X" || !SCRIPT.has(event.name) || !mains.has(thread)) continue;
    const known = byThread.get(thread);
    if (known) known.push(event);
    else byThread.set(thread, [event]);
  }
  const [busiest] = [...byThread.values()].sort((a, b) => b.length - a.length);
  if (busiest === undefined) throw new Error("the trace has no script of the page");
  const ordered = [...busiest].sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const start = ordered[0].ts;
  const msByPush = new Map<number, number>();
  let until = 0;
  for (const { ts, dur = 0, tdur = dur } of ordered) {
    if (ts < until) continue; // inside of the one before
    until = ts + dur;
    const push = Math.floor((ts - start) / 1000 / PUSH_MS);
    msByPush.set(push, (msByPush.get(push) ?? 0) + tdur / 1000);
  }
  return [...msByPush.values()];
}

const quantile = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? 0;

/** Needs isolation, which the host gives, and the flag that spares the wait for the next collection. */
export const MEASURE_FLAGS = ["--enable-blink-features=ForceEagerMeasureMemory"];
async function memoryOf(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const measure = Reflect.get(performance, "measureUserAgentSpecificMemory") as () => Promise<{ bytes: number }>;
    return (await measure.call(performance)).bytes;
  });
}
