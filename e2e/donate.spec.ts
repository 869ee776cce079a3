// A donor without a browser, beside two in browsers; and what it says where it cannot donate.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { WebSocketServer } from "ws";
import { countOfAttesters, type RunDetail } from "../packages/wire/index.ts";
import { expectReplay, openDonor, SHORT_ROUNDS, STEADY_DUTY, specLike, startHost, untilRun } from "./support.ts";

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

class Headless {
  readonly #process: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), "gossamer-donor-"));
  readonly ended: Promise<Ended>;

  constructor(url: string, ...args: string[]) {
    const words = ["dist/node/main.js", "donate", url, "--data", this.#folder, "--backend", "wasm", ...args];
    this.#process = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    this.ended = new Promise((resolve) => {
      this.#process.once("exit", (code) => {
        rmSync(this.#folder, { recursive: true, force: true });
        resolve({ code, said });
      });
    });
  }

  stop(): Promise<Ended> {
    this.#process.kill("SIGINT");
    return this.ended;
  }
}

test("a headless donor and two browsers train one model: direct links, equal anchors, and Ctrl-C takes leave", async () => {
  const host = await startHost({ run: SHORT_ROUNDS, waitFor: 3 });
  const donors = [openDonor(host.url, { duty: STEADY_DUTY }), openDonor(host.url, { path: "/?backend=wasm" })];
  const headless = new Headless(host.url, "--name", "pine");
  try {
    const browsers = await Promise.all(donors);
    const all = ({ peers }: RunDetail) =>
      peers.filter(({ rounds, links }) => rounds >= 3 && links.length === 2).length === 3;
    const run = await untilRun(host, "three rounds of each, and links among all", all);
    const pine = run.peers.find(({ name }) => name === "pine");
    expect(pine).toMatchObject({ adapter: { backend: "wasm" }, bytesRelayed: 0, refused: 0 });
    expect(pine?.links.map(({ kind }) => kind)).toEqual(["direct", "direct"]);
    const sealedByAll = async () =>
      (await host.log()).some((entry) => entry.type === "seal" && countOfAttesters(entry.attesters) === 3);
    await expect.poll(sealedByAll, { timeout: 60_000 }).toBe(true);

    const { code, said } = await headless.stop();
    expect([code, said]).toEqual([0, expect.stringContaining("Thank you")]);
    const { churn } = await untilRun(host, "its leave", ({ churn }) => churn.some(({ kind }) => kind === "left"));
    expect(churn.find(({ kind }) => kind === "left")).toMatchObject({
      name: "pine",
      reason: "stopped by the volunteer",
    });
    await expectReplay(host, browsers);
  } finally {
    await headless.stop();
    await Promise.all(donors.map(async (donor) => (await donor).close()));
    await host.stop();
    host.remove();
  }
});

test("where it cannot donate it says why and what to do, and its exit code tells scripts", async () => {
  const spec = specLike(() => ({ end: { roundsMax: 1 } }));
  const host = await startHost({ run: spec.file });
  const other = await otherVersion(host.url);
  try {
    const [nobody, unknown, refused] = await Promise.all([
      new Headless("http://127.0.0.1:1").ended,
      new Headless(`${host.url}/?run=elsewhere`).ended,
      new Headless(other.url, "--json").ended,
    ]);
    expect(nobody).toEqual({ code: 2, said: expect.stringContaining("http://127.0.0.1:1") });
    expect(unknown).toEqual({ code: 2, said: expect.stringMatching(/no run elsewhere. It has: short rounds/) });
    expect(refused).toEqual({ code: 3, said: expect.stringContaining("this host speaks another protocol") });

    const last = await new Headless(host.url).ended;
    expect(last).toEqual({ code: 0, said: expect.stringMatching(/The run has ended: .*\n.*Thank you: 1 round/s) });
    const late = await new Headless(host.url).ended;
    expect(late).toEqual({ code: 0, said: expect.stringContaining("nothing left to train") });
  } finally {
    await other.close();
    await host.stop();
    host.remove();
    spec.remove();
  }
});

/** The same run as that host's, and a control line that refuses everybody's version. */
async function otherVersion(of: string): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(await (await fetch(of + request.url)).text());
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    const message = "this host speaks another protocol";
    socket.send(JSON.stringify({ type: "refuse", code: "version", message }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets.clients) socket.terminate();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
