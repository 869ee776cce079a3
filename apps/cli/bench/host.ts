// `gossamer bench host`: how many peers one host process holds, and what they wait for: memory of a socket, signals that are relayed, commits
// that everybody hears, and whether coming and going leaks.
//
//   host (a process) <- N sockets (this one), one headless donor whose rounds make commits
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { english as format } from "../../web/words/format.ts";
import { freePort } from "../free-port.ts";
import { quantile } from "../watch/trace.ts";
import { HostLoad } from "./host-load.ts";
import { inspectorOf, liveBytes } from "./live-bytes.ts";

export interface BenchHostOptions {
  readonly sockets: number;
  /** Signals a second that peers send each other through the host. */
  readonly signals: number;
  readonly seconds: number;
  /** Of coming and going, at so many a minute; 0: none. */
  readonly churnMinutes: number;
  readonly churn: number;
  readonly json: boolean;
}

interface HostReport {
  readonly sockets: number;
  readonly openSeconds: number;
  readonly idleBytes: number;
  readonly bytesPerSocket: number;
  readonly relayed: number;
  readonly relayP50Ms: number;
  readonly relayP99Ms: number;
  readonly commits: number;
  readonly fanOutP50Ms: number;
  readonly fanOutP99Ms: number;
  readonly lost: number;
  readonly churned: number;
  /** Alive in the host's process after each minute of coming and going. */
  readonly churnBytes: readonly number[];
}

/** What a host promises. */
const RELAY_P99_MS_MAX = 50;
/**
 * What may be alive after the last minute for each byte after the first: ten minutes of strangers leave names, curves and a log behind, of all of which
 * the host keeps a bounded number.
 */
const CHURN_GROWTH_MAX = 1.1;
const TICK_MS = 10;

type Say = (line: string) => void;

