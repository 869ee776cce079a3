// The run as the host tells it: server-sent events, and series for the charts. No GPU, no peer connection: anybody may watch.
//
//   GET /api/runs/:id/events -> "run": RunDetail -> snapshot;  a new round -> GET .../series -> snapshot
import { type PeerId, type RunDetail, runDetailSchema, type Series, seriesSchema } from "#wire";
import { emptyWatcher } from "../page-state.ts";
import { findHost } from "./find-host.ts";
import { linkKey, type Rate, type SeriesPoint, type Watcher, type WatcherSnapshot } from "./types.ts";

/** The browser retries a lost connection by itself; what it gives up (an error status) is tried again after this. */
const RETRY_MS = 3_000;
/** Charts follow a round within this; a short round must not make every watcher ask three times a second. */
const SERIES_EVERY_MS = 3_000;
const SERIES_POINTS = 500;
/** Rates are means over about this long: peers report every two seconds, updates come in bursts. */
const RATE_SPAN_MS = 10_000;
const SAMPLE_EVERY_MS = 1_000;

const metrics = ["trainLoss", "evalLoss", "tokensPerSecond"] as const;

/** @param run a run's id, or "default" */
export function createWatcher(run: string): Watcher {
  let snapshot: WatcherSnapshot = emptyWatcher;
  const listeners = new Set<() => void>();
  const rates = new Rates();
  let base = "";
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let seriesTimer: ReturnType<typeof setTimeout> | undefined;
  let seriesHead = "";
  let closed = false;

  const set = (change: Partial<WatcherSnapshot>) => {
    if (closed) return;
    snapshot = { ...snapshot, ...change };
    for (const listener of listeners) listener();
  };

  function connect(): void {
    source = new EventSource(`${base}/events`);
    source.addEventListener("run", ({ data }: MessageEvent<string>) => take(data));
    source.onerror = () => {
      if (snapshot.connection !== "unknown-run") set({ connection: "retrying" });
      if (source?.readyState === EventSource.CLOSED) void askWhy();
    };
  }

  function take(data: string): void {
    const parsed = runDetailSchema.safeParse(parseJson(data));
    if (!parsed.success) {
      console.warn("the host's description of the run is of another version: reload the page", parsed.error.message);
      return;
    }
    const detail: RunDetail = parsed.data;
    set({ connection: "live", run: detail, ...rates.take(performance.now(), detail) });
    followHead(detail);
  }

  /** Loads the series when the head moved, at most once per span; what moved meanwhile is loaded after it (the last round has no successor). */
  function followHead(detail: RunDetail): void {
    const head = `${detail.id} ${detail.head.round} ${detail.head.evalLoss}`;
    if (head === seriesHead || seriesTimer !== undefined) return;
    seriesHead = head;
    void loadSeries();
    seriesTimer = setTimeout(() => {
      seriesTimer = undefined;
      if (snapshot.run) followHead(snapshot.run);
    }, SERIES_EVERY_MS);
  }

  /** The host answered with an error, which EventSource does not show. */
  async function askWhy(): Promise<void> {
    source?.close();
    const status = await fetch(base).then(
      (response) => response.status,
      () => 0,
    );
    if (closed) return;
    if (status === 404) set({ connection: "unknown-run" });
    clearTimeout(retry);
    retry = setTimeout(connect, RETRY_MS);
  }

  async function loadSeries(): Promise<void> {
    const [trainLoss, evalLoss, tokensPerSecond] = await Promise.all(metrics.map((metric) => series(base, metric)));
    set({
      trainLoss: trainLoss ?? snapshot.trainLoss,
      evalLoss: evalLoss ?? snapshot.evalLoss,
      tokensPerSecond: tokensPerSecond ?? snapshot.tokensPerSecond,
    });
  }

  void findHost().then((places) => {
    base = `${places.base}/api/runs/${encodeURIComponent(run)}`;
    set({ hostBase: places.base });
    if (!closed) connect();
  });
  return {
    subscribe(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    getSnapshot: () => snapshot,
    close() {
      closed = true;
      source?.close();
      clearTimeout(retry);
      clearTimeout(seriesTimer);
      listeners.clear();
    },
  };
}

/** Undefined when the host does not answer: the chart keeps what it has. */
async function series(base: string, metric: Series["metric"]): Promise<readonly SeriesPoint[] | undefined> {
  try {
    const response = await fetch(`${base}/series?metric=${metric}&points=${SERIES_POINTS}`);
    if (!response.ok) return undefined;
    return seriesSchema.parse(await response.json()).points;
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Bytes per second of peers and links, from what they have moved in all. */
export class Rates {
  #samples: { readonly atMs: number; readonly sentAndReceived: ReadonlyMap<string, readonly [number, number]> }[] = [];

  take(atMs: number, detail: RunDetail): Pick<WatcherSnapshot, "rateByPeer" | "rateByLink"> {
    const totals = new Map<string, readonly [number, number]>();
    for (const peer of detail.peers) {
      totals.set(peer.id, [peer.bytesSent, peer.bytesReceived]);
      for (const link of peer.links) totals.set(linkKey(peer.id, link.peer), [link.bytesSent, link.bytesReceived]);
    }
    const newest = this.#samples.at(-1);
    if (!newest || atMs - newest.atMs >= SAMPLE_EVERY_MS) this.#samples.push({ atMs, sentAndReceived: totals });
    while (this.#samples.length > 2 && atMs - this.#samples[1].atMs >= RATE_SPAN_MS) this.#samples.shift();

    const first = this.#samples[0];
    const seconds = (atMs - first.atMs) / 1000;
    const rateOf = (key: string, [sent, received]: readonly [number, number]): Rate => {
      const before = first.sentAndReceived.get(key);
      // Someone new moved everything since; a link that began again counts from zero.
      const since = (now: number, then: number) => (seconds > 0 ? Math.max(0, now - then) / seconds : 0);
      return before ? { sent: since(sent, before[0]), received: since(received, before[1]) } : { sent: 0, received: 0 };
    };
    const rateByPeer = new Map<PeerId, Rate>();
    const rateByLink = new Map<string, Rate>();
    for (const [key, both] of totals) (key.includes(" ") ? rateByLink : rateByPeer).set(key, rateOf(key, both));
    return { rateByPeer, rateByLink };
  }
}
