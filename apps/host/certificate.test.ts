import { X509Certificate } from "node:crypto";
import { get } from "node:https";
import { expect, test } from "vitest";
import { certificateFor } from "./certificate.ts";
import { freshFolder, startTestHost, writeRun } from "./test-given.ts";

test("names every address, is kept, and is made again when an address is new", async () => {
  const data = await freshFolder();
  const first = await certificateFor(data, ["localhost", "192.0.2.7"]);
  const parsed = new X509Certificate(first.cert);
  expect(parsed.checkIP("192.0.2.7")).toBeDefined();
  expect(parsed.checkHost("localhost")).toBeDefined();
  expect(await certificateFor(data, ["localhost", "192.0.2.7"])).toEqual(first);
  const second = await certificateFor(data, ["localhost", "192.0.2.8"]);
  expect(second.cert).not.toBe(first.cert);
});

test("a shared host answers over HTTPS with it", async () => {
  const data = await freshFolder();
  const host = await startTestHost({ data, run: await writeRun(data), share: true });
  const { cert } = await certificateFor(data);
  const body = await new Promise<string>((resolve, reject) => {
    get(`${host.url}/healthz`, { ca: cert, agent: false }, (response) => {
      response.setEncoding("utf8").on("data", resolve);
    }).on("error", reject);
  });
  expect(body).toBe('{"ok":true}');
  await host.close();
});
