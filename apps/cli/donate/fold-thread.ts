// The fold thread of a headless donor: the same as a page's second worker, in Node's threads.
import { Worker } from "node:worker_threads";
import { type Remote, wrap } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import type { RunSpec } from "#wire";
import type { FoldApi } from "../../web/worker/fold-api.ts";
import type { FoldThread } from "../../web/worker/fold-thread.ts";

/** The built worker lies beside the built main (vite.config.ts). */
const SCRIPT = "./fold-worker.js";

export class NodeFoldThread implements FoldThread {
  readonly #worker: Worker;
  readonly #api: Remote<FoldApi>;

  /** @param onFailed the thread itself could not load or run */
  constructor(onFailed: (reason: string) => void) {
    this.#worker = new Worker(new URL(SCRIPT, import.meta.url));
    this.#worker.on("error", (error) => onFailed(String(error)));
    this.#api = wrap<FoldApi>(nodeEndpoint(this.#worker));
  }

  begin(spec: RunSpec): Remote<FoldApi> {
    void this.#api.begin(spec);
    return this.#api;
  }

  end(): void {
    void this.#worker.terminate();
  }
}
