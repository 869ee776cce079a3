// Script on the page's own thread, from the browser's trace.
import type { CDPSession, Page } from "playwright-core";

/** Script that ran without a pause: from when, and the thread's own time in it, without what it waited for a core. */
export interface ScriptSlice {
  readonly atMs: number;
  readonly ms: number;
}

/** What counts as script; nested events are inside of their outermost one. */
const SCRIPT = new Set([
  "FunctionCall",
  "EvaluateScript",
  "v8.run",
  "V8.Execute",
  "RunMicrotasks",
  "V8.RunMicrotasks",
  "FireAnimationFrame",
  "TimerFire",
  "EventDispatch",
  "MinorGC",
  "MajorGC",
]);

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly ts: number; //    µs
  readonly dur?: number;
  readonly tdur?: number; // of it on a core: other programs take none of this
  readonly pid: number;
  readonly tid: number;
  readonly args?: { readonly name?: string };
}

/** Of what ran while `run` did; the first slice is at 0. */
export async function scriptDuring(page: Page, run: () => Promise<unknown>): Promise<ScriptSlice[]> {
  const session = await page.context().newCDPSession(page);
  try {
    return slicesOf(await traced(session, run));
  } finally {
    await session.detach();
  }
}

/** Milliseconds of script in each window of `windowMs`, from the first slice to the last. */
export function scriptPerWindow(slices: readonly ScriptSlice[], windowMs: number): number[] {
  const windows = new Array<number>(Math.floor((slices.at(-1)?.atMs ?? 0) / windowMs) + 1).fill(0);
  for (const { atMs, ms } of slices) windows[Math.floor(atMs / windowMs)] += ms;
  return windows;
}

export const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? 0;

async function traced(session: CDPSession, run: () => Promise<unknown>): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  await session.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: {
      includedCategories: ["devtools.timeline", "v8", "v8.execute", "__metadata"],
      excludedCategories: ["*"],
    },
  });
  await run();
  const complete = new Promise<void>((resolve) => session.once("Tracing.tracingComplete", () => resolve()));
  await session.send("Tracing.end");
  await complete;
  return events;
}

/** Of the renderers' main threads the one that ran most: the page's. */
function slicesOf(events: readonly TraceEvent[]): ScriptSlice[] {
  const mains = new Set(
    events.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain").map(threadOf),
  );
  const byThread = new Map<string, TraceEvent[]>();
  for (const event of events) {
    const thread = threadOf(event);
    if (event.ph !== "X" || !SCRIPT.has(event.name) || !mains.has(thread)) continue;
    const known = byThread.get(thread);
    if (known) known.push(event);
    else byThread.set(thread, [event]);
  }
  const [busiest] = [...byThread.values()].toSorted((a, b) => b.length - a.length);
  if (busiest === undefined) throw new Error("the trace has no script of the page");
  const ordered = busiest.toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  const slices: ScriptSlice[] = [];
  let until = 0;
  for (const { ts, dur = 0, tdur = dur } of ordered) {
    if (ts < until) continue; // inside of the one before
    until = ts + dur;
    slices.push({ atMs: (ts - ordered[0].ts) / 1000, ms: tdur / 1000 });
  }
  return slices;
}

const threadOf = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`;
