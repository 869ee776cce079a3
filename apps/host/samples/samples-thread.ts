// Continuing prompts beside everything else: a thread for each checkpoint, which takes its model's memory with it when it ends.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { RunSpec } from "#wire";
import type { SamplePort } from "./run-samples.ts";
import type { SampledCheckpoint } from "./write-samples.ts";

export interface SamplesThreadData {
  readonly spec: RunSpec;
  /** The data directory: the thread reads blobs itself. */
  readonly data: string;
  readonly checkpoint: SampledCheckpoint;
}

export class SamplesThread implements SamplePort {
  readonly #script: URL;
  readonly #given: Omit<SamplesThreadData, "checkpoint">;
  #worker: Worker | undefined;

  /** @param script the built samples-worker: Node runs no TypeScript */
  constructor(script: URL, spec: RunSpec, data: string) {
    this.#script = script;
    this.#given = { spec, data };
  }

  async write({ round, blobs }: SampledCheckpoint): Promise<string[]> {
    const workerData: SamplesThreadData = { ...this.#given, checkpoint: { round, blobs } };
    const worker = new Worker(this.#script, { workerData });
    this.#worker = worker;
    const ended = once(worker, "exit").then(() => {
      throw new Error("its thread has ended");
    });
    const [texts] = await Promise.race([once(worker, "message"), ended]); // both reject with what the thread throws
    return texts as string[];
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }
}
