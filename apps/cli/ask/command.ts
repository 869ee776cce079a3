// `gossamer status | log | peers`: what a host, or a data directory, says of its runs.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { DiskBlobStore } from "#store/disk";
import type { LogEntry } from "#wire";
import { tell } from "../host-command.ts";
import { numberFrom } from "../options.ts";
import { placeOfAddress, Remote, RemoteError } from "../remote.ts";
import { diagnosisLines, remoteDiagnosis } from "./diagnose.ts";
import { entryLine, followLog, rangeOf, remoteLog } from "./log.ts";
import { giverLines, peerLines, remotePeers } from "./peers.ts";
import { remoteStatus, statusLines, storedStatus } from "./status.ts";
import { givers, readRuns, type StoredRun } from "./stored.ts";

/** Where `gossamer host` is unless told otherwise. */
const HERE = "http://localhost:7070";
const LOG_LIMIT = 50;
const LOG_LIMIT_MAX = 10_000_000;
const PEERS_LIMIT = 100;
const PEERS_LIMIT_MAX = 100_000;

/** What the process ends with when no host, or no such run, was found. */
const EXIT_UNREACHABLE = 2;

interface Asked {
  readonly url?: string;
  readonly data?: string;
  readonly run?: string;
  readonly json: boolean;
}

const exitCodes = `
Exit codes:
  0  done
  1  the answer could not be used, or the data directory cannot be read
  2  no host answers there, or it has no such run`;

/** An address whose run, if it names one, counts as --run. */
export function addressFrom(text: string): string {
  try {
    placeOfAddress(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** @param from folder that file names start from */
export function addAskCommands(program: Command, from: string): void {
  const asks = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option("--url <address>", `a host, as in a browser's address bar (default: ${HERE})`, addressFrom)
      .addOption(
        new Option("--data <dir>", "a data directory instead: read from the disk, also while no host runs")
          .argParser((text) => resolve(from, text))
          .conflicts("url"),
      )
      .option("--run <id>", "one of several runs")
      .option("--json", "print JSON", false);

  asks("status", "how a host and its runs are: round, peers, loss, tokens, traffic, disk")
    .addHelpText("after", exitCodes)
    .action((asked: Asked) =>
      answered(async () => {
        const report =
          asked.data === undefined ? await remoteStatus(...remoteOf(asked)) : await storedStatus(asked.data, asked.run);
        print(asked.json ? [JSON.stringify(report)] : statusLines(report));
      }),
    );

  asks("log", "a run's log, an entry a line; rounds count from 0 there, as in the log")
    .option("--from <seq>", "the first entry (default: so that the newest is the last)", numberFrom(0, LOG_LIMIT_MAX))
    .option("--limit <count>", "at most so many", numberFrom(1, LOG_LIMIT_MAX), LOG_LIMIT)
    .option("--follow", "go on with what comes, until Ctrl-C (a host alone)", false)
    .addHelpText(
      "after",
      `\nTimes are the host's clock, in UTC. With --json an entry is a line, as it was signed.\n${exitCodes}`,
    )
    .action((asked: Asked & { from?: number; limit: number; follow: boolean }) =>
      answered(async () => {
        const show = (entry: LogEntry): void => print([asked.json ? JSON.stringify(entry) : entryLine(entry)]);
        if (asked.data !== undefined) {
          const { entries } = await oneOf(asked.data, asked.run);
          for (const entry of entries.slice(...rangeOf({ from: asked.from, limit: asked.limit }, entries.length)))
            show(entry);
          return;
        }
        const [remote, run = "default"] = remoteOf(asked);
        let next = asked.from ?? 0;
        for await (const entry of remoteLog(remote, run, { from: asked.from, limit: asked.limit })) {
          show(entry);
          next = entry.seq + 1;
        }
        if (asked.follow) for await (const entry of followLog(remote, run, next)) show(entry);
      }),
    );

  program
    .command("diagnose")
    .description("which peer or link slows a run's rounds, why, and by how much")
    .option("--url <address>", `a host, as in a browser's address bar (default: ${HERE})`, addressFrom)
    .option("--run <id>", "one of several runs")
    .option("--json", "print JSON", false)
    .addHelpText("after", exitCodes)
    .action((asked: Asked) =>
      answered(async () => {
        const [remote, run = "default"] = remoteOf(asked);
        const diagnosis = await remoteDiagnosis(remote, run);
        print(asked.json ? [JSON.stringify(diagnosis)] : diagnosisLines(diagnosis));
      }),
    );

  asks("peers", "who is here and who has given: a table")
    .option("--limit <count>", "at most so many", numberFrom(1, PEERS_LIMIT_MAX), PEERS_LIMIT)
    .addHelpText("after", exitCodes)
    .action((asked: Asked & { limit: number }) =>
      answered(async () => {
        if (asked.data !== undefined) {
          const stored = await oneOf(asked.data, asked.run);
          const blobs = await DiskBlobStore.open(asked.data);
          const rows = givers(stored, (hash) => blobs.getNow(hash));
          return print(asked.json ? [JSON.stringify(rows)] : giverLines(rows, asked.limit));
        }
        const [remote, run = "default"] = remoteOf(asked);
        const report = await remotePeers(remote, run, asked.limit);
        print(asked.json ? [JSON.stringify(report)] : peerLines(report));
      }),
    );
}

function remoteOf({ url = HERE, run }: Asked): [Remote, string | undefined] {
  const place = placeOfAddress(url);
  return [new Remote(place.base), run ?? place.run];
}

async function oneOf(data: string, run: string | undefined): Promise<StoredRun> {
  const runs = await readRuns(data, run);
  const newest = (stored: StoredRun): number => stored.entries.at(-1)?.time ?? 0;
  return runs.reduce((one, other) => (newest(other) > newest(one) ? other : one));
}

const print = (lines: readonly string[]): void => {
  for (const line of lines) console.log(line);
};

async function answered(answer: () => Promise<void>): Promise<void> {
  process.stdout.on("error", () => process.exit(0)); // who reads has read enough: | head
  try {
    await answer();
  } catch (error) {
    tell(error);
    process.exitCode = error instanceof RemoteError && error.fault !== "version" ? EXIT_UNREACHABLE : 1;
  }
}
