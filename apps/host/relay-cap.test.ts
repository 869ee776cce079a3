// A host whose month's allowance for relaying is used up: nothing is handed out, and everybody is told why.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { freshFolder, startTestHost, TestVolunteer, writeRun } from "./test-given.ts";

test("at the cap there is neither relay nor TURN: for peers, for those who look, and for the operator", async () => {
  const data = await freshFolder();
  const month = new Date().toISOString().slice(0, 7);
  await writeFile(join(data, "relayed.json"), JSON.stringify({ version: 1, month, relayBytes: 6e8, turnBytes: 5e8 }));
  const lines: string[] = [];
  const turn = { urls: ["turn:turn.example:3478"], username: "a", credential: "b" };
  const host = await startTestHost({
    ...{ data, run: await writeRun(data), turn, relayCapBytes: 1e9 },
    report: (line) => lines.push(line),
  });
  expect(lines.filter((line) => line.includes("--relay-cap-gb allows 1.0"))).toHaveLength(1);
  const { welcome, socket } = await TestVolunteer.join(host.url, 1);
  expect(welcome.relay).toBe(false);
  expect(welcome.iceServers.map(({ urls }) => urls)).toEqual([expect.stringMatching(/^stun:/)]);
  const offer = await (await fetch(`${host.url}/api/network`)).json();
  expect(offer).toMatchObject({ turn: false, relay: false, overCap: true });
  const status = await new Promise((resolve) => {
    const relay = new WebSocket(`${host.url.replace(/^http/, "ws")}/relay`);
    relay.on("unexpected-response", (_, response) => resolve(response.statusCode));
    relay.on("error", () => undefined);
  });
  expect(status).toBe(503);
  expect(await (await fetch(`${host.url}/readyz`)).json()).toEqual({ ok: true }); // runs go on without
  const metrics = await (await fetch(`${host.url}/metrics`)).text();
  expect(metrics).toContain('gossamer_relay_month_bytes{kind="turn"} 500000000\n');
  const { host: told } = (await (await fetch(`${host.url}/api/runs/default/overview`)).json()) as {
    host: { relayed: { over: boolean } };
  };
  expect(told.relayed.over).toBe(true);
  socket.close();
  await host.close();
});
