// A host behind a proxy that ends TLS and gives it a path of its own: what the client sees is what counts.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { identityFrom, type NetworkOffer } from "#wire";
import type { RunningHost } from "./network.ts";
import { freshFolder, helloOf, startTestHost, TestSocket, writeRun } from "./test-given.ts";

let host: RunningHost;
let root: string;

beforeAll(async () => {
  const data = await freshFolder();
  const page = join(data, "page");
  await mkdir(page);
  await writeFile(join(page, "index.html"), "<title>page</title>");
  host = await startTestHost({
    data,
    run: await writeRun(data),
    page,
    trustProxy: ["loopback"],
    basePath: "/swarm",
    allowOrigins: ["https://swarm.example"],
    limits: { connectionsPerAddressMax: 1 },
    requests: { perSecond: 0.001, burst: 20 },
  });
  root = `http://127.0.0.1:${host.port}`;
});
afterAll(() => host.close());

const via = (address: string) => ({
  "x-forwarded-for": address,
  "x-forwarded-proto": "https",
  "x-forwarded-host": "swarm.example",
});
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(root + path, { redirect: "manual", headers });

test("page, API and metrics lie below the base path, and nothing beside it", async () => {
  expect(await (await get("/swarm/")).text()).toContain("<title>page</title>");
  expect(await (await get("/swarm/watch?kiosk")).text()).toContain("<title>page</title>");
  expect(await (await get("/swarm/api/runs")).json()).toHaveLength(1);
  expect((await get("/swarm/metrics")).status).toBe(200);
  for (const path of ["/", "/watch", "/api/runs", "/swarming/"]) expect((await get(path)).status).toBe(404);
});

test("without the slash, and /watch with one, lead to where relative names are right", async () => {
  const bare = await get("/swarm?run=default");
  expect([bare.status, bare.headers.get("location")]).toEqual([308, "/swarm/?run=default"]);
  const watch = await get("/swarm/watch/?kiosk");
  expect([watch.status, new URL(watch.headers.get("location")!, watch.url).pathname]).toEqual([308, "/swarm/watch"]);
});

test("the page may talk to the name that the client used, and STUN is told under it", async () => {
  const page = await get("/swarm/", via("203.0.113.1"));
  expect(page.headers.get("content-security-policy")).toContain("wss://swarm.example;");
  const offer = (await (await get("/swarm/api/network", via("203.0.113.1"))).json()) as NetworkOffer;
  expect(offer.stun).toMatch(/^stun:swarm\.example:\d+$/);
});

test("each client behind the proxy has a limit of its own, and pages of its own origin come in", async () => {
  const signal = `${root.replace("http", "ws")}/swarm/signal`;
  const open = (address: string, origin = "https://swarm.example") =>
    new TestSocket(signal, { ...via(address), origin });
  const ada = open("203.0.113.1");
  const { nonce } = await ada.next("challenge");
  ada.send(helloOf(identityFrom(new Uint8Array(32).fill(1)), nonce));
  expect((await ada.next("welcome")).iceServers).toEqual([{ urls: expect.stringMatching(/^stun:swarm\.example:/) }]);
  const bob = open("203.0.113.2");
  await bob.next("challenge");
  const again = open("203.0.113.1");
  expect((await again.whenClosed()).code).toBe(1006);
  const stranger = open("203.0.113.3", "https://evil.example");
  expect((await stranger.next("refuse")).code).toBe("origin");
  for (const { socket } of [ada, bob, stranger]) socket.close();
});

test("requests are counted by client: one that asks too often is told to wait, others are served", async () => {
  const ask = () => get("/swarm/healthz", via("203.0.113.50"));
  const answers = await Promise.all(Array.from({ length: 21 }, ask));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(1);
  expect(refused[0].headers.get("retry-after")).toBe("30");
  expect(await refused[0].json()).toMatchObject({ error: { code: "rate" } });
  expect((await get("/swarm/healthz", via("203.0.113.51"))).status).toBe(200);
});
