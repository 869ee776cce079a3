// The run as the host tells it, read in a worker: text from the host is parsed, checked and reduced here, so that the page's own thread
// only draws. No GPU, no peer connection: anybody may watch.
//
//   GET /api/runs/:id/events -> "run", "rounds", "overview" -> changes of the snapshot
//   a new round -> GET .../series of each chart          a wish (a round of the past, further peers) -> GET .../rounds/:round, .../peers
import * as z from "zod/mini";
import type { MemoryLimits } from "#engine";
import {
  momentSchema,
  overviewSchema,
  peerRowSchema,
  type RoundTimes,
  type RunDetail,
  roundTimesSchema,
  runDetailSchema,
  runSummarySchema,
  seriesSchema,
} from "#wire";
import type { ReaderAsk, ReaderTell } from "../window/types.ts";
import { MeshLayout } from "./mesh-layout.ts";
import { Playback } from "./playback.ts";
import { Rates } from "./rates.ts";
import { RunNews } from "./run-news.ts";
import { runSizes } from "./run-sizes.ts";
import { seriesShown } from "./series-shown.ts";

/** The browser retries a lost connection by itself; what it gives up (an error status) is tried again after this. */
const RETRY_MS = 3_000;
/** Charts follow a round within this; a short round must not make every watcher ask three times a second. */
const SERIES_EVERY_MS = 3_000;
const SERIES_POINTS = 500;
/** Between two of them, but for the first time: the page has time for its other work, and all seven are through before the next. */
const SERIES_APART_MS = 300;
/** A timeline's width, and the round that is open. */
const ROUNDS_SHOWN = 25;

const pageOfPeersSchema = z.object({ peers: z.array(peerRowSchema), peersTotal: z.int() });

export class Reader {
  readonly #tell: (change: ReaderTell) => void;
  readonly #base: string;
  readonly #rates = new Rates();
  readonly #news = new RunNews();
  readonly #mesh = new MeshLayout();
  readonly #playback: Playback;
  #run: RunDetail | undefined;
  #rounds: readonly RoundTimes[] = [];
  #source: EventSource | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #seriesTimer: ReturnType<typeof setTimeout> | undefined;
  #seriesHead = "";
  #seriesLoaded = false;
  #sizesOf = "";
  #unknown = false;
  #listed = false;

