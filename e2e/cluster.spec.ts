// Three hosts behind one load balancer, sharing a run over a NATS server; hosts are killed, and the role of the one that orders the run moves.
//
// `npm test` kills that one once; `npm run proof:cluster` kills one of the three every 30 s for five minutes, and starts it again.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { expect, test } from "@playwright/test";
import { freePort } from "../apps/cli/free-port.ts";
import { Crowd } from "../apps/host/test-peer.ts";
import { Witness } from "../apps/host/witness.ts";
import { Random } from "../packages/sim/random.ts";
import { NatsBlobStore, openNats, openNatsLog } from "../packages/store/nats.ts";
import { startNats } from "../packages/store/test-nats.ts";
import { type LogEntry, type RunSpec, runIdOf } from "../packages/wire/index.ts";
import { Acknowledged, type Life, startLife, writeRun } from "./lives.ts";
import { logOf } from "./support.ts";

const whole = process.env.GOSSAMER_PROOF === "whole";
const SEED = Number(process.env.GOSSAMER_SEED ?? 7);
const MINUTES = Number(process.env.GOSSAMER_MINUTES ?? 5);
const KILL_EVERY_MS = 30_000;
/** A host that was killed is started again after this, as by systemd or an orchestrator. */
const START_AGAIN_MS = 5_000;
const PEERS = [1, 2, 3, 4, 5, 6];
/** What the host says that orders the run. */
const LEADS = "orders the run from now on";

/** Hands each connection to the next host that takes it: all that a load balancer has to do here. */
class Balancer {
  readonly #ports: readonly number[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly given: number[];
  #next = 0;

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.given = ports.map(() => 0);
    this.#server = createServer((socket) => this.#hand(socket, ports.length));
  }

  static async start(ports: readonly number[]): Promise<{ balancer: Balancer; url: string }> {
    const balancer = new Balancer(ports);
    const port = await freePort();
    await new Promise<void>((resolve) => balancer.#server.listen(port, "127.0.0.1", resolve));
    return { balancer, url: `http://127.0.0.1:${port}` };
  }

  #hand(socket: Socket, triesLeft: number): void {
    if (triesLeft === 0) return void socket.destroy();
    const host = this.#next++ % this.#ports.length;
    const line = connect(this.#ports[host], "127.0.0.1");
    line.once("error", () => this.#hand(socket, triesLeft - 1));
    line.once("connect", () => {
      this.given[host]++;
      line.removeAllListeners("error");
      for (const [one, other] of [
        [socket, line],
        [line, socket],
      ]) {
        this.#sockets.add(one);
        one.on("error", () => other.destroy());
        one.on("close", () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
      socket.pipe(line).pipe(socket);
    });
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Entries by when the peers first heard of them: how long nothing came after a kill. */
class Arrivals {
  readonly acknowledged = new Acknowledged();
  readonly #times: number[] = [];
  isOver = false;

  readonly take = (entry: LogEntry): void => {
    if (this.isOver) return;
    const { count } = this.acknowledged;
    this.acknowledged.take(entry);
    if (this.acknowledged.count > count) this.#times.push(performance.now());
  };

  /** The longest time without a new entry from then on. */
  silenceAfter(at: number, until: number): number {
    const times = [at, ...this.#times.filter((time) => time >= at && time < until), until];
    return Math.max(...times.slice(1).map((time, i) => time - times[i]));
  }
}

async function startThree() {
  const nats = await startNats();
  const folder = mkdtempSync(join(tmpdir(), "gossamer-cluster-"));
  const run = writeRun(folder);
  const ports = [await freePort(), await freePort(), await freePort()];
  const start = (host: number): Life =>
    startLife(join(folder, `data-${host}`), run, ports[host], ["--cluster", nats.url()]);
  const lives = [0, 1, 2].map(start);
  for (const life of lives) expect(await life.listens, life.said()).toBe(true);
  return { nats, folder, ports, lives, start };
}

/** Every anchor of the log, folded again from genesis out of the cluster's own store. */
async function foldedAgain(url: string, spec: RunSpec): Promise<{ entries: LogEntry[]; verified: number }> {
  const nats = await openNats(url);
  try {
    const { entries } = await openNatsLog(nats, runIdOf(spec), spec.hostKey); // checks the chain and every signature
    const { verified } = await new Witness(spec, await NatsBlobStore.open(nats)).start(entries, "oldest");
    return { entries, verified };
  } finally {
    await nats.connection.close();
  }
}

test(`hosts of a cluster are killed: the log stays one chain, rounds go on (seed ${SEED})`, async () => {
  test.setTimeout(whole ? MINUTES * 60_000 + 180_000 : 90_000);
  const { nats, folder, ports, lives, start } = await startThree();
  const { balancer, url } = await Balancer.start(ports);
  const arrivals = new Arrivals();
  const crowd = Crowd.join(url, PEERS, arrivals.take);
  const random = new Random(SEED);
  const leader = () => lives.findIndex((life) => life.said().includes(LEADS) && life.process.exitCode === null);
  try {
    await crowd.until(({ round }) => round >= 3);
    expect(Math.min(...balancer.given)).toBeGreaterThan(0); // peers are spread over all three
    const silences: { leads: boolean; ms: number; rounds: number }[] = [];
    for (let kill = 0; kill < (whole ? (MINUTES * 60_000) / KILL_EVERY_MS : 1); kill++) {
      const beganAt = performance.now();
      const { round } = crowd.newest;
      const victim = whole ? random.int(3) : leader();
      const leads = lives[victim].said().lastIndexOf(LEADS) > lives[victim].said().lastIndexOf("does not order");
      lives[victim].process.kill("SIGKILL");
      await lives[victim].ended;
      if (whole) {
        await after(START_AGAIN_MS);
        lives[victim] = start(victim);
        expect(await lives[victim].listens, lives[victim].said()).toBe(true);
        await after(Math.max(0, beganAt + KILL_EVERY_MS - performance.now()));
      }
      await crowd.until((log) => log.round >= round + 3);
      const until = performance.now();
      silences.push({ leads, ms: arrivals.silenceAfter(beganAt, until), rounds: crowd.newest.round - round });
    }
    for (const { refusals } of crowd.peers.values()) expect(refusals).toEqual([]);
    arrivals.isOver = true; // what is acknowledged from now on is no part of this
    const log = await logOf(url);
    expect(arrivals.acknowledged.missing(log)).toEqual([]);
    const spec = ((await (await fetch(`${url}/api/runs/default`)).json()) as { spec: RunSpec }).spec;
    const stored = await foldedAgain(nats.url(), spec);
    expect(arrivals.acknowledged.missing(stored.entries)).toEqual([]);
    expect(stored.verified).toBeGreaterThanOrEqual(3);
    console.log(JSON.stringify({ entries: log.length, acknowledged: arrivals.acknowledged.count, silences }));
    for (const life of lives) life.process.kill("SIGTERM");
    for (const life of lives) expect([0, null], life.said()).toContain(await life.ended);
  } catch (error) {
    for (const [host, life] of lives.entries()) console.log(`host ${host}:\n${life.said()}`);
    throw error;
  } finally {
    crowd.close();
    balancer.close();
    for (const life of lives) life.process.kill("SIGKILL");
    await nats.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
