// Server-sent events for watchers: the run's document and what moved in its rounds at most twice a second, sums and the host's health
// every other second, and each entry as it is appended.
import type { ServerResponse } from "node:http";
import { type Overview, PEERS_PAGE, type RunDetail } from "#wire";
import type { HostedRun } from "./run.ts";

const RUN_EVERY_MS = 500;
/** Sums over all peers: peers report every two seconds. */
const OVERVIEW_EVERY_MS = 2_000;
/** In one push, over all rows: 600 are 80 kB, and all that a screen can show. The document itself (GET) has them all. */
const LINKS_PUSHED_MAX = 600;
/** Rounds that a new watcher is told at once: a timeline's width. */
const ROUNDS_TOLD = 24;
/** A comment now and then shows both ends, and proxies between them, that the line lives. */
const COMMENT_EVERY_MS = 15_000;
/** Each costs a socket; a watcher too many is told to come back. */
const STREAMS_MAX = 1_000;
/** A watcher that does not read is cut off and will connect again: the first event it then gets says where the run is. */
const QUEUE_BYTES_MAX = 1024 * 1024;

type WatchedRun = Pick<HostedRun, "detail" | "rounds" | "subscribe">;

export class EventStreams {
  readonly #run: WatchedRun;
  readonly #overview: () => Overview;
  readonly #streams = new Set<ServerResponse>();
  readonly #unsubscribe: () => void;
  readonly #comments: NodeJS.Timeout;
  readonly #overviews: NodeJS.Timeout;
  #next: NodeJS.Timeout | undefined;

  constructor(run: WatchedRun, overview: () => Overview) {
    this.#run = run;
    this.#overview = overview;
    this.#unsubscribe = run.subscribe({
      entry: (entry) => this.#send(event("entry", entry)),
      changed: () => this.#changed(),
    });
    this.#comments = setInterval(() => this.#send(": still here\n\n"), COMMENT_EVERY_MS);
    this.#comments.unref();
    this.#overviews = setInterval(() => {
      if (this.#streams.size > 0) this.#send(event("overview", this.#overview()));
    }, OVERVIEW_EVERY_MS);
    this.#overviews.unref();
  }

  get size(): number {
    return this.#streams.size;
  }

  add(response: ServerResponse): void {
    if (this.#streams.size >= STREAMS_MAX) {
      response.writeHead(503, { "Retry-After": "30" });
      return void response.end();
    }
    response.writeHead(200, {
      "Content-Type": "text/event-stream",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no", // nginx would hold events back
    });
    const { rounds } = this.#run;
    const newest = rounds.page(Math.max(0, rounds.length - ROUNDS_TOLD), ROUNDS_TOLD + 1); // and the one that is open
    const told = `${this.#document()}${event("rounds", newest)}${event("overview", this.#overview())}`;
    response.write(`retry: 2000\n\n${told}`);
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }

  #document(): string {
    return event("run", withLinksOf(this.#run.detail(0, PEERS_PAGE), LINKS_PUSHED_MAX));
  }

  #changed(): void {
    if (this.#next !== undefined || this.#streams.size === 0) return;
    this.#next = setTimeout(() => {
      this.#next = undefined;
      const moved = this.#run.rounds.takeMoved().slice(-ROUNDS_TOLD);
      this.#send(this.#document() + (moved.length > 0 ? event("rounds", moved) : ""));
    }, RUN_EVERY_MS);
    this.#next.unref();
  }

  #send(text: string): void {
    for (const stream of this.#streams) {
      if (stream.writableLength > QUEUE_BYTES_MAX) stream.destroy();
      else stream.write(text);
    }
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#comments);
    clearInterval(this.#overviews);
    clearTimeout(this.#next);
    for (const stream of this.#streams) stream.end();
  }
}

const event = (name: "run" | "rounds" | "overview" | "entry", document: object): string =>
  `event: ${name}\ndata: ${JSON.stringify(document)}\n\n`;

/** The first rows keep their links, as long as there is room for them. */
function withLinksOf(detail: RunDetail, linksMax: number): RunDetail {
  let room = linksMax;
  const peers = detail.peers.map((peer) => {
    room -= peer.links.length;
    return room >= 0 || peer.links.length === 0 ? peer : { ...peer, links: [] };
  });
  return { ...detail, peers };
}
