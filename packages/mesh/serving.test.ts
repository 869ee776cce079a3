import { expect, test } from "vitest";
import { blobName, type Frame } from "#wire";
import { SERVE_TIMEOUT_MS, Serving } from "./serving.ts";

test("a request whose blob is still being read outlives the timeout of another one", async () => {
  let now = 0;
  const sent: Frame[] = [];
  const blobs = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)];
  let finishReading: (bytes: Uint8Array) => void = () => {};
  const slow = new Promise<Uint8Array>((resolve) => {
    finishReading = resolve;
  });
  const serving = new Serving({
    read: async (name) => (name === blobName(blobs[0]) ? blobs[0] : slow),
    send: (_, frame) => sent.push(frame),
    now: () => now,
  });
  serving.linkUp("a");
  const want = (request: number, blob: Uint8Array) =>
    serving.want("a", {
      type: "want",
      request,
      pieceList: false,
      name: blobName(blob),
      offset: 0,
      bytes: blob.length,
    });
  await want(1, blobs[0]); // never acknowledged
  const second = want(2, blobs[1]);
  now = SERVE_TIMEOUT_MS;
  serving.tick();
  finishReading(blobs[1]);
  await second;
  expect(sent).toMatchObject([
    { type: "chunk", request: 1 },
    { type: "chunk", request: 2, payload: blobs[1] },
  ]);
});
