// One size of `sim scale` in a thread of its own: with room for ten thousand peers, and a collector that can be called.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort } from "node:worker_threads";
import { type ScaleOptions, scale } from "#sim";

export interface ScaleRequest extends Pick<ScaleOptions, "rounds" | "maxContributors"> {
  readonly peers: number;
}

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");
const heapBytes = (): number => {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const port = parentPort!;
port.once("message", ({ peers, ...options }: ScaleRequest) => {
  port.postMessage(scale(peers, { ...options, heapBytes }));
});
