// `gossamer status`: how a host and its runs are, in lines of 80 columns or as JSON.
//
//   GET /api/runs, /api/runs/:id, …/overview   |   DATA/runs/*, blobs   ->   StatusReport -> lines
import { measuresOf } from "#data";
import { DiskBlobStore, holderOf } from "#store/disk";
import { type Overview, overviewSchema, type RunDetail, seriesSchema } from "#wire";
import { findingLine } from "../../host/diagnosis/run-diagnosis.ts";
import { english as format, nameOf } from "../../web/words/format.ts";
import { type Remote, runPath } from "../remote.ts";
import { headOf, readRuns } from "./stored.ts";
import { plain } from "./table.ts";

/** Runs that are told one by one: a screen or two. --run takes any. */
const RUNS_MAX = 32;
/** Peers that a round waits for and that are named. */
const AWAITED_MAX = 5;
/** What slows rounds most; gossamer diagnose tells all. */
const SLOW_MAX = 2;

interface RunStatus {
  readonly id: string;
  readonly name: string;
  /** "stored": read from the disk, no host was asked. */
  readonly state: RunDetail["state"] | "stored";
  readonly round: number; // sealed
  readonly anchorHash: string | null;
  readonly tokens: number;
  readonly trainLoss: number | null;
  readonly evalLoss: number | null;
  /** The same, once there is one. */
  readonly perplexity?: number;
  readonly bitsPerByte?: number;
  readonly entries: number;
  readonly endReason: string | null;
  /** Of the newest sealed round; null: not known. */
  readonly roundMs: number | null;
  readonly writtenAt: number | null;
  /** What a host alone knows. */
  readonly live: {
    readonly phase: RunDetail["phase"];
    readonly peersByState: Partial<Overview["peersByState"]>;
    readonly roster: number;
    readonly offered: number;
    /** Of the roster, those whose offers are missing, while some are there. */
    readonly awaited: readonly { readonly peer: string; readonly name: string }[];
    readonly tokensPerSecond: number;
    readonly traffic: RunDetail["traffic"];
    /** Who or what slows the rounds, costliest first. */
    readonly slow: readonly string[];
  } | null;
}

export interface StatusReport {
  readonly url: string | null;
  readonly data: string | null;
  /** Of the host. */
  readonly build: string | null;
  readonly host: Overview["host"] | null;
  /** Process id of the host that uses the directory. */
  readonly usedBy: number | null;
  readonly disk: { readonly blobs: number; readonly bytes: number; readonly freeBytes: number } | null;
  readonly runs: readonly RunStatus[];
  readonly runsTotal: number;
}

/** @throws RemoteError */
export async function remoteStatus(remote: Remote, run: string | undefined): Promise<StatusReport> {
  const ids = run === undefined ? (await remote.runs()).map(({ id }) => id) : [run];
  const runs: RunStatus[] = [];
  let [host, build]: [Overview["host"] | null, string | null] = [null, null];
  for (const id of ids.slice(0, RUNS_MAX)) {
    const detail = await remote.detail(id);
    const overview = await remote.ask(runPath(id, "/overview"), overviewSchema);
    host = overview.host;
    build = detail.build;
    const times = await remote.ask(runPath(id, "/series?metric=roundMs&points=2000"), seriesSchema);
    runs.push(liveStatus(detail, overview, times.points.at(-1)?.value ?? null));
  }
  return { url: remote.base, data: null, build, host, usedBy: null, disk: null, runs, runsTotal: ids.length };
}

function liveStatus(detail: RunDetail, overview: Overview, roundMs: number | null): RunStatus {
  const { head, roster, offered } = detail;
  const offers = new Set(offered);
  const nameByPeer = new Map(detail.peers.map(({ id, name }) => [id, name]));
  const awaited = roster
    .filter((peer) => !offers.has(peer))
    .map((peer) => ({ peer, name: nameByPeer.get(peer) ?? "" }));
  return {
    id: detail.id,
    name: detail.name,
    state: detail.state,
    round: head.round,
    anchorHash: head.anchorHash,
    tokens: head.tokens,
    trainLoss: head.trainLoss,
    evalLoss: head.evalLoss,
    ...measuresOf(detail.spec.data, head.evalLoss),
    entries: head.seq + 1,
    endReason: detail.endReason,
    roundMs,
    writtenAt: null,
    live: {
      phase: detail.phase,
      peersByState: overview.peersByState,
      roster: roster.length,
      offered: offered.length,
      awaited: detail.phase === "training" && offered.length > 0 ? awaited : [],
      tokensPerSecond: overview.tokensPerSecond,
      traffic: detail.traffic,
      slow: (overview.diagnosis?.findings ?? []).slice(0, SLOW_MAX).map((finding) => plain(findingLine(finding))),
    },
  };
}

