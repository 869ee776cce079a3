// `gossamer host`: starts a host, says what to do next, and stops it well.

import { DataError } from "#store/disk";
import { type RunningHost, startHost, startSignaling } from "../host/host.ts";
import { SpecError } from "../host/load-run.ts";
import type { HostedRun } from "../host/run.ts";
import { StartError } from "../host/server.ts";
import { loadTurn, type TurnOptions } from "../host/turn.ts";
import { BlobLostError, DivergenceError } from "../host/witness.ts";
import { WitnessThread } from "../host/witness-thread.ts";
import { CheckpointError } from "../web/try/checkpoints.ts";
import { BrowserError } from "./browser.ts";
import { startDonors } from "./donors.ts";
import { GenerateError } from "./generate.ts";
import { InstallError } from "./install.ts";

export interface HostCommandOptions extends TurnOptions {
  readonly port: number;
  readonly host: string;
  readonly data: string;
  readonly run: string;
  readonly share?: boolean;
  readonly donors: number;
  readonly relayMbit: number;
  readonly waitFor: number;
  readonly only?: "signaling";
  readonly allowOrigin?: readonly string[];
  /** Folder that relative file names start from. */
  readonly from: string;
  readonly page: string;
}

/** What an operator can put right is told in one line; anything else is our bug and keeps its stack. */
export function tell(error: unknown): void {
  const known =
    error instanceof StartError ||
    error instanceof BrowserError ||
    error instanceof InstallError ||
    error instanceof SpecError ||
    error instanceof DataError ||
    error instanceof GenerateError ||
    error instanceof CheckpointError ||
    error instanceof BlobLostError ||
    error instanceof DivergenceError;
  console.error(known ? (error as Error).message : error);
}

/** The built worker lies beside the built main (vite.config.ts). */
export const witnessScript = (): URL => new URL("./witness.js", import.meta.url);

export async function hostCommand(options: HostCommandOptions): Promise<void> {
  const stop = new AbortController();
  const network = {
    host: options.share ? "0.0.0.0" : options.host,
    port: options.port,
    share: options.share ?? false,
    allowOrigins: options.allowOrigin ?? [],
    signal: process.env.GOSSAMER_SIGNAL,
    page: options.page,
    report: (line: string) => console.error(line),
    data: options.data,
  };
  let host: RunningHost & { readonly run?: HostedRun };
  try {
    const turn = await loadTurn(options);
    host =
      options.only === "signaling"
        ? await startSignaling({ ...network, turn })
        : await startHost({
            ...network,
            turn,
            relayMbit: options.relayMbit,
            startPeers: options.waitFor,
            run: options.run,
            from: options.from,
            witness: (spec, data) => new WitnessThread(witnessScript(), { spec, data: data.path }),
            fatal: (error) => {
              console.error("The host cannot go on, and stops before it acknowledges what it cannot keep:");
              tell(error);
              process.exitCode = 1;
              stop.abort();
            },
          });
  } catch (error) {
    tell(error);
    process.exitCode = 1;
    return;
  }
  console.log(host.run === undefined ? signalingHints(host) : hostHints(host, host.run, options));
  let stopDonors = async (): Promise<void> => {};
  if (options.donors > 0 && options.only === undefined) {
    try {
      stopDonors = await startDonors({ url: host.url, count: options.donors, report: (line) => console.log(line) });
    } catch (error) {
      tell(error);
      process.exitCode = 1;
      stop.abort();
    }
  }
  await stopped(stop.signal);
  console.log("\nStopping…");
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

function hostHints(host: RunningHost, run: HostedRun, options: HostCommandOptions): string {
  const lines = [
    "",
    `  Gossamer hosts "${run.spec.name}" (--run ${options.run}), ${progressOf(run)}`,
    "",
    `  Donate   ${host.url}         open it in a browser and press "Donate this GPU"`,
    `  Watch    ${host.url}/watch   needs no GPU`,
  ];
  for (const url of host.lanUrls) lines.push(`  Others   ${url}         from other machines in your network`);
  if (options.share)
    lines.push(
      "",
      "  Browsers will warn: the certificate is this host's own, vouched for by nobody. Compare the address with the one above,",
      '  then choose "Advanced" and "Proceed". WebGPU needs HTTPS on every machine but this one.',
    );
  else lines.push(`  Second machine: stop this, then  npm start -- --share`);
  lines.push(`  Data     ${options.data}`, "", "  Ctrl-C stops; the same command goes on where it was.", "");
  return lines.join("\n");
}

const signalingHints = (host: RunningHost): string =>
  [
    "",
    `  Gossamer signals at ${host.url.replace(/^http/, "ws")}/signal, and does nothing else.`,
    `  Build a page that uses it:  npm run build -- --signal ${host.url.replace(/^http/, "ws")}/signal`,
    "  Pages of other origins need --allow-origin ORIGIN here.",
    "",
  ].join("\n");
