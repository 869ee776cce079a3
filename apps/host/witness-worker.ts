// The thread's side of witness-thread.ts: one request, one answer, in order.
import { parentPort, workerData } from "node:worker_threads";
import type { StorageError } from "#store";
import { DiskBlobStore } from "#store/disk";
import { Witness } from "./witness.ts";
import type { WitnessAnswer, WitnessRequest, WitnessThreadData } from "./witness-thread.ts";

const { spec, data } = workerData as WitnessThreadData;
const port = parentPort!;
const witness = DiskBlobStore.open(data).then((blobs) => new Witness(spec, blobs));
let tail: Promise<void> = Promise.resolve();

port.on("message", (request: WitnessRequest) => {
  tail = tail.then(async () => {
    let answer: WitnessAnswer;
    try {
      answer = { id: request.id, value: await run(request) };
    } catch (error) {
      const { name, message } = error as Error;
      const { fault } = error as Partial<StorageError>;
      answer = { id: request.id, error: { name, message, ...(fault === undefined ? {} : { fault }) } };
    }
    port.postMessage(answer);
  });
});

async function run(request: WitnessRequest): Promise<unknown> {
  const own = await witness;
  switch (request.type) {
    case "start":
      return own.start(request.log);
    case "fold":
      return own.fold(request.commit, request.opened);
    case "checkpoint":
      return own.checkpoint(request.round);
    case "anchor":
      return own.anchor();
  }
}
