// The HTTP API on each host of a cluster: blobs and what concerns this process are answered here, documents of the run by its leader.
import type { IncomingMessage, ServerResponse } from "node:http";
import { codecOf, updateBytesMax } from "#outer";
import { StorageError } from "#store";
import type { CachedBlobs } from "#store/nats";
import { type NetworkOffer, type PeerId, type RunSpec, runIdOf, specBlobs } from "#wire";
import { ApiError, answerJson, answerText } from "../answer.ts";
import { BlobApi, type BlobRun } from "../blob-api.ts";
import { HostHealth } from "../host-health.ts";
import { Measures } from "../measures.ts";
import { metricsText } from "../metrics.ts";
import type { BlobKind, HostedRun } from "../run.ts";
import { RunApi } from "../run-api.ts";
import { oneRun } from "../served-runs.ts";
import { passOn, wasPassed } from "./pass-on.ts";
import type { LeaderCard } from "./words.ts";

const noRelay = { links: 0, bytes: 0 };

export interface ClusterApiOptions {
  readonly spec: RunSpec;
  readonly blobs: CachedBlobs;
  readonly peerOfToken: (token: string) => Promise<PeerId | undefined>;
  readonly stored: (peer: PeerId, hash: string, bytes: number, isNew: boolean) => Promise<void>;
  /** Another host that orders the run. */
  readonly leader: () => LeaderCard | undefined;
  /** Why this host cannot serve now, or undefined. */
  readonly fault: () => string | undefined;
  readonly connections: () => number;
  readonly network: (request: IncomingMessage) => NetworkOffer;
  readonly originIsAllowed: (request: IncomingMessage) => boolean;
  readonly report: (line: string) => void;
}

export class ClusterApi {
  readonly #options: ClusterApiOptions;
  readonly #blobs: BlobApi;
  readonly #health: HostHealth;
  readonly #measures = new Measures(); // of what this host orders
  readonly #bytesServed: Record<BlobKind, number> = { update: 0, checkpoint: 0, shard: 0, other: 0 };
  #led: { readonly run: HostedRun; readonly api: RunApi } | undefined;

