// `gossamer demo`: the whole of it in a terminal. A host, headless browsers that donate, live lines, then a replay that proves it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countOfAttesters, type LogEntry, type RunDetail } from "#wire";
import { startHost } from "../host/host.ts";
import { startDonors } from "./donors.ts";
import { hostThreads, stopped, tell } from "./host-command.ts";
import { replay, replayLines } from "./replay.ts";

export interface DemoOptions {
  readonly run: string;
  readonly donors: number;
  readonly minutes: number;
  /** Stops when an evaluation is below this, nats per token. */
  readonly targetLoss: number;
  /** Kept when given; else a temporary directory that is removed. */
  readonly data?: string;
  readonly port: number;
  readonly from: string;
  readonly page: string;
}

type Ending = "target" | "time" | "ended" | "stopped" | "failed";

const LINE_EVERY_MS = 5_000;

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const fixed = (value: number | null, digits: number): string => (value === null ? "—" : value.toFixed(digits));

/** @returns whether the target was reached and the replay agrees */
export async function demo(options: DemoOptions, out: (line: string) => void): Promise<boolean> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), "gossamer-demo-")));
  const startedAt = performance.now();
  const abort = new AbortController();
  let ending: Ending = "stopped";
  const finish = (why: Ending) => {
    if (!abort.signal.aborted) ending = why;
    abort.abort();
  };
  const host = await startHost({
    host: "127.0.0.1",
    port: options.port,
    share: false,
    allowOrigins: [],
    relayMbit: 0, // all browsers are on this machine
    page: options.page,
    report: out,
    data,
    runs: [options.run],
    from: options.from,
    ...hostThreads,
    fatal: (error) => {
      tell(error);
      finish("failed");
    },
  });
  const { run } = host;
  out(`Run "${run.spec.name}" at ${host.url} (watch it at ${host.url}/watch)`);
  const clock = (): string => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    return `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  run.subscribe({
    entry: (entry) => {
      for (const line of entryLines(entry)) out(`${clock()}  ${line}`);
      if (entry.type === "eval" && entry.loss < options.targetLoss) finish("target");
      if (entry.type === "end") finish("ended");
    },
  });
  const lines = setInterval(() => out(`${clock()}  ${statusLine(run.detail(0, 100))}`), LINE_EVERY_MS);
  const timer = setTimeout(() => finish("time"), options.minutes * 60_000);
  let stopDonors = async (): Promise<void> => {};
  try {
    stopDonors = await startDonors({
      url: host.url,
      count: options.donors,
      report: (line) => out(`${clock()}  ${line}`),
    });
    await stopped(abort.signal);
  } finally {
    clearInterval(lines);
    clearTimeout(timer);
    await stopDonors();
    await host.close();
  }
  out("");
  for (const line of summaryLines(run.detail(0, 100), run.entries, (performance.now() - startedAt) / 1000)) out(line);
  const report = await replay({ data, run: run.id, eval: true });
  for (const line of replayLines(report)) out(line);
  if (options.data === undefined) await rm(data, { recursive: true, force: true });
  const reached = reachedTarget(run.entries, options.targetLoss);
  out(
    reached
      ? `PASSED      an evaluation below ${options.targetLoss}`
      : `FAILED      no evaluation below ${options.targetLoss} (${ending})`,
  );
  return reached && report.ok;
}

const reachedTarget = (entries: readonly LogEntry[], target: number): boolean =>
  entries.some((entry) => entry.type === "eval" && entry.loss < target);

function entryLines(entry: LogEntry): string[] {
  switch (entry.type) {
    case "seal":
      return [
        `round ${entry.round + 1} sealed, anchor ${entry.anchorHash.slice(0, 12)}, attested by ${countOfAttesters(entry.attesters)}`,
      ];
    case "eval":
      return [`round ${entry.round} evaluated: ${entry.loss.toFixed(4)} nats per token on held-out text`];
    case "end":
      return [`the run has ended: ${entry.reason}`];
    case "void":
      return [`round ${entry.round + 1} void: ${entry.reason}`];
    default:
      return [];
  }
}

function statusLine({ round, phase, peers, head }: RunDetail): string {
  const here = peers.filter(({ state }) => state !== "left");
  const rate = here.reduce((sum, peer) => sum + peer.tokensPerSecond, 0);
  const steps = here.map(({ step }) => step).join("/");
  const direct = here.reduce((sum, peer) => sum + peer.bytesReceived, 0);
  return `round ${round} ${phase}, step ${steps || "—"}, ${here.length} peers, loss ${fixed(head.trainLoss, 3)}, ${rate.toFixed(0)} tokens/s, ${mebibytes(direct)} between peers`;
}

/** Commits that name every donor since all were in, and each donor's part of the tokens. */
function summaryLines(detail: RunDetail, entries: readonly LogEntry[], seconds: number): string[] {
  const commits = entries.filter((entry) => entry.type === "commit");
  const most = Math.max(0, ...commits.map(({ contributors }) => contributors.length));
  const firstFull = commits.findIndex(({ contributors }) => contributors.length === most);
  const since = firstFull < 0 ? [] : commits.slice(firstFull);
  const full = since.filter(({ contributors }) => contributors.length === most).length;
  const { head, peers, updateBytesServed } = detail;
  return [
    `rounds      ${head.round} in ${(seconds / 60).toFixed(1)} min, ${head.tokens} tokens (${(head.tokens / seconds).toFixed(0)} per second)`,
    `loss        training ${fixed(head.trainLoss, 3)}, evaluation ${fixed(head.evalLoss, 4)} nats per token`,
    `commits     ${full} of ${since.length} name all ${most} peers since all were in`,
    ...peers.map(
      ({ id, tokens, rounds }) =>
        `peer        ${id.slice(0, 8)}-${id.slice(64)}: ${tokens} tokens (${head.tokens > 0 ? Math.round((100 * tokens) / head.tokens) : 0} %), ${rounds} rounds`,
    ),
    `host        served ${updateBytesServed} bytes of updates to peers`,
  ];
}
