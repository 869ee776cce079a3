// The thread's side of samples-thread.ts: one checkpoint's texts, then it ends.
import { parentPort, workerData } from "node:worker_threads";
import { DiskBlobStore } from "#store/disk";
import type { SamplesThreadData } from "./samples-thread.ts";
import { writeSamples } from "./write-samples.ts";

const { spec, data, checkpoint } = workerData as SamplesThreadData;
parentPort!.postMessage(await writeSamples(spec, await DiskBlobStore.open(data), checkpoint));