/** @returns whether what was promised was kept */
export async function benchHost(options: BenchHostOptions, out: Say, say: Say): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "gossamer-bench-host-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const children: ChildProcess[] = [];
  try {
    const { host, inspector } = await startHost(folder, port);
    children.push(host);
    const report = await measure(url, inspector, options, folder, children, say);
    const kept = isKept(report);
    for (const line of options.json ? [JSON.stringify({ ...report, kept })] : linesOf(report, options)) out(line);
    return kept;
  } finally {
    for (const child of children.toReversed()) await end(child);
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(
  url: string,
  inspector: string,
  { sockets, signals, seconds, churn, churnMinutes }: BenchHostOptions,
  folder: string,
  children: ChildProcess[],
  say: Say,
): Promise<HostReport> {
  const relayedMs: number[] = [];
  const commits = new FanOut();
  const load = new HostLoad(url, {
    onRelayed: (ms) => relayedMs.push(ms),
    onCommit: (seq) => commits.heard(seq),
  });
  try {
    const idleBytes = await residentBytes(url);
    const began = performance.now();
    await load.open(sockets);
    const openSeconds = (performance.now() - began) / 1000;
    say(`${format.count(load.size)} sockets are open after ${openSeconds.toFixed(0)} s`);
    const heldBytes = await residentBytes(url);

    children.push(startDonor(url, folder));
    await commits.first; // it has fetched its text and made its kernels
    relayedMs.length = 0;
    say(`${format.count(signals)} signals a second for ${seconds} s, beside one donor's rounds`);
    await atRate(signals, seconds, () => load.relay());
    const fanOutMs = commits.delays();
    const relayed = [...relayedMs];

    let churned = 0;
    const churnBytes: number[] = [];
    if (churnMinutes > 0) {
      say(`${format.count(churn)} leave and come a minute, for ${churnMinutes} min`);
      const pending = new Set<Promise<void>>();
      for (let minute = 0; minute < churnMinutes; minute++) {
        await atRate(churn / 60, 60, () => {
          const replaced = load.replaceOne().finally(() => pending.delete(replaced));
          pending.add(replaced);
          churned++;
        });
        await Promise.all(pending);
        const resident = await residentBytes(url);
        churnBytes.push(await liveBytes(inspector));
        say(`  minute ${minute + 1}: ${format.bytes(churnBytes[minute])} alive, ${format.bytes(resident)} resident`);
      }
    }
    return {
      sockets: load.size,
      openSeconds,
      idleBytes,
      bytesPerSocket: (heldBytes - idleBytes) / sockets,
      relayed: relayed.length,
      relayP50Ms: quantile(relayed, 0.5),
      relayP99Ms: quantile(relayed, 0.99),
      commits: commits.count,
      fanOutP50Ms: quantile(fanOutMs, 0.5),
      fanOutP99Ms: quantile(fanOutMs, 0.99),
      lost: load.lost,
      churned,
      churnBytes,
    };
  } finally {
    load.close();
  }
}

const isKept = ({ relayP99Ms, lost, churnBytes }: HostReport) =>
  relayP99Ms < RELAY_P99_MS_MAX && lost === 0 && (churnBytes.at(-1) ?? 0) <= (churnBytes[0] ?? 0) * CHURN_GROWTH_MAX;

function linesOf(report: HostReport, { signals, churnMinutes }: BenchHostOptions): string[] {
  const [first = 0, last = 0] = [report.churnBytes[0], report.churnBytes.at(-1)];
  return [
    `sockets              ${format.count(report.sockets)}, opened in ${report.openSeconds.toFixed(0)} s, ${report.lost} lost`,
    `memory               ${format.bytes(report.idleBytes)} idle, ${format.bytes(report.bytesPerSocket)} a socket`,
    `relay of a signal    ${report.relayP50Ms.toFixed(1)} ms p50, ${report.relayP99Ms.toFixed(1)} ms p99 of ${format.count(report.relayed)}, at ${format.count(signals)} a second (at most ${RELAY_P99_MS_MAX})`,
    `fan-out of a commit  ${report.fanOutP50Ms.toFixed(1)} ms p50, ${report.fanOutP99Ms.toFixed(1)} ms p99 after the first that heard it, ${report.commits} commits`,
    ...(churnMinutes === 0
      ? []
      : [
          `coming and going     ${format.count(report.churned)} in ${churnMinutes} min: ${format.bytes(first)} alive after the first minute, ${format.bytes(last)} at the end (at most ${CHURN_GROWTH_MAX} times that)`,
        ]),
  ];
}

/** For each commit, how long after the first socket every other one heard it. */
class FanOut {
  readonly #firstAt = new Map<number, number>();
  readonly #delays: number[] = [];
  #begin!: () => void;
  readonly first = new Promise<void>((resolve) => {
    this.#begin = resolve;
  });

  heard(seq: number): void {
    const now = performance.now();
    const first = this.#firstAt.get(seq);
    if (first === undefined) {
      this.#firstAt.set(seq, now);
      this.#begin();
    } else this.#delays.push(now - first);
  }

  get count(): number {
    return this.#firstAt.size;
  }

  delays(): readonly number[] {
    return [...this.#delays];
  }
}

/** Calls it so many times a second, evenly, whatever the timers do. */
async function atRate(perSecond: number, seconds: number, act: () => void): Promise<void> {
  const began = performance.now();
  const all = Math.round(perSecond * seconds);
  for (let done = 0; done < all; ) {
    const due = Math.min(all, Math.floor(((performance.now() - began) / 1000) * perSecond));
    for (; done < due; done++) act();
    await after(TICK_MS);
  }
}

async function residentBytes(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(text)?.[1]);
}

const main = (): string => new URL("./main.js", import.meta.url).pathname;

async function startHost(folder: string, port: number): Promise<{ host: ChildProcess; inspector: string }> {
  const words = [
    "host",
    "--run",
    "nano",
    "--data",
    join(folder, "host"),
    "--host",
    "127.0.0.1",
    "--port",
    String(port),
  ];
  const host = spawn(process.execPath, ["--inspect=127.0.0.1:0", main(), ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const inspector = await inspectorOf(host.stderr);
  await new Promise<void>((resolve, reject) => {
    host.stdout?.on("data", (chunk: Buffer) => chunk.includes(`:${port}`) && resolve());
    host.once("exit", (code) => reject(new Error(`the host ended with code ${code}`)));
  });
  return { host, inspector };
}

/** A round every few seconds, and cores for the others. */
const DONOR_DUTY = 20;

function startDonor(url: string, folder: string): ChildProcess {
  const words = ["donate", url, "--data", join(folder, "donor"), "--backend", "wasm", "--duty", String(DONOR_DUTY)];
  return spawn(process.execPath, [main(), ...words], { stdio: ["ignore", "ignore", "ignore"] });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}