/** @throws DataError */
export async function storedStatus(data: string, run: string | undefined): Promise<StatusReport> {
  const stored = await readRuns(data, run);
  const blobs = await DiskBlobStore.open(data);
  const runs = stored.slice(0, RUNS_MAX).map((each): RunStatus => {
    const head = headOf(each);
    return { id: each.id, ...head, state: head.endReason === null ? "stored" : "ended", live: null };
  });
  const disk = { ...(await blobs.usage()), freeBytes: await blobs.freeBytes() };
  const usedBy = (await holderOf(data)) ?? null;
  return { url: null, data, build: null, host: null, usedBy, disk, runs, runsTotal: stored.length };
}

const line = (name: string, parts: readonly (string | false)[]): string =>
  `  ${name.padEnd(9)} ${parts.filter((part) => part !== false).join(", ")}`;

export function statusLines(report: StatusReport): string[] {
  const { url, data, build, host, usedBy, disk, runs, runsTotal } = report;
  const lines = [url === null ? `${data}: ${usedLine(usedBy)}` : `${url} (${build ?? "version unknown"})`];
  if (host !== null)
    lines.push(
      line("host", [
        `up ${format.duration(Date.now() - host.startedAt)}`,
        `${format.bytes(host.memoryBytes)} of memory`,
        `timers ${format.duration(host.loopDelayMs)} late`,
      ]),
      line("sockets", [
        `${format.count(host.connections)} signaling`,
        `${format.count(host.watchers)} watching`,
        `${format.count(host.relayLinks)} relayed links (${format.bytes(host.relayBytes)})`,
      ]),
    );
  if (host !== null && host.diskFreeBytes !== null)
    lines.push(line("disk", [`${format.bytes(host.diskFreeBytes)} free`]));
  if (disk !== null)
    lines.push(
      line("disk", [
        `${format.count(disk.blobs)} blobs of ${format.bytes(disk.bytes)}`,
        `${format.bytes(disk.freeBytes)} free`,
      ]),
    );
  for (const run of runs) lines.push("", ...runLines(run));
  if (runsTotal > runs.length) lines.push("", `and ${runsTotal - runs.length} more runs: --run ID takes any`);
  return lines;
}

const usedLine = (pid: number | null): string =>
  pid === null ? "no host uses it" : `the host with process id ${pid} uses it (--url asks that one who is here)`;

function runLines(run: RunStatus): string[] {
  const { live } = run;
  const state = live === null ? run.state : `${run.state}${run.state === "running" ? `, ${live.phase}` : ""}`;
  const lines = [
    `${plain(run.name)}: ${state}`,
    line("id", [run.id]),
    line("round", [
      `${format.count(run.round)} sealed`,
      run.roundMs !== null && `the newest took ${format.duration(run.roundMs)}`,
    ]),
    line("log", [
      `${format.count(run.entries)} entries`,
      run.writtenAt !== null &&
        `the last of ${new Date(run.writtenAt).toISOString().slice(0, 16).replace("T", " ")} UTC`,
    ]),
    line("tokens", [format.sizeInWords(run.tokens), live !== null && `${format.count(live.tokensPerSecond)} a second`]),
    line("loss", [`training ${format.loss(run.trainLoss)}`, `evaluation ${format.loss(run.evalLoss)} nats per token`]),
  ];
  if (run.bitsPerByte !== undefined && run.perplexity !== undefined)
    lines.push(
      line("held out", [`${format.loss(run.bitsPerByte)} bits per byte`, `perplexity ${format.loss(run.perplexity)}`]),
    );
  if (run.anchorHash !== null) lines.push(line("anchor", [run.anchorHash]));
  if (live !== null) lines.push(...liveLines(live));
  if (run.endReason !== null) lines.push(line("ended", [plain(run.endReason)]));
  return lines;
}

function liveLines({
  peersByState,
  roster,
  offered,
  awaited,
  traffic,
  slow,
}: NonNullable<RunStatus["live"]>): string[] {
  const here = Object.entries(peersByState).filter(([state, count]) => state !== "left" && (count ?? 0) > 0);
  const lines = [
    line("peers", here.length === 0 ? ["nobody is here"] : here.map(([state, count]) => `${count} ${state}`)),
  ];
  if (roster > 0) lines.push(line("offers", [`${offered} of ${roster}`]));
  if (awaited.length > 0) {
    const named = awaited.slice(0, AWAITED_MAX).map(({ peer, name }) => nameOf(peer, plain(name)));
    const more = awaited.length > named.length && `and ${awaited.length - named.length} more`;
    lines.push(line("awaited", [...named, more]));
  }
  lines.push(
    line("links", [
      `${format.bytes(traffic.direct)} direct`,
      `${format.bytes(traffic.turn)} through TURN`,
      `${format.bytes(traffic.relayed)} through the host`,
    ]),
    line("served", [`${format.bytes(traffic.fromHost)} to peers`, `${format.bytes(traffic.toHost)} from them`]),
    ...slow.map((finding) => line("slow", [finding])),
  );
  return lines;
}
