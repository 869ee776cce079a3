// Server-sent events for watchers: the run's document at most twice a second, and each entry as it is appended.
import type { ServerResponse } from "node:http";
import { type LogEntry, PEERS_PAGE } from "#wire";
import type { HostedRun } from "./run.ts";

const RUN_EVERY_MS = 500;
/** A comment now and then shows both ends, and proxies between them, that the line lives. */
const COMMENT_EVERY_MS = 15_000;
/** Each costs a socket; a watcher too many is told to come back. */
const STREAMS_MAX = 1_000;
/** A watcher that does not read is cut off and will connect again: the first event it then gets says where the run is. */
const QUEUE_BYTES_MAX = 1024 * 1024;

export class EventStreams {
  readonly #run: HostedRun;
  readonly #streams = new Set<ServerResponse>();
  readonly #unsubscribe: () => void;
  readonly #comments: NodeJS.Timeout;
  #next: NodeJS.Timeout | undefined;

  constructor(run: HostedRun) {
    this.#run = run;
    this.#unsubscribe = run.subscribe({
      entry: (entry) => this.#send(event("entry", entry)),
      changed: () => this.#changed(),
    });
    this.#comments = setInterval(() => this.#send(": still here\n\n"), COMMENT_EVERY_MS);
    this.#comments.unref();
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
    response.write(`retry: 2000\n\n${this.#document()}`);
    this.#streams.add(response);
    response.on("close", () => this.#streams.delete(response));
  }

  #document(): string {
    return event("run", this.#run.detail(0, PEERS_PAGE));
  }

  #changed(): void {
    if (this.#next !== undefined || this.#streams.size === 0) return;
    this.#next = setTimeout(() => {
      this.#next = undefined;
      this.#send(this.#document());
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
    clearTimeout(this.#next);
    for (const stream of this.#streams) stream.end();
  }
}

const event = (name: "run" | "entry", document: LogEntry | object): string =>
  `event: ${name}\ndata: ${JSON.stringify(document)}\n\n`;
