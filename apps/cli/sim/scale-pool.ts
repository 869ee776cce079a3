// A worker for each size, one after the other.
import { Worker } from "node:worker_threads";
import type { Scale } from "#sim";
import type { ScaleRequest } from "./scale-worker.ts";

/** Ten thousand peers need some gigabytes; young objects are most of what a round makes, and die at once. */
const LIMITS = { maxOldGenerationSizeMb: 20_000, maxYoungGenerationSizeMb: 128 };

export async function scaleOf(request: ScaleRequest): Promise<Scale> {
  const worker = new Worker(new URL("./scale-worker.js", import.meta.url), { resourceLimits: LIMITS });
  try {
    return await new Promise((resolve, reject) => {
      worker.on("error", reject);
      worker.on("message", resolve);
      worker.postMessage(request);
    });
  } finally {
    await worker.terminate();
  }
}
