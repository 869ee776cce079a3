// The real API, events and page over a run that is made up: on a free port of this machine.
import { EventEmitter, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskBlobStore } from "#store/disk";
import { Api } from "../../host/api.ts";
import { oneRun } from "../../host/served-runs.ts";
import { startServer } from "../../host/server.ts";
import { type SyntheticOptions, SyntheticRun } from "./synthetic-run.ts";

/** As often as a real run has news: each peer reports every two seconds. */
export const TICK_MS = 500;

export interface SyntheticHost {
  readonly url: string;
  readonly run: SyntheticRun;
  /** Once the run has had news so many times more. */
  ticked(count: number): Promise<void>;
  close(): Promise<void>;
}

/** @param page folder of the built page */
export async function serveSynthetic(page: string, options: SyntheticOptions): Promise<SyntheticHost> {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-synthetic-"));
  const run = new SyntheticRun(options);
  const api = new Api({
    runs: oneRun(run),
    blobs: await DiskBlobStore.open(folder, { owner: true }),
    peerOfToken: () => undefined,
    connections: () => options.peers,
    relay: () => ({ links: Math.floor(options.peers / 19), bytes: 1.4e8 }),
    originIsAllowed: () => false,
    report: (line) => console.warn(line),
    network: () => ({ stun: null, turn: false, relay: true }),
  });
  api.added(run);
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    allowOrigins: [],
    page,
    connect: [],
    api: (request, response, url) => api.handle(request, response, url),
    upgrade: (_, stream) => stream.destroy(),
    report: (line) => console.warn(line),
  });
  const news = new EventEmitter();
  const ticks = setInterval(() => {
    run.advance(TICK_MS);
    news.emit("tick");
  }, TICK_MS);
  return {
    url: `http://127.0.0.1:${server.port}`,
    run,
    async ticked(count) {
      for (let seen = 0; seen < count; seen++) await once(news, "tick");
    },
    async close() {
      clearInterval(ticks);
      api.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
