import { expect, test } from "vitest";
import { BatchPort, QUEUED_BYTES_MAX, type RawPort, type ToWindow, type ToWorker } from "./port.ts";

/** Two ends of a channel whose deliveries the test decides. */
function fakeChannel() {
  const posted: { to: "window" | "worker"; message: unknown; transfer: Transferable[] }[] = [];
  const end = (to: "window" | "worker"): RawPort => ({
    onmessage: null,
    postMessage: (message, transfer) => posted.push({ to, message, transfer }),
  });
  const ends = { worker: end("window"), window: end("worker") };
  const deliver = () => {
    const next = posted.shift();
    if (next) ends[next.to].onmessage?.({ data: next.message } as MessageEvent);
    return next !== undefined;
  };
  return { ends, posted, deliver };
}

const frame = (byte: number): ToWindow => ({ type: "frame", peer: "a", bytes: Uint8Array.of(byte) });
const microtasks = () => new Promise<void>((resolve) => queueMicrotask(resolve));

test("a burst crosses as few batches, in order, with its buffers transferred", async () => {
  const { ends, posted, deliver } = fakeChannel();
  const got: number[] = [];
  new BatchPort<ToWorker, ToWindow>(ends.window, (message) => {
    if (message.type === "frame") got.push(message.bytes[0]);
  });
  const worker = new BatchPort<ToWindow, ToWorker>(ends.worker, () => {});
  const batches: number[] = [];
  for (let burst = 0; burst < 4; burst++) {
    for (let i = 0; i < 5; i++) worker.post(frame(5 * burst + i));
    await microtasks();
  }
  expect(posted.map(({ transfer }) => transfer.length)).toEqual([5, 5]); // two on the way, the rest waits
  while (posted.length > 0) {
    if (Array.isArray(posted[0].message)) batches.push(posted[0].message.length);
    deliver();
    await microtasks();
  }
  expect(got).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(batches).toEqual([5, 5, 10]);
});

test("a side that takes nothing does not fill our memory", async () => {
  const { ends } = fakeChannel();
  const worker = new BatchPort<ToWindow, ToWorker>(ends.worker, () => {});
  const big = new Uint8Array(QUEUED_BYTES_MAX / 2);
  const took: boolean[] = [];
  for (let i = 0; i < 6; i++) {
    took.push(worker.post({ type: "frame", peer: "a", bytes: big }));
    await microtasks();
  }
  expect(took).toEqual([true, true, true, true, false, false]); // two sent, two queued
});
