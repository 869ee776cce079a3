// The second worker of a donating page, as the peer worker holds it: started with the first run, kept for the next.

import { type Remote, wrap } from "comlink";
import type { RunSpec } from "#wire";
import type { FoldApi } from "./fold-api.ts";

/** A thread beside the peer's own that decodes, folds and encodes. */
export interface FoldThread {
  /** Calls are answered in order, so nobody needs to wait for this one. */
  begin(spec: RunSpec): Remote<FoldApi>;
  end(): void;
}

export class WebFoldThread implements FoldThread {
  readonly #worker: Worker;
  readonly #api: Remote<FoldApi>;

  /** @param onFailed the worker itself could not load or run */
  constructor(onFailed: (reason: string) => void) {
    this.#worker = new Worker(new URL("./fold-worker.ts", import.meta.url), { type: "module", name: "gossamer-fold" });
    this.#worker.onerror = (event) => onFailed(event.message || "the fold worker did not load");
    this.#api = wrap<FoldApi>(this.#worker);
  }

  begin(spec: RunSpec): Remote<FoldApi> {
    void this.#api.begin(spec);
    return this.#api;
  }

  end(): void {
    this.#worker.terminate();
  }
}
