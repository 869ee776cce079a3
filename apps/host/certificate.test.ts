import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { expect, test } from "vitest";
import { certificateFor, loadCertificate } from "./certificate.ts";
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
  expect(await healthOf(host.url, cert)).toBe('{"ok":true}');
  await host.close();
});

const healthOf = (url: string, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get(`${url}/healthz`, { ca, agent: false }, (response) => {
      response.setEncoding("utf8").on("data", resolve);
    }).on("error", reject);
  });

test("the operator's own certificate is used, and one that was renewed is from then on", async () => {
  const data = await freshFolder();
  const [first, second] = [await certificateFor(join(data, "1")), await certificateFor(join(data, "2"))];
  const paths = [join(data, "cert.pem"), join(data, "key.pem")] as const;
  const lay = async ({ cert, key }: typeof first): Promise<void> => {
    await writeFile(paths[0], cert);
    await writeFile(paths[1], key);
  };
  await lay(first);
  const host = await startTestHost({ data, run: await writeRun(data), certificate: await loadCertificate(...paths) });
  expect(host.url).toMatch(/^https:/);
  expect(await healthOf(host.url, first.cert)).toBe('{"ok":true}');
  await lay(second);
  host.renewCertificate(await loadCertificate(...paths));
  expect(await healthOf(host.url, second.cert)).toBe('{"ok":true}');
  await expect(healthOf(host.url, first.cert)).rejects.toThrow(/self-signed certificate/i);
  await host.close();
});

test("a key of another certificate, or no PEM, is told with what to take", async () => {
  const data = await freshFolder();
  const [one, other] = [await certificateFor(join(data, "1")), await certificateFor(join(data, "2"))];
  const [cert, key] = [join(data, "cert.pem"), join(data, "key.pem")];
  await writeFile(cert, one.cert);
  await expect(loadCertificate(cert, key)).rejects.toThrow(/--tls-key cannot be read/);
  await writeFile(key, other.key);
  await expect(loadCertificate(cert, key)).rejects.toThrow(/no certificate and its key in PEM.*fullchain\.pem/);
  await writeFile(key, "nothing");
  await expect(loadCertificate(cert, key)).rejects.toThrow(/in PEM/);
});
