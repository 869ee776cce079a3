// Two real connections in one page: a blob crosses through links, ports and exchange as between two tabs.

import { expect, test, vi } from "vitest";
import { blobName, CHUNK_BYTES, type PeerId } from "#wire";
import { BlobExchange } from "./blob-exchange.ts";
import { Links } from "./links.ts";
import { BatchPort, type ToWindow, type ToWorker } from "./port.ts";

const nobody = () => Promise.reject(new Error("there is no host"));
/** Time that tests do not wait for. */
const clock = { skippedMs: 0 };

/** One tab: what the window wires together, except that "window" and "worker" share a thread. */
function tab(own: PeerId, other: PeerId, deliver: (data: string) => void, blobs: ReadonlyMap<string, Uint8Array>) {
  const channel = new MessageChannel();
  const ups: (() => void)[] = [];
  const downs: ((reason: string) => void)[] = [];
  const links = new Links({
    onSignal: (_to, data) => deliver(data),
    onUp: (peer) => toWorker.post({ type: "up", peer }),
    now: () => performance.now() + clock.skippedMs,
    onConnections: () => {},
    onDown: (peer, reason) => toWorker.post({ type: "down", peer, reason }),
    onFrame: (peer, bytes) => toWorker.post({ type: "frame", peer, bytes }),
  });
  const toWorker = new BatchPort<ToWorker, ToWindow>(channel.port1, (message) => {
    if (message.type === "frame") links.send(message.peer, message.bytes);
    if (message.type === "close") links.close(message.peer, message.reason);
  });
  const exchange = new BlobExchange({
    port: {
      send: (peer, bytes) => toWindow.post({ type: "frame", peer, bytes }),
      close: (peer, reason) => toWindow.post({ type: "close", peer, reason }),
    },
    host: { pieceList: nobody, pieces: nobody },
    has: async (name) => blobs.has(name),
    read: async (name) => blobs.get(name),
    now: () => performance.now(),
    seed: 1,
  });
  const toWindow = new BatchPort<ToWindow, ToWorker>(channel.port2, (message) => {
    if (message.type === "frame") exchange.receive(message.peer, message.bytes);
    if (message.type === "up") {
      exchange.linkUp(message.peer);
      for (const up of ups) up();
    }
    if (message.type === "down") {
      exchange.linkDown(message.peer);
      for (const down of downs) down(message.reason);
    }
  });
  return {
    own,
    other,
    links,
    exchange,
    up: new Promise<void>((resolve) => ups.push(resolve)),
    down: new Promise<string>((resolve) => downs.push(resolve)),
  };
}

/** @param overhear hears every signal */
function pair(blobs: ReadonlyMap<string, Uint8Array>, overhear: (data: string, from: PeerId) => void = () => {}) {
  const deliver = (from: PeerId, to: () => Links) => (data: string) => {
    overhear(data, from);
    to().signal(from, data);
  };
  const a = tab(
    "a",
    "b",
    deliver("a", () => b.links),
    blobs,
  );
  const b = tab(
    "b",
    "a",
    deliver("b", () => a.links),
    new Map(),
  );
  return { a, b };
}

test("a blob of 2 MB crosses a data channel, and both ends meter it", async () => {
  const blob = crypto
    .getRandomValues(new Uint8Array(65_536))
    .reduce((whole, byte, i) => whole.fill(byte, i * 32, i * 32 + 32), new Uint8Array(2 ** 21));
  const name = blobName(blob);
  const { a, b } = pair(new Map([[name, blob]]));
  a.links.open("b", true);
  await Promise.all([a.up, b.up]);
  const got = await b.exchange.fetch(name, blob.length, "never");
  expect(blobName(got)).toBe(name);
  const [meter] = b.links.meters();
  expect(meter).toMatchObject({ peer: "a", kind: "direct" });
  expect(meter.bytesReceived).toBeGreaterThan(blob.length);
  expect(meter.bytesReceived).toBeLessThan(blob.length * 1.01);
  expect(() => b.links.send("a", new Uint8Array(CHUNK_BYTES + 100))).toThrow("at most");
  a.links.closeAll("done");
  while (b.links.send("a", new Uint8Array(12))) await new Promise((next) => setTimeout(next)); // whichever sees it first, a send or the channel
  expect(await b.down).toMatch(/closed|Abort/);
  expect(b.links.meters()).toEqual([]);
  expect(b.links.send("a", new Uint8Array(12))).toBe(false);
});

