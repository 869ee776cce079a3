// `gossamer host`: starts a host, says what to do next, and stops it well.

import { FormatError } from "#formats";
import { DataError } from "#store/disk";
import type { JoinPolicy } from "../host/access/access.ts";
import { type Certificate, loadCertificate } from "../host/certificate.ts";
import type { ClusterHost } from "../host/cluster/host.ts";
import { type HostOptions, startHost, startSignaling } from "../host/host.ts";
import { SpecError } from "../host/load-run.ts";
import type { RunningHost } from "../host/network.ts";
import { type LogFormat, type Report, reportAs } from "../host/report.ts";
import type { HostedRun } from "../host/run.ts";
import { SamplesThread } from "../host/samples/samples-thread.ts";
import { StartError } from "../host/server.ts";
import { loadTurn, type TurnOptions } from "../host/turn.ts";
import { BlobLostError, DivergenceError } from "../host/witness.ts";
import { WitnessThread } from "../host/witness-thread.ts";
import { CheckpointError } from "../web/try/checkpoints.ts";
import { BrowserError } from "./browser.ts";
import { NoCheckpointError } from "./checkpoint-source.ts";
import { startDonors } from "./donors.ts";
import { ExportError } from "./export/export.ts";
import { GenerateError } from "./generate.ts";
import { InstallError } from "./install.ts";
import { RemoteError } from "./remote.ts";

/** What `gossamer host` serves when nothing is named. */
export const RUN_DEFAULT = "micro";

export interface HostCommandOptions extends TurnOptions {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  /** Presets or files; none: the one that `gossamer host` begins with. */
  readonly run?: readonly string[];
  readonly share?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly donors: number;
  readonly relayMbit: number;
  readonly relayCapGb?: number;
  readonly waitFor: number;
  readonly logFormat: LogFormat;
  readonly only?: "signaling";
  readonly cluster?: string;
  readonly clusterAddress?: string;
  readonly allowOrigin?: readonly string[];
  readonly turnDev?: boolean;
  readonly trustProxy?: readonly string[];
  readonly basePath?: string;
  readonly join?: JoinPolicy;
  /** Folder that relative file names start from. */
  readonly from: string;
  readonly page: string;
}

/** What an operator can put right is told in one line; anything else is our bug and keeps its stack. */
export function tell(error: unknown, report: Report = (line) => console.error(line)): void {
  const known =
    error instanceof StartError ||
    error instanceof BrowserError ||
    error instanceof InstallError ||
    error instanceof SpecError ||
    error instanceof DataError ||
    error instanceof ExportError ||
    error instanceof FormatError ||
    error instanceof GenerateError ||
    error instanceof NoCheckpointError ||
    error instanceof CheckpointError ||
    error instanceof RemoteError ||
    error instanceof BlobLostError ||
    error instanceof DivergenceError;
  if (known) report((error as Error).message, "error");
  else report(error instanceof Error ? (error.stack ?? error.message) : String(error), "error");
}

/** What a host gives to threads. The built workers lie beside the built main (vite.config.ts). */
export const hostThreads: Pick<HostOptions, "witness" | "samples"> = {
  witness: (spec, { path }) => new WitnessThread(new URL("./witness.js", import.meta.url), { spec, data: path }),
  samples: (spec, { path }) => new SamplesThread(new URL("./samples.js", import.meta.url), spec, path),
};

/** @throws StartError */
async function ownCertificate({ tlsCert, tlsKey, share }: HostCommandOptions): Promise<Certificate | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined)
    throw new StartError("--tls-cert and --tls-key belong together: the certificate chain and its private key.");
  if (share)
    throw new StartError("--share makes a certificate of its own: leave it out, and listen with --host 0.0.0.0.");
  return loadCertificate(tlsCert, tlsKey);
}

/** After the certificate was renewed, for example by certbot: kill -HUP, and no connection is lost. */
function renewOnHangup(host: RunningHost, options: HostCommandOptions, report: Report): void {
  if (options.tlsCert === undefined) return; // a terminal that closes ends the host
  process.on("SIGHUP", () => {
    ownCertificate(options).then(
      (certificate) => {
        if (certificate !== undefined) host.renewCertificate(certificate);
        report("The certificate has been read again.");
      },
      (error) => tell(error, report),
    ); // the one before stays in use
  });
}

/** What hosts of a cluster do not have is refused, not left out in silence. @throws StartError */
function clusterOptions({ cluster = "", clusterAddress, join, relayCapGb }: HostCommandOptions) {
  if (join !== undefined && join !== "open")
    throw new StartError(`--join ${join}: the hosts of a cluster take everybody; each has its own list of bans alone.`);
  if (relayCapGb !== undefined) throw new StartError("--relay-cap-gb: the hosts of a cluster relay nothing.");
  return { cluster, clusterAddress };
}

