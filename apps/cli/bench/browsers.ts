// `gossamer bench browsers`: what methods learn and cost where it counts, in real browsers: a host, N headless donors, the same tokens for each method.
//
//   for each number of browsers, for each method: host --wait-for N -> N donors -> tokens -> the last evaluation, bytes, time
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Method, parameterTable } from "#outer";
import { allGather, type Link, Meter, ringAllReduce, swap } from "#sim";
import type { LogEntry, PeerId, RunDetail, RunDraft } from "#wire";
import { withPaths } from "../../host/given.ts";
import { startHost } from "../../host/host.ts";
import { loadDraft, methodOf } from "../../host/load-run.ts";
import { english } from "../../web/words/format.ts";
import { startDonors } from "../donors.ts";
import { hostThreads, tell } from "../host-command.ts";
import { variantFrom } from "../sim/contestants.ts";
import { draftOf } from "../sim/course.ts";

export interface BenchBrowsersOptions {
  readonly run: string;
  readonly from: string;
  readonly browsers: readonly number[];
  readonly methods: readonly string[];
  readonly variants: readonly string[];
  readonly tokens: number;
  readonly seed: number;
  /** One method with one number of browsers is given up after so long. */
  readonly minutes: number;
  readonly page: string;
  readonly json: boolean;
}

interface BrowsersRow {
  readonly method: string;
  readonly browsers: number;
  readonly rounds: number;
  /** Nats per token of held-out text, at the last anchor that was evaluated. */
  readonly loss: number;
  /** Of updates: mean of the peers' max(sent, received), with the copy that the host keeps. */
  readonly bytes: number;
  /** Those of a ring at every step, f32, over these. */
  readonly fewerBytes: number;
  /** From the first open to the end. */
  readonly seconds: number;
  /** Contributions over rounds times browsers: 1 when nobody was left out. */
  readonly named: number;
}

/** Bytes are counted, not the time that they would take. */
const LOOPBACK: Link = { mbit: 1000, delayMs: 0 };
/** Often enough that the last evaluation is near the end, seldom enough to cost little. */
const EVALUATE_EVERY_ROUNDS = 2;

type Say = (line: string) => void;

export async function benchBrowsers(options: BenchBrowsersOptions, out: Say, say: Say): Promise<void> {
  const { run, from, browsers, tokens, seed } = options;
  const { draft, folder } = await loadDraft(run, from);
  const methods = [...options.methods.map(methodOf), ...options.variants.map(variantFrom)];
  const draftFor = (method: Method): RunDraft =>
    draftOf(draft, method, { seed, rate: 1 }, { tokens, steps: undefined });
  for (const method of methods) draftFor(method); // a stack that makes no sense is refused before minutes pass
  if (!options.json)
    out(tableLine(["method", "browsers", "rounds", "loss", "bytes a peer", "fewer", "seconds", "named"]));
  for (const count of browsers)
    for (const method of methods) {
      const { evaluation, ...rest } = withPaths(draftFor(method), (path) => resolve(folder, path));
      const shaped = { ...rest, evaluation: { ...evaluation, everyRounds: EVALUATE_EVERY_ROUNDS } };
      say(`${method.title}, ${count} browsers…`);
      const row = await trainInBrowsers(shaped, method.title, count, options, say);
      out(options.json ? JSON.stringify(row) : tableLine(cellsOf(row)));
    }
}

async function trainInBrowsers(
  draft: RunDraft,
  method: string,
  count: number,
  { minutes, page }: Pick<BenchBrowsersOptions, "minutes" | "page">,
  say: Say,
): Promise<BrowsersRow> {
  const data = await mkdtemp(join(tmpdir(), "gossamer-bench-"));
  const run = join(data, "run.json");
  await writeFile(run, JSON.stringify(draft));
  const abort = new AbortController();
  const giveUp = (why: string): void => abort.abort(new Error(`${method}, ${count} browsers: ${why}`));
  const host = await startHost({
    host: "127.0.0.1",
    port: 0,
    share: false,
    allowOrigins: [],
    relayMbit: 0, // all browsers are on this machine
    startPeers: count,
    page,
    report: say,
    data,
    runs: [run],
    from: data,
    ...hostThreads,
    fatal: (error) => {
      tell(error);
      giveUp("the host cannot go on");
    },
  });
  const timer = setTimeout(() => giveUp(`no end after ${minutes} minutes`), minutes * 60_000);
  let stopDonors = async (): Promise<void> => {};
  try {
    const ended = new Promise<void>((resolve, reject) => {
      host.run.subscribe({ entry: ({ type }) => type === "end" && resolve() });
      abort.signal.addEventListener("abort", () => reject(abort.signal.reason));
    });
    stopDonors = await startDonors({ url: host.url, count, report: say });
    await ended;
    return rowOf(method, draft, host.run.entries, host.run.detail(0, count));
  } finally {
    clearTimeout(timer);
    await stopDonors();
    await host.close();
    await rm(data, { recursive: true, force: true, maxRetries: 3 });
  }
}

function rowOf(method: string, draft: RunDraft, log: readonly LogEntry[], run: RunDetail): BrowsersRow {
  const { model, inner } = draft;
  const { peers, head } = run;
  const browsers = peers.length;
  const bytes = updateBytes(draft, log) / browsers;
  const steps = head.tokens / (browsers * inner.windowsPerStep * model.contextLength);
  const ring = steps * ringAllReduce(LOOPBACK, browsers, 4 * parameterTable(model).length).sent;
  return {
    method,
    browsers,
    rounds: head.round,
    loss: head.evalLoss ?? Number.NaN,
    bytes,
    fewerBytes: ring / bytes,
    seconds: (log[log.length - 1].time - log[0].time) / 1000,
    named: peers.reduce((sum, { rounds }) => sum + rounds, 0) / (head.round * browsers),
  };
}

/** Of all peers: the larger of what each sent and received. The log has each update's size; links carry text and checkpoints too, which are no method's. */
function updateBytes({ rounds }: RunDraft, log: readonly LogEntry[]): number {
  const meterByPeer = new Map<PeerId, Meter>();
  for (const entry of log) {
    if (entry.type !== "commit") continue;
    const sizes = entry.contributors.map(({ bytes }) => bytes);
    for (const { peer, bytes } of entry.contributors) {
      const meter = meterByPeer.get(peer) ?? new Meter();
      meterByPeer.set(peer, meter);
      meter.add(rounds.topology === "pairs" ? swap(LOOPBACK, bytes, bytes) : allGather(LOOPBACK, sizes, bytes));
    }
  }
  return [...meterByPeer.values()].reduce((sum, { bytes }) => sum + bytes, 0);
}

const cellsOf = ({ method, browsers, rounds, loss, bytes, fewerBytes, seconds, named }: BrowsersRow): string[] => [
  method,
  String(browsers),
  String(rounds),
  loss.toFixed(4),
  english.bytes(bytes),
  `${fewerBytes.toFixed(0)}x`,
  seconds.toFixed(0),
  `${(100 * named).toFixed(0)} %`,
];

const tableLine = ([method, ...rest]: readonly string[]): string =>
  `${method.padEnd(24)}${rest.map((cell) => cell.padStart(13)).join("")}`;
