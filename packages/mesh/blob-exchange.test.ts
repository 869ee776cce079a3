import { expect, test } from "vitest";
import { blobName, encodePieceList, PIECE_BYTES } from "#wire";
import { BlobExchange, FetchCancelled, type HostBlobs } from "./blob-exchange.ts";

const blob = new Uint8Array(3 * PIECE_BYTES + 5).map((_, i) => i % 253);
const name = blobName(blob);
const same = (bytes: Uint8Array): boolean => Buffer.compare(bytes, blob) === 0;
const slice = (piece: number) => blob.slice(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);

const hostWithBlob: HostBlobs = {
  pieceList: async () => encodePieceList(blob),
  pieces: async ({ first, pieces }, onPiece) => {
    for (let piece = first; piece < first + pieces; piece++) onPiece(piece, slice(piece));
  },
};

/** A peer without links. */
function alone(host: HostBlobs) {
  const failed: string[] = [];
  const exchange = new BlobExchange({
    host,
    port: { send: () => {}, close: () => {} },
    has: async () => false,
    read: async () => undefined,
    now: () => performance.now(),
    seed: 1,
    onFailed: (_name, reason) => failed.push(reason),
  });
  return { exchange, failed };
}

test("[R40] without a link the host gives it all, and two who want it wait for one", async () => {
  const { exchange } = alone(hostWithBlob);
  const first = exchange.fetch(name, blob.length);
  expect(exchange.fetch(name, blob.length)).toBe(first);
  expect(same(await first)).toBe(true);
});

test("[R40] a host that breaks off is asked again, from the first piece that is missing", async () => {
  const asked: number[][] = [];
  const { exchange, failed } = alone({
    ...hostWithBlob,
    pieces: async ({ first, pieces }, onPiece) => {
      asked.push([first, pieces]);
      onPiece(first, slice(first));
      if (asked.length === 1) throw new Error("the line broke");
      for (let piece = first + 1; piece < first + pieces; piece++) onPiece(piece, slice(piece));
    },
  });
  expect(same(await exchange.fetch(name, blob.length))).toBe(true);
  expect(failed).toEqual(["the line broke"]);
  expect(asked[0]).toEqual([0, 4]);
  expect(asked.slice(1).every(([first]) => first > 0)).toBe(true);
});

test("who gives up is told apart from who fails, and its request to the host ends", async () => {
  let aborted = false;
  const { exchange } = alone({
    ...hostWithBlob,
    pieceList: (_name, _bytes, signal) =>
      new Promise((_, reject) => {
        signal.onabort = () => {
          aborted = true;
          reject(new Error("aborted"));
        };
      }),
  });
  const fetching = exchange.fetch(name, blob.length);
  exchange.cancel(name);
  await expect(fetching).rejects.toBeInstanceOf(FetchCancelled);
  expect(aborted).toBe(true);
  const other = exchange.fetch("ab".repeat(32), 10);
  exchange.close();
  await expect(other).rejects.toBeInstanceOf(FetchCancelled);
  await expect(exchange.fetch(name, blob.length)).rejects.toBeInstanceOf(FetchCancelled);
});
