import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StartedHost } from "./host.ts";
import { freshFolder, startTestHost, writeRun } from "./test-given.ts";

let host: StartedHost;
let page: string;
const SCRIPT = "console.log('a script')";
beforeAll(async () => {
  page = await mkdtemp(join(tmpdir(), "gossamer-page-"));
  await mkdir(join(page, "assets"));
  await writeFile(join(page, "index.html"), "<!doctype html><title>page</title>");
  await writeFile(join(page, "assets", "a-1.js"), SCRIPT);
  await writeFile(join(page, "assets", "a-1.js.gz"), gzipSync(SCRIPT));
  await writeFile(join(page, "assets", "a-1.js.br"), brotliCompressSync(SCRIPT));
  await writeFile(join(page, "..", "secret.txt"), "secret");
  const data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data), page });
});
afterAll(() => host.close());

/** As it goes over the line: not unpacked, and with paths that no client would send. */
const raw = (path: string, headers: Record<string, string> = {}) =>
  new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: Buffer }>((resolve, reject) => {
    request(`${host.url}/`, { path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on("error", reject)
      .end();
  });

test.each([
  ["br, gzip", "br", brotliCompressSync(SCRIPT)],
  ["gzip", "gzip", gzipSync(SCRIPT)],
  ["br;q=0, gzip;q=0", undefined, Buffer.from(SCRIPT)],
] as const)("who takes %s gets %s", async (accepted, encoding, body) => {
  const answer = await raw("/assets/a-1.js", { "accept-encoding": accepted });
  expect(answer).toMatchObject({ status: 200, body });
  expect(answer.headers).toMatchObject({
    "content-type": "text/javascript; charset=utf-8",
    "cache-control": "public, max-age=31536000, immutable",
    vary: "Accept-Encoding",
  });
  expect(answer.headers["content-encoding"]).toBe(encoding);
});

test("what is served under a fixed name is asked for again, and is not sent twice", async () => {
  const { headers, status } = await raw("/?run=default");
  expect(status).toBe(200);
  expect(headers["cache-control"]).toBe("no-cache");
  expect((await raw("/", { "if-none-match": String(headers.etag) })).status).toBe(304);
});

test("no path leads out of the page's folder, and what is no file is not there", async () => {
  for (const path of [
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/assets",
    "/.env",
    "/a.js",
  ])
    expect((await raw(path)).status, path).toBe(404);
});

test("a build that is replaced or removed under the host costs an answer, not the host", async () => {
  await rm(join(page, "assets", "a-1.js.br"));
  expect((await raw("/assets/a-1.js", { "accept-encoding": "br" })).body.toString()).toBe(SCRIPT);
  await rm(page, { recursive: true });
  expect((await raw("/assets/a-1.js")).status).toBe(404);
  expect((await raw("/")).status).toBe(404);
  expect((await raw("/healthz")).status).toBe(200);
});