  constructor(options: ClusterApiOptions) {
    this.#options = options;
    const { spec, blobs, peerOfToken, originIsAllowed, report, stored } = options;
    const run = this.#blobRun(runIdOf(spec));
    this.#blobs = new BlobApi({
      ...{ runs: oneRun(run), blobs, originIsAllowed, report },
      async peerOfToken(token) {
        const peer = await peerOfToken(token);
        return peer === undefined ? undefined : { run: run.id, peer };
      },
    });
    this.#blobs.added(run, async (peer, hash, bytes, isNew) => {
      // It lies on this disk; whether all have it is what counts. [R10]
      if (!(await blobs.share(hash)))
        throw new ApiError(503, "again", "That upload has just been deleted. Send it again.");
      await stored(peer, hash, bytes, isNew).catch((error: Error) => {
        throw new ApiError(503, "no-leader", `The run's log cannot take it now: ${error.message}. Try again.`, 2);
      });
    });
    this.#health = new HostHealth(() => blobs.freeBytes());
  }

  /** What the blobs' part asks of the run, wherever it is ordered. */
  #blobRun(id: string): BlobRun {
    const { spec } = this.#options;
    const shards = new Set(specBlobs(spec).map(({ hash }) => hash));
    const led = (): HostedRun | undefined => this.#led?.run;
    return {
      ...{ id, spec, bytesServed: this.#bytesServed, uploadBytesMax: updateBytesMax(codecOf(spec)) },
      kindOf: (hash) => (shards.has(hash) ? "shard" : (led()?.kindOf(hash) ?? "other")),
      anchors: {
        newest: async () => led()?.anchors.newest(),
        bytes: (hash) => led()?.anchors.bytes(hash),
      },
    };
  }

  /** This host orders the run from now on, or does no longer. */
  leads(run: HostedRun | undefined): void {
    this.#led?.api.close();
    if (this.#led !== undefined) this.#measures.unfollow(this.#led.run);
    const { blobs, connections } = this.#options;
    const host = (api: () => RunApi) => () => ({
      ...{ ...this.#health.look(), connections: connections(), watchers: api().watchers },
      ...{ relayLinks: 0, relayBytes: 0 },
    });
    if (run === undefined) {
      this.#led = undefined;
      return;
    }
    const api: RunApi = new RunApi(
      run,
      blobs,
      host(() => api),
    );
    this.#led = { run, api };
    this.#measures.follow(run);
  }

  /** @returns false when the path is none of the API's. @throws ApiError */
  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean> {
    const path = url.pathname;
    const [, first, noun, ...rest] = path.split("/");
    if (first === "api" && noun === "blobs") {
      await this.#blob(request, response, url, rest.join("/"));
      return true;
    }
    if (!["/healthz", "/readyz", "/metrics"].includes(path) && first !== "api" && first !== "badge") return false;
    if (noun === "admin")
      throw new ApiError(
        409,
        "cluster",
        "Hosts of a cluster serve the run that they were started with, and take no orders here.",
      );
    if (request.method !== "GET" && request.method !== "HEAD")
      throw new ApiError(405, "method", `${request.method} is not possible here; GET is.`);
    await this.#answer(request, response, url);
    return true;
  }

  async #answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { spec, connections, network, fault, leader } = this.#options;
    const path = url.pathname;
    const run = this.#led?.run;
    if (path === "/healthz") return answerJson(response, 200, { ok: true });
    if (path === "/readyz") {
      const why = fault();
      return answerJson(response, why === undefined ? 200 : 503, why === undefined ? { ok: true } : { ok: false, why });
    }
    if (path === "/metrics")
      return answerText(
        response,
        "text/plain; version=0.0.4",
        metricsText({
          ...{ runs: run ? [run] : [], relay: noRelay, measures: this.#measures, health: this.#health.look() },
          ...{ connections: connections(), watchers: this.#led?.api.watchers ?? 0, bans: [], relayed: undefined },
          isReady: fault() === undefined,
        }),
      );
    if (path === "/api/network") return answerJson(response, 200, network(request));
    if (this.#led === undefined) return passOn(request, response, url, leader());
    const [, , noun, id, ...rest] = path.split("/");
    if (path === "/api/runs" || path === "/api/runs/") return answerJson(response, 200, [this.#led.run.summary()]);
    const named = /^\/badge\/([^/]+)\.svg$/.exec(path)?.[1] ?? (noun === "runs" ? id : undefined);
    if (named === undefined)
      throw new ApiError(404, "not-found", `There is no ${path}. The API is described in the README.`);
    if (named !== "default" && named !== runIdOf(spec))
      throw new ApiError(404, "not-found", `This cluster serves ${runIdOf(spec)}, not ${named}.`);
    if (noun !== "runs") return this.#led.api.badge(response);
    return this.#led.api.answer(request, response, rest.join("/"), url.searchParams);
  }

  /** The anchor of now lies in the leader's memory alone. */
  async #blob(request: IncomingMessage, response: ServerResponse, url: URL, rest: string): Promise<void> {
    try {
      await this.#blobs.answer(request, response, rest);
    } catch (error) {
      if (error instanceof StorageError && error.fault !== "full")
        throw new ApiError(503, "store", `The cluster's store does not answer now: ${error.message}. Try again.`, 2);
      const elsewhere = this.#options.leader();
      const missing = error instanceof ApiError && error.status === 404 && /^[0-9a-f]{64}$/.test(rest);
      if (!missing || this.#led !== undefined || elsewhere === undefined || wasPassed(request)) throw error;
      await passOn(request, response, url, elsewhere);
    }
  }

  close(): void {
    this.leads(undefined);
    this.#health.close();
  }
}
