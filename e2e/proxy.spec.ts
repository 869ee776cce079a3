// The host behind a proxy, as most operators have it: under a path of its own, with the client's address in a header.
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, test } from "@playwright/test";
import { hostForAll, openDonor, SHORT_ROUNDS } from "./support.ts";

const host = hostForAll({ run: SHORT_ROUNDS, args: ["--trust-proxy", "loopback", "--base-path", "/swarm"] });

interface Proxy {
  readonly url: string;
  close(): void;
}

/** @param sockets whether it lets WebSockets through */
async function startProxy(sockets: boolean): Promise<Proxy> {
  const upstream = new URL(host().url);
  const headersOf = ({ headers }: IncomingMessage) => ({
    ...headers,
    host: "upstream.invalid:80", // as a proxy that passes its own name on
    "x-forwarded-host": headers.host ?? "",
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-proto": "http",
  });
  const open = new Set<Socket>();
  const server = createServer((asked, answer) => {
    const { method, url: path } = asked;
    const passed = request({ host: "localhost", port: upstream.port, method, path, headers: headersOf(asked) });
    passed.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
  });
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
  });
  server.on("upgrade", (asked, client, head) => {
    if (!sockets) return void client.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    const line = connect(Number(upstream.port), "localhost", () => {
      const headers = Object.entries(headersOf(asked)).map(([name, value]) => `${name}: ${value}\r\n`);
      line.write(`GET ${asked.url} HTTP/1.1\r\n${headers.join("")}\r\n`);
      line.write(head);
      client.pipe(line).pipe(client);
    });
    open.add(line);
    for (const end of [client, line]) end.on("error", () => undefined);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

test("under a base path behind a proxy, a page watches, donates, and keeps itself for later", async () => {
  const proxy = await startProxy(true);
  const donor = await openDonor(proxy.url, { path: "/swarm", press: false, context: { serviceWorkers: "allow" } });
  try {
    const { page } = donor;
    const failed: string[] = [];
    page.on("response", (response) => {
      if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
    });
    await expect(page).toHaveURL(`${proxy.url}/swarm/`);
    await page.getByRole("link", { name: "Watch" }).click();
    await expect(page).toHaveURL(`${proxy.url}/swarm/watch`);
    await page.reload();
    await expect(page.getByRole("heading", { name: "Right now" })).toBeVisible();
    await page.getByRole("link", { name: "Donate" }).click();
    await expect(page).toHaveURL(`${proxy.url}/swarm/`);
    await donor.donate();
    const round = () =>
      page.evaluate(async () => ((await (await fetch("./api/runs/default")).json()) as { round: number }).round);
    await expect.poll(round, { message: "a round sealed", timeout: 90_000 }).toBeGreaterThanOrEqual(1);
    const scope = await page.evaluate(async () => (await navigator.serviceWorker.ready).scope);
    expect(scope).toBe(`${proxy.url}/swarm/`);
    expect(failed).toEqual([]);
  } finally {
    await donor.close();
    proxy.close();
  }
});

test("behind a proxy that lets no WebSocket through, the page says so", async () => {
  const proxy = await startProxy(false);
  const donor = await openDonor(proxy.url, { path: "/swarm/" });
  try {
    await expect(donor.page.getByText("Something blocks the line to the host")).toBeVisible({ timeout: 30_000 });
    await expect(donor.page.getByText("must pass on Upgrade and Connection")).toBeVisible();
    await expect(donor.page.getByText("The host does not answer")).toHaveCount(0);
  } finally {
    await donor.close();
    proxy.close();
  }
});