test("a stranger's signals are ignored, and one who starts anew replaces its old link", async () => {
  const { a, b } = pair(new Map());
  for (const text of ["", "{}", '{"link":1,"signal":{}}', '{"link":"x","signal":{"type":"answer","sdp":"v=0"}}']) {
    b.links.signal("a", text);
  }
  expect(b.links.meters()).toEqual([]);
  a.links.open("b", true);
  await Promise.all([a.up, b.up]);
  a.links.close("b", "reload");
  a.links.open("b", true);
  expect(await b.down).toMatch(/anew|closed|Abort/);
});

test("[R44] when the network changes, ICE begins anew and the link stays; either end may ask for it", async () => {
  const blob = new Uint8Array(100_000).fill(7);
  const name = blobName(blob);
  const offers: { link: string; credentials: string | undefined }[] = [];
  const overhear = (data: string) => {
    const { link, signal } = JSON.parse(data);
    if (signal?.type === "offer") offers.push({ link, credentials: /ice-ufrag:.*/.exec(signal.sdp)?.[0] });
  };
  const { a, b } = pair(new Map([[name, blob]]), overhear);
  a.links.open("b", true);
  await Promise.all([a.up, b.up]);
  for (const end of [a, b]) {
    const before = offers.length;
    clock.skippedMs += 3_000;
    end.links.findPaths();
    end.links.findPaths(); // at once again: nothing more
    await vi.waitUntil(() => offers.length > before);
    expect(offers).toHaveLength(before + 1);
    expect(offers[before].link).toBe(offers[0].link);
    expect(offers[before].credentials).not.toBe(offers[before - 1].credentials);
    expect(await b.exchange.fetch(name, blob.length, "never")).toEqual(blob);
  }
  expect(a.links.meters()).toHaveLength(1);
  a.links.closeAll("done");
});

test("who hides its address opens nothing without a TURN server, and says so for either end", async () => {
  const overheard: string[] = [];
  const { a, b } = pair(new Map(), (data) => overheard.push(data));
  a.links.setIceServers([{ urls: "stun:127.0.0.1:9" }]);
  a.links.setRelayOnly(true);
  a.links.open("b", true);
  expect(await a.down).toContain("hides its address");
  expect(overheard).toEqual([]);
  b.links.open("a", true);
  expect(await b.down).toContain("takes no direct link"); // at once, not after its deadline
  expect(overheard.filter((data) => data.includes("answer"))).toEqual([]);
});

test("with a TURN server who hides its address names no other way to it; what was direct ends", async () => {
  const overheard: string[] = [];
  const { a, b } = pair(new Map(), (data, from) => {
    if (from === "a") overheard.push(data);
  });
  a.links.open("b", true);
  await Promise.all([a.up, b.up]);
  expect(overheard.some((data) => data.includes("typ host"))).toBe(true);
  a.links.setIceServers([{ urls: "turn:127.0.0.1:9", username: "u", credential: "c" }]);
  a.links.setRelayOnly(true);
  expect(await a.down).toContain("hides its address");
  overheard.length = 0;
  a.links.open("b", true);
  await vi.waitFor(() => expect(overheard.some((data) => data.includes("offer"))).toBe(true));
  expect(overheard.filter((data) => data.includes("typ host"))).toEqual([]);
  a.links.closeAll("done");
  b.links.closeAll("done");
});
