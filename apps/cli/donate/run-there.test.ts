import { expect, test } from "vitest";
import * as fixtures from "../../web/views/fixtures.ts";
import { RemoteError } from "../remote.ts";
import { findRun } from "./run-there.ts";

const detail = fixtures.page().watcher.run;
const answers =
  (documentByPath: Readonly<Record<string, readonly [status: number, document: unknown]>>): typeof fetch =>
  async (address) => {
    const { pathname } = new URL(String(address));
    const [status, document] = documentByPath[pathname] ?? [404, "<!doctype html><title>Something else</title>"];
    return new Response(typeof document === "string" ? document : JSON.stringify(document), { status });
  };
const failing =
  (cause: object): typeof fetch =>
  () =>
    Promise.reject(Object.assign(new TypeError("fetch failed"), { cause }));
const fault = async (...given: Parameters<typeof findRun>): Promise<string> => {
  const error = await findRun(...given).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RemoteError);
  return (error as Error).message;
};

test("an address as people have it leads to the run: without a scheme, of the watch page, with a run's name", async () => {
  const ask = answers({ "/api/runs/default": [200, detail], "/api/runs/abc": [200, { ...detail, name: "other" }] });
  expect((await findRun("example.org:7070", ask)).base).toBe("http://example.org:7070");
  expect((await findRun("https://example.org/watch?kiosk", ask)).detail.name).toBe(detail?.name);
  expect((await findRun("http://example.org/?run=abc", ask)).detail.name).toBe("other");
});

test("what is no address, or nobody's, says so", async () => {
  expect(await fault("http://")).toContain("is no address");
  expect(await fault("ftp://example.org")).toContain("begins with http://");
  expect(await fault("example.org", failing({ code: "ECONNREFUSED" }))).toContain("Is the host running");
  expect(await fault("example.org", failing({ code: "ENOTFOUND" }))).toContain("no machine named example.org");
  expect(await fault("https://example.org", failing({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" }))).toContain(
    "NODE_EXTRA_CA_CERTS",
  );
  expect(await fault("example.org", failing({ message: "reset" }))).toContain("cannot be reached: reset");
});

test("another server, another run, another version: each is named", async () => {
  const error = (code: string) => ({ error: { code, message: "Not now." } });
  expect(await fault("example.org", answers({}))).toContain("is no Gossamer host");
  const runs = { "/api/runs": [200, [{ id: "f00", name: "nano" }]] } as const;
  expect(await fault("example.org/?run=x", answers({ ...runs, "/api/runs/x": [404, error("run-unknown")] }))).toContain(
    "It has: nano (http://example.org/?run=f00)",
  );
  expect(await fault("example.org", answers({ "/api/runs/default": [503, error("busy")] }))).toContain("Not now.");
  const newer = { ...detail, peers: "many" };
  expect(await fault("example.org", answers({ "/api/runs/default": [200, newer] }))).toContain("another version");
});