export async function hostCommand(options: HostCommandOptions): Promise<void> {
  const stop = new AbortController();
  const report = reportAs(options.logFormat, (line) => console.error(line));
  const sayStarted = (hints: string, { url }: RunningHost): void => {
    if (options.logFormat === "json") report(`Listens at ${url}.`);
    else console.log(hints);
  };
  const network = {
    host: options.share ? "0.0.0.0" : options.host,
    port: options.port,
    share: options.share ?? false,
    allowOrigins: options.allowOrigin ?? [],
    turnDev: options.turnDev,
    trustProxy: options.trustProxy,
    basePath: options.basePath,
    signal: process.env.GOSSAMER_SIGNAL,
    page: options.page,
    report,
    data: options.data,
  };
  let host: RunningHost;
  try {
    const turn = await loadTurn(options);
    const certificate = await ownCertificate(options);
    const common = { ...network, turn, certificate };
    const ordering = {
      ...common,
      startPeers: options.waitFor,
      runs: options.run ?? [RUN_DEFAULT],
      from: options.from,
      ...hostThreads,
      fatal: (error: Error) => {
        report("The host cannot go on, and stops before it acknowledges what it cannot keep:", "error");
        tell(error, report);
        process.exitCode = 1;
        stop.abort();
      },
    };
    if (options.only === "signaling") {
      host = await startSignaling(common);
      sayStarted(signalingHints(host), host);
    } else if (options.cluster !== undefined) {
      const { startClusterHost } = await import("../host/cluster/host.ts"); // with NATS's client, which nobody else loads
      const { cluster, clusterAddress } = clusterOptions(options);
      const started = await startClusterHost({ ...ordering, cluster, clusterAddress });
      host = started;
      sayStarted(clusterHints(started), host);
    } else {
      const { relayMbit, relayCapGb, join } = options;
      const relayCapBytes = relayCapGb === undefined ? undefined : relayCapGb * 1e9;
      const started = await startHost({ ...ordering, relayMbit, relayCapBytes, join });
      host = started;
      sayStarted(hostHints(host, started.runs.list(), options), host);
    }
  } catch (error) {
    tell(error, report);
    process.exitCode = 1;
    return;
  }
  renewOnHangup(host, options, report);
  let stopDonors = async (): Promise<void> => {};
  if (options.donors > 0 && options.only === undefined) {
    try {
      stopDonors = await startDonors({
        url: host.url,
        count: options.donors,
        report: (line) => (options.logFormat === "json" ? report(line) : console.log(line)),
      });
    } catch (error) {
      tell(error, report);
      process.exitCode = 1;
      stop.abort();
    }
  }
  await stopped(stop.signal);
  if (options.logFormat === "json") report("Stopping.");
  else console.log("\nStopping…");
  await stopDonors();
  await host.close();
  process.exit(process.exitCode ?? 0);
}

/** Resolves at the first SIGINT or SIGTERM, or at the abort; a second signal ends the process at once. */
export function stopped(abort: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const ask = (signal: NodeJS.Signals) => {
      if (asked) process.exit(signal === "SIGINT" ? 130 : 143);
      asked = true;
      resolve();
    };
    process.on("SIGINT", ask);
    process.on("SIGTERM", ask);
    if (abort.aborted) resolve();
    abort.addEventListener("abort", () => resolve());
  });
}

function progressOf(run: HostedRun): string {
  const { round, state } = run.summary();
  if (state === "ended") return `which has ended: ${run.ended}`;
  return round === 0 ? "a new run" : `going on after round ${round}`;
}

function hostHints(host: RunningHost, runs: readonly HostedRun[], options: HostCommandOptions): string {
  const page = (run: HostedRun, index: number) => (index === 0 ? host.url : `${host.url}/?run=${run.id}`);
  const lines = [
    "",
    ...runs.flatMap((run, index) => [
      `  Gossamer hosts "${run.spec.name}", ${progressOf(run)}`,
      ...(runs.length > 1 ? [`    ${page(run, index)}`] : []),
    ]),
    "",
    `  Donate   ${host.url}         open it in a browser and press "Donate this GPU"`,
    `  Watch    ${host.url}/watch   needs no GPU`,
    `  Operate  ${host.url}/admin   with a token: npm run gossamer -- token new`,
  ];
  for (const url of host.lanUrls) lines.push(`  Others   ${url}         from other machines in your network`);
  if (options.share)
    lines.push(
      "",
      "  Browsers will warn: the certificate is this host's own, vouched for by nobody. Compare the address with the one above,",
      '  then choose "Advanced" and "Proceed". WebGPU needs HTTPS on every machine but this one.',
    );
  else if (options.tlsCert === undefined) lines.push(`  Second machine: stop this, then  npm start -- --share`);
  lines.push(`  Data     ${options.data}`, "", "  Ctrl-C stops; the same command goes on where it was.", "");
  return lines.join("\n");
}

const clusterHints = ({ url, spec, server }: ClusterHost): string =>
  [
    "",
    `  Gossamer serves "${spec.name}" as one host of the cluster at ${server}.`,
    `  Point a load balancer at ${url}, and start more of them with the same --cluster and --run, each with its own --data.`,
    "  Its health check asks GET /readyz. Hosts of a cluster relay nothing: peers that find no way to each other need --turn.",
    "",
  ].join("\n");

const signalingHints = (host: RunningHost): string =>
  [
    "",
    `  Gossamer signals at ${host.url.replace(/^http/, "ws")}/signal, and does nothing else.`,
    `  Build a page that uses it:  npm run build -- --signal ${host.url.replace(/^http/, "ws")}/signal`,
    "  Pages of other origins need --allow-origin ORIGIN here.",
    "",
  ].join("\n");
