import { expect, test } from "vitest";
import { blobName } from "#wire";
import { downloadBlob, uploadBlob } from "./blob-http.ts";

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

test("a download is checked against its name and reports progress", async () => {
  let progress = 0;
  const host = hostThat(() => new Response(blob));
  const bytes = await downloadBlob(host, name, blob.length, (more) => {
    progress += more;
  });
  expect(blobName(bytes)).toBe(name);
  expect(progress).toBe(blob.length);
  expect(host.requests[0].url).toBe(`http://host/api/blobs/${name}`);
});

test.each([
  ["other bytes", () => new Response(new Uint8Array(100_000)), "not the ones of that name"],
  ["too few", () => new Response(blob.subarray(1)), "99999 bytes"],
  ["too many", () => new Response(new Uint8Array(100_001)), "longer than the 100000 bytes"],
  ["an error", () => new Response('{"error":{"code":"not-found","message":"no such blob"}}', { status: 404 }), "404"],
  ["nobody", () => Promise.reject(new TypeError("fetch failed")), "cannot be reached"],
])("a download of %s rejects", async (_name, answer, message) => {
  await expect(downloadBlob(hostThat(answer), name, blob.length)).rejects.toMatchObject({
    name: "BlobHttpError",
    message: expect.stringContaining(message),
  });
});

test("an upload carries the session and tells the host's refusal", async () => {
  const host = hostThat(() => new Response(null, { status: 204 }));
  await uploadBlob(host, name, blob, "token");
  expect(host.requests[0].init).toMatchObject({ method: "PUT", headers: { authorization: "Bearer token" } });
  const full = hostThat(() => new Response("disk full", { status: 507 }));
  await expect(uploadBlob(full, name, blob, "token")).rejects.toMatchObject({ status: 507 });
});
