// A host among strangers who send anything, over WebSocket and HTTP: it crashes nowhere, keeps nothing of it, and honest peers do not notice.
//
// `npm test` sends five thousand messages; `npm run proof:fuzz-host` a million.
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { WebSocket } from "ws";
import { helloOf, tinyDraft, writeRun } from "../apps/host/test-given.ts";
import { Crowd } from "../apps/host/test-peer.ts";
import { Random } from "../packages/sim/random.ts";
import { identityFrom, type LogEntry } from "../packages/wire/index.ts";
import { anyMessage, anyRequest } from "./fuzz/messages.ts";
import { startHost } from "./support.ts";

const whole = process.env.GOSSAMER_PROOF === "whole";
const MESSAGES = whole ? 1_000_000 : 5_000;
const SEED = Number(process.env.GOSSAMER_SEED ?? 7);
/** One in so many goes over HTTP, which takes a connection's time. */
const HTTP_PART = 0.05;
const STRANGERS_AT_ONCE = 16;
/** Less than the burst that the host lets a socket send: else most would only meet the limit. */
const MESSAGES_A_SOCKET = 900;
/** Where the garbage collector has not been yet; what leaks would be more after fifty times as many messages. */
const GROWTH_BYTES_MAX = 150e6;

/** Loopback has as many addresses as one likes: limits that count by address see strangers from everywhere. */
const addressOf = (stranger: number): string => `127.0.${2 + (stranger >> 7)}.${1 + (stranger & 127)}`;

test(`${MESSAGES} malformed, oversized and untimely messages hurt nobody (seed ${SEED})`, async () => {
  test.setTimeout(whole ? 3 * 60 * 60_000 : 120_000); // half an hour of a quiet machine
  const folder = mkdtempSync(join(tmpdir(), "gossamer-fuzz-"));
  const host = await startHost({ run: await writeRun(folder, tinyDraft()) });
  const heard: LogEntry[] = [];
  const crowd = Crowd.join(host.url, [1, 2, 3, 4], (entry) => heard.push(entry));
  try {
    await crowd.until(({ round }) => round >= 3);
    const known = (await host.log()).flatMap((entry) =>
      entry.type === "commit" ? entry.contributors.map(({ update }) => update) : [],
    );
    const before = await metrics(host.url);
    const { round } = crowd.newest;
    const sent = await strangers(host.url, known);
    const during = crowd.newest.round - round;
    expect(host.process.exitCode).toBeNull();
    const later = crowd.newest.round + 2;
    await crowd.until((log) => log.round >= later); // it goes on as before
    await expect.poll(async () => (await metrics(host.url)).connections).toBe(4);
    const after = await metrics(host.url);
    console.log(`${sent} sent, ${during} rounds meanwhile; ${mb(before.bytes)} MB before, ${mb(after.bytes)} after`);
    expect(sent).toBeGreaterThanOrEqual(MESSAGES);
    expect(during).toBeGreaterThan(0);
    expect(after.bytes - before.bytes).toBeLessThan(GROWTH_BYTES_MAX);
    for (const { refusals, closings } of crowd.peers.values()) expect([refusals, closings]).toEqual([[], 0]);
    const log = await host.log();
    const honest = new Set(crowd.peers.keys());
    for (const entry of log)
      if (entry.type === "seal") expect(entry.refused).toEqual([]);
      else if (entry.type === "commit")
        expect(entry.contributors.filter((given) => "peer" in given && !honest.has(given.peer))).toEqual([]);
    crowd.close();
    await host.stop();
    expect(host.replays()).toBe(true);
  } finally {
    crowd.close();
    await host.stop();
    host.remove();
    rmSync(folder, { recursive: true, force: true });
  }
});

const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);

async function metrics(url: string): Promise<{ bytes: number; connections: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  return { bytes: value("process_resident_memory_bytes"), connections: value("gossamer_connections") };
}

/** @returns how many messages were sent */
async function strangers(url: string, known: readonly string[]): Promise<number> {
  let next = 0;
  let sent = 0;
  const one = async () => {
    while (sent < MESSAGES) {
      const stranger = next++;
      const random = new Random(SEED + stranger);
      if (random.chance(HTTP_PART)) sent += await overHttp(url, random, addressOf(stranger % 4_096), known);
      else sent += await overWebSocket(url, random, addressOf(stranger % 4_096));
    }
  };
  await Promise.all(Array.from({ length: STRANGERS_AT_ONCE }, one));
  return sent;
}

/** One socket's messages, until it has sent them or the host has closed it. */
function overWebSocket(url: string, random: Random, localAddress: string): Promise<number> {
  const identity = identityFrom(Uint8Array.from({ length: 32 }, () => random.int(256)));
  const comesIn = random.chance(0.7);
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/signal`, { localAddress });
  let sent = 0;
  const flood = () => {
    for (; sent < MESSAGES_A_SOCKET && socket.readyState === WebSocket.OPEN; sent++)
      socket.send(anyMessage(random, identity));
    if (random.chance(0.5)) socket.terminate();
    else socket.close();
  };
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(sent));
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as { type: string; nonce?: string };
      if (message.type === "challenge" && comesIn) socket.send(JSON.stringify(helloOf(identity, message.nonce ?? "")));
      else if (message.type === "challenge" || message.type === "welcome") flood();
    });
  });
}

/** Some requests one after the other, and one that is no HTTP. */
async function overHttp(url: string, random: Random, localAddress: string, known: readonly string[]): Promise<number> {
  const { port } = new URL(url);
  const count = 20;
  for (let i = 0; i < count; i++) {
    const { method, path, headers, body, breaksOff } = anyRequest(random, known);
    await new Promise<void>((resolve) => {
      const request = httpRequest({ host: "127.0.0.1", port, method, path, headers, localAddress, agent: false });
      request.on("error", () => resolve());
      request.on("close", () => resolve());
      request.on("response", (response) => {
        response.on("error", () => undefined);
        response.resume();
      });
      if (breaksOff) request.write(body ?? "", () => request.destroy());
      else request.end(body);
    });
  }
  await new Promise<void>((resolve) => {
    const socket = connect({ host: "127.0.0.1", port: Number(port), localAddress });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve());
    socket.resume();
    socket.end(Uint8Array.from({ length: 500 }, () => random.int(256)));
  });
  return count + 1;
}
