// The HTTP API, as the README describes it: which part answers which path.
//
//   /healthz   /readyz   /metrics   /badge/:id.svg   /api/runs   /api/runs/:id/... (run-api.ts)   /api/blobs/:hash (blob-api.ts)   /api/network   /api/admin (admin-api.ts)
import type { IncomingMessage, ServerResponse } from "node:http";
import type { NetworkOffer } from "#wire";
import type { AdminApi } from "./admin-api.ts";
import { ApiError, answerJson, answerText, notFound } from "./answer.ts";
import { BlobApi, type BlobApiOptions, type BlobRun } from "./blob-api.ts";
import { FREE_BYTES_MIN } from "./disk-room.ts";
import { HostHealth } from "./host-health.ts";
import { Measures } from "./measures.ts";
import { type Measured, metricsText } from "./metrics.ts";
import type { RelayMeter } from "./relay.ts";
import type { Relayed } from "./relay-budget.ts";
import { type DocumentedRun, RunApi } from "./run-api.ts";
import type { ServedRuns } from "./served-runs.ts";
import { type OrderedRun, UnnamedUploads } from "./uploads.ts";

/** What the API asks of a run: a hosted one, or one that a bench makes up. */
export type ServedRun = DocumentedRun & BlobRun & OrderedRun;

export interface ApiOptions extends BlobApiOptions {
  readonly runs: ServedRuns<ServedRun>;
  /** /api/admin; none where nobody decides anything. */
  readonly admin?: AdminApi;
  readonly connections: () => number;
  readonly relay: () => RelayMeter;
  readonly network: (request: IncomingMessage) => NetworkOffer;
  readonly measures?: Measures;
  /** Of the host as a whole; none where a bench serves a run that is made up. */
  readonly operator?: {
    /** Why the host as a whole cannot serve now. */
    readonly notReady: () => readonly string[];
    readonly bans: () => readonly { readonly by: string }[];
    readonly relayed: () => Relayed;
  };
}

export class Api {
  readonly #options: ApiOptions;
  readonly #apiByRun = new Map<ServedRun, RunApi>();
  readonly #blobs: BlobApi;
  readonly #health: HostHealth;
  readonly #unnamedByRun = new Map<ServedRun, UnnamedUploads>();

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#blobs = new BlobApi(options);
    this.#health = new HostHealth(() => options.blobs.freeBytes());
  }

  /** A run is served from now on. */
  added(run: ServedRun): void {
    const { blobs, connections, relay, operator } = this.#options;
    const host = () => {
      const { links, bytes } = relay();
      const watchers = [...this.#apiByRun.values()].reduce((sum, api) => sum + api.watchers, 0);
      return {
        ...this.#health.look(),
        connections: connections(),
        watchers,
        relayLinks: links,
        relayBytes: bytes,
        ...(operator === undefined ? {} : { relayed: operator.relayed() }),
      };
    };
    this.#apiByRun.set(run, new RunApi(run, blobs, host));
    const unnamed = new UnnamedUploads(run, blobs);
    this.#unnamedByRun.set(run, unnamed);
    this.#blobs.added(run, unnamed.keep);
    this.#options.measures?.follow(run);
  }

  /** It is no longer: who follows its events is let go. */
  removed(run: ServedRun): void {
    this.#apiByRun.get(run)?.close();
    this.#apiByRun.delete(run);
    this.#unnamedByRun.get(run)?.close();
    this.#unnamedByRun.delete(run);
    this.#blobs.removed(run);
    this.#options.measures?.unfollow(run);
  }

  /** @returns false when the path is none of the API's. @throws ApiError */
  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
    const path = url.pathname;
    const { admin, runs, network } = this.#options;
    const reads = (answer: () => void | Promise<void>) => this.#get(request, answer);
    if (path === "/healthz") return reads(() => answerJson(response, 200, { ok: true }));
    if (path === "/readyz")
      return reads(() => {
        const why = this.#notReady().join("; ");
        answerJson(response, why === "" ? 200 : 503, why === "" ? { ok: true } : { ok: false, why });
      });
    if (path === "/metrics")
      return reads(() => answerText(response, "text/plain; version=0.0.4", metricsText(this.#measured())));
    const badge = /^\/badge\/([^/]+)\.svg$/.exec(path)?.[1];
    if (badge !== undefined) return reads(() => this.#apiOf(badge).badge(response));
    if (!path.startsWith("/api/")) return false;
    const [, , noun, id, ...rest] = path.split("/");
    if (noun === "runs" && (id === undefined || id === ""))
      return reads(() =>
        answerJson(
          response,
          200,
          runs.list().map((run) => run.summary()),
        ),
      );
    if (noun === "runs")
      return reads(() => this.#apiOf(id).answer(request, response, rest.join("/"), url.searchParams));
    if (path === "/api/network") return reads(() => answerJson(response, 200, network(request)));
    if (noun === "blobs" && id !== undefined) {
      await this.#blobs.answer(request, response, [id, ...rest].join("/"));
      return true;
    }
    if (noun === "admin" && admin !== undefined) {
      await admin.answer(request, response, path.slice("/api/admin/".length));
      return true;
    }
    throw notFound(`There is no ${path}. The API is described in the README.`);
  }

  async #get(request: IncomingMessage, answer: () => void | Promise<void>): Promise<true> {
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new ApiError(405, "method", `${request.method} is not possible here; GET is.`);
    await answer();
    return true;
  }

  #notReady(): string[] {
    const { diskFreeBytes } = this.#health.look();
    const { operator, runs } = this.#options;
    const full = diskFreeBytes !== null && diskFreeBytes < FREE_BYTES_MIN;
    return [
      ...(operator?.notReady() ?? []),
      ...(full ? ["the data directory's disk is full: updates are refused"] : []),
      ...runs
        .list()
        .flatMap(({ id, notReady }) => (notReady === undefined ? [] : [`run ${id.slice(0, 12)}: ${notReady}`])),
    ];
  }

  #measured(): Measured {
    const { runs, connections, relay, measures = new Measures(), operator } = this.#options;
    return {
      ...{ runs: runs.list(), relay: relay(), measures, health: this.#health.look() },
      connections: connections(),
      watchers: [...this.#apiByRun.values()].reduce((sum, api) => sum + api.watchers, 0),
      bans: operator?.bans() ?? [],
      relayed: operator?.relayed(),
      isReady: this.#notReady().length === 0,
    };
  }

  #apiOf(id: string): RunApi {
    const { runs } = this.#options;
    const run = runs.find(id);
    const api = run && this.#apiByRun.get(run);
    if (api !== undefined) return api;
    const ids = runs.list().map((one) => one.id);
    throw notFound(
      ids.length === 0 ? "This host serves no run now." : `This host serves run ${ids.join(", ")}, not ${id}.`,
    );
  }

  close(): void {
    for (const run of [...this.#apiByRun.keys()]) this.removed(run);
    this.#health.close();
  }
}