  /** @param base .../api/runs/:id */
  constructor(base: string, tell: (change: ReaderTell) => void) {
    this.#base = base;
    this.#tell = tell;
    this.#playback = new Playback({
      load: async (round) => momentSchema.parse(await this.#ask(`rounds/${round}`)),
      headRound: () => this.#run?.head.round ?? 0,
      tell,
    });
    this.#connect();
  }

  hear(ask: ReaderAsk): void {
    switch (ask.type) {
      case "round":
        return this.#playback.goTo(ask.round);
      case "play":
        return this.#playback.play(ask.roundsPerSecond);
      case "peers":
        return void this.#loadPeers(ask.from);
      case "memory":
        return void this.#planMemory(ask.limits);
    }
  }

  #connect(): void {
    const source = new EventSource(`${this.#base}/events`);
    this.#source = source;
    const on = <T>(event: string, schema: z.ZodMiniType<T>, take: (document: T) => void) =>
      source.addEventListener(event, ({ data }: MessageEvent<string>) => {
        const parsed = schema.safeParse(parseJson(data));
        if (parsed.success) return take(parsed.data);
        console.warn(`the host's ${event} is of another version: reload the page`, parsed.error.message);
      });
    on("run", runDetailSchema, (run) => this.#takeRun(run));
    on("rounds", z.array(roundTimesSchema), (rounds) => this.#takeRounds(rounds));
    on("overview", overviewSchema, (overview) => this.#tell({ overview }));
    source.onerror = () => {
      this.#listed = false;
      if (!this.#unknown) this.#tell({ connection: "retrying" });
      if (source.readyState === EventSource.CLOSED) void this.#askWhy();
    };
  }

  #takeRun(run: RunDetail): void {
    this.#run = run;
    this.#unknown = false;
    const now = performance.now();
    const { rateByPeer, rateByLink } = this.#rates.take(now, run);
    const mesh = this.#mesh.take(run, rateByLink, now);
    this.#tell({
      connection: "live",
      ...this.#news.take(now, run, rateByPeer, rateByLink),
      ...(run.id === this.#sizesOf ? {} : { sizes: runSizes(run.spec) }),
      ...(mesh ? { mesh } : {}),
    });
    this.#sizesOf = run.id;
    this.#followHead(run);
    if (!this.#listed) void this.#loadOtherRuns(run.id);
  }

  #takeRounds(news: readonly RoundTimes[]): void {
    const fresh = new Set(news.map(({ round }) => round));
    const all = [...this.#rounds.filter(({ round }) => !fresh.has(round)), ...news];
    this.#rounds = all.sort((a, b) => a.round - b.round).slice(-ROUNDS_SHOWN);
    this.#tell({ rounds: this.#rounds });
  }

  /** Loads the series when the head moved, at most once per span; what moved meanwhile is loaded after it (the last round has no successor). */
  #followHead({ id, head }: RunDetail): void {
    const now = `${id} ${head.round} ${head.evalLoss}`;
    if (now === this.#seriesHead || this.#seriesTimer !== undefined) return;
    this.#seriesHead = now;
    void this.#loadSeries();
    this.#seriesTimer = setTimeout(() => {
      this.#seriesTimer = undefined;
      if (this.#run) this.#followHead(this.#run);
    }, SERIES_EVERY_MS);
  }

  /** One after the other, each told by itself: the page draws one chart at a time. A chart that gets no answer keeps what it has. */
  async #loadSeries(): Promise<void> {
    const apartMs = this.#seriesLoaded ? SERIES_APART_MS : 0;
    this.#seriesLoaded = true;
    for (const metric of seriesShown) {
      if (apartMs > 0) await new Promise((resolve) => setTimeout(resolve, apartMs));
      try {
        const answer = await this.#ask(`series?metric=${metric}&points=${SERIES_POINTS}`);
        this.#tell({ [metric]: seriesSchema.parse(answer).points });
      } catch {
        // the next round asks again
      }
    }
  }

  async #planMemory(limits: MemoryLimits): Promise<void> {
    const planner = await import("../memory-need.ts").catch(() => undefined); // the page does not say then
    const hasFiles = navigator.storage?.getDirectory !== undefined;
    if (planner && this.#run) this.#tell({ memory: planner.memoryNeed(this.#run.spec, limits, hasFiles) });
  }

  /** What else this host serves; once for each connection, since runs come and go in days. */
  async #loadOtherRuns(id: string): Promise<void> {
    this.#listed = true;
    try {
      const runs = z.array(runSummarySchema).parse(await this.#ask(".."));
      this.#tell({ otherRuns: runs.filter((run) => run.id !== id) });
    } catch {
      // the page shows its own run alone
    }
  }

  async #loadPeers(from: number): Promise<void> {
    try {
      const { peers } = pageOfPeersSchema.parse(await this.#ask(`peers?from=${from}`));
      this.#tell({ peersPage: { from, peers } });
    } catch {
      // its rows stay empty; scrolling asks again
    }
  }

  async #ask(path: string): Promise<unknown> {
    const response = await fetch(`${this.#base}/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.json();
  }

  /** The host answered with an error, which EventSource does not show. */
  async #askWhy(): Promise<void> {
    this.#source?.close();
    const status = await fetch(this.#base).then(
      (response) => response.status,
      () => 0,
    );
    this.#unknown = status === 404;
    if (this.#unknown) this.#tell({ connection: "unknown-run" });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), RETRY_MS);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
