// What strangers do to the listening socket, byte by byte: no client library speaks like this.
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunDetail } from "#wire";
import type { RunningHost } from "./network.ts";
import { freshFolder, startTestHost, writeRun } from "./test-given.ts";

let host: RunningHost;

beforeAll(async () => {
  const data = await freshFolder();
  host = await startTestHost({ data, run: await writeRun(data), limits: { connectionsMax: 0 } });
});
afterAll(() => host.close());

/** Sends, reads until the host has closed its side, and never closes ours. */
async function say(text: string): Promise<string> {
  const socket = connect({ port: host.port, host: "127.0.0.1", allowHalfOpen: true });
  let heard = "";
  socket.on("data", (chunk) => {
    heard += String(chunk);
  });
  socket.on("error", () => undefined);
  socket.write(text);
  await once(socket, "end");
  // Taken without a word while the host keeps its half; a reset once it has closed both.
  const knock = () => socket.write("more", (error) => void (error ?? setImmediate(knock)));
  knock();
  await new Promise((closed) => socket.once("close", closed));
  return heard;
}

const upgradeTo = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;

test.each([
  ["an upgrade to nowhere", upgradeTo("/nothing"), "404"],
  ["an upgrade where the house is full", upgradeTo("/signal"), "503"],
  ["an upgrade under another site's name", upgradeTo("/signal").replace("127.0.0.1", "evil.example"), "403"],
  ["no HTTP", "\0\0\0\0\r\n\r\n", "400"],
])("%s is refused, and the host keeps no half-open socket", async (_, text, status) => {
  expect(await say(text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});

test("a request that comes with the last byte of the answer before it is served", async () => {
  const { spec } = (await (await fetch(`${host.url}/api/runs/default`)).json()) as RunDetail;
  const { hash, bytes } = spec.data.train[0];
  const socket = connect(host.port, "127.0.0.1");
  const get = `GET /api/blobs/${hash} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  socket.write(get.repeat(3));
  let heard = 0;
  for await (const chunk of socket) {
    heard += (chunk as Buffer).length;
    if (heard > 3 * bytes) break;
  }
  expect(heard).toBeGreaterThan(3 * bytes);
});
