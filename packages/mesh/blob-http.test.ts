import { expect, test } from "vitest";
import { blobName, encodePieceList, PIECE_BYTES } from "#wire";
import { downloadPieceList, downloadPieces, uploadBlob } from "./blob-http.ts";

const blob = new Uint8Array(100_000).fill(3);
const name = blobName(blob);

/** A host that answers every request with the same response. */
function hostThat(answer: () => Response | Promise<Response>) {
  const requests: { url: string; init: RequestInit | undefined }[] = [];
  const fetch = async (url: string | URL | Request, init?: RequestInit) => {
    requests.push({ url: String(url), init });
    return answer();
  };
  return { base: "http://host", fetch: fetch as typeof globalThis.fetch, requests };
}

const bytes = 2 * PIECE_BYTES + 1_000;
const content = new Uint8Array(bytes).map((_, i) => i % 251);
const slice = (first: number, end: number) => content.slice(first * PIECE_BYTES, end * PIECE_BYTES);
/** In parts that end anywhere. */
const stream = (whole: Uint8Array) =>
  new ReadableStream({
    start(controller) {
      for (let at = 0; at < whole.length; at += 100_000) controller.enqueue(whole.slice(at, at + 100_000));
      controller.close();
    },
  });

test("[R40] pieces come one by one as soon as each is whole; a whole blob without a range, a part with one", async () => {
  for (const [first, pieces, range] of [
    [0, 3, undefined],
    [1, 1, `bytes=${PIECE_BYTES}-${2 * PIECE_BYTES - 1}`],
    [2, 1, `bytes=${2 * PIECE_BYTES}-${bytes - 1}`],
  ] as const) {
    const host = hostThat(() => new Response(stream(slice(first, first + pieces)), { status: range ? 206 : 200 }));
    const got: [number, boolean][] = [];
    let progress = 0;
    await downloadPieces(
      host,
      { name, bytes, first, pieces },
      (piece, part) => got.push([piece, Buffer.compare(part, slice(piece, piece + 1)) === 0]),
      (more) => {
        progress += more;
      },
    );
    expect(got).toEqual(Array.from({ length: pieces }, (_, i) => [first + i, true]));
    expect(progress).toBe(slice(first, first + pieces).length);
    expect(host.requests[0].url).toBe(`http://host/api/blobs/${name}`);
    expect(new Headers(host.requests[0].init?.headers).get("range")).toBe(range ?? null);
  }
});

test.each([
  ["too few", () => new Response(content.subarray(1)), `${bytes - 1} of ${bytes} bytes`],
  ["too many", () => new Response(new Uint8Array(bytes + 1)), `longer than the ${bytes} bytes`],
  ["a part of it", () => new Response(content, { status: 206 }), "another one"],
  ["an error", () => new Response('{"error":{"code":"not-found","message":"no such blob"}}', { status: 404 }), "404"],
  ["nobody", () => Promise.reject(new TypeError("fetch failed")), "cannot be reached"],
])("a download of %s rejects", async (_name, answer, message) => {
  const run = { name, bytes, first: 0, pieces: 3 };
  await expect(downloadPieces(hostThat(answer), run, () => {})).rejects.toMatchObject({
    name: "BlobHttpError",
    message: expect.stringContaining(message),
  });
});

test("a piece list is no longer than the blob's can be", async () => {
  const list = encodePieceList(content);
  const host = hostThat(() => new Response(list.slice()));
  expect(await downloadPieceList(host, name, bytes)).toEqual(list);
  expect(host.requests[0].url).toBe(`http://host/api/blobs/${name}/pieces`);
  const long = hostThat(() => new Response(new Uint8Array(list.length + 1)));
  await expect(downloadPieceList(long, name, bytes)).rejects.toThrow("longer than");
});

test("an upload carries the session and tells the host's refusal", async () => {
  const host = hostThat(() => new Response(null, { status: 204 }));
  await uploadBlob(host, name, blob, "token");
  expect(host.requests[0].init).toMatchObject({ method: "PUT", headers: { authorization: "Bearer token" } });
  const full = hostThat(() => new Response("disk full", { status: 507 }));
  await expect(uploadBlob(full, name, blob, "token")).rejects.toMatchObject({ status: 507 });
});
