// `gossamer log`: a run's entries, a line each; with --follow those that come, as they come.
//
//   GET /api/runs/:id/log?raw=1&from=…   |   DATA/runs/<id>   ->   entries -> lines
import { setTimeout as after } from "node:timers/promises";
import * as z from "zod/mini";
import { countOfAttesters, type LogEntry, logEntrySchema, sizeOfRoster } from "#wire";
import { english as format, shortPeer } from "../../web/words/format.ts";
import { type Remote, RemoteError, runPath } from "../remote.ts";
import { plain } from "./table.ts";

/** Entries in one answer; a host gives no more. */
const PAGE = 1_000;
/** A round takes seconds at least, and a host that is asked once a second does not notice. */
const FOLLOW_EVERY_MS = 1_000;

/** A host that starts again is back within this; one that is away for longer ends the command. */
const AWAY_MAX_MS = 60_000;

const pageSchema = z.array(logEntrySchema);

export interface LogAsked {
  /** First entry; undefined: the last `limit`. */
  readonly from: number | undefined;
  readonly limit: number;
}

/** @param total how many there are. Exported for both sources: the same question has the same answer. */
export const rangeOf = ({ from, limit }: LogAsked, total: number): [start: number, end: number] => {
  const start = from ?? Math.max(0, total - limit);
  return [start, Math.min(total, start + limit)];
};

/** @throws RemoteError */
export async function* remoteLog(remote: Remote, run: string, asked: LogAsked): AsyncGenerator<LogEntry> {
  const { head } = await remote.detail(run);
  const [start, end] = rangeOf(asked, head.seq + 1);
  let at = start;
  while (at < end) {
    const page = await entriesFrom(remote, run, at, Math.min(PAGE, end - at));
    if (page.length === 0) return;
    yield* page;
    at += page.length;
  }
}

/** Those after that place, for ever. @throws RemoteError when the host is away for long */
export async function* followLog(remote: Remote, run: string, from: number): AsyncGenerator<LogEntry> {
  let [at, away] = [from, 0];
  for (;;) {
    try {
      const page = await entriesFrom(remote, run, at, PAGE);
      away = 0;
      yield* page;
      at += page.length;
      if (page.length === PAGE) continue;
    } catch (error) {
      if (!(error instanceof RemoteError) || error.fault !== "unreachable" || away >= AWAY_MAX_MS) throw error;
      away += FOLLOW_EVERY_MS;
    }
    await after(FOLLOW_EVERY_MS);
  }
}

const entriesFrom = async (remote: Remote, run: string, from: number, limit: number): Promise<LogEntry[]> =>
  (await remote.ask(runPath(run, `/log?raw=1&from=${from}&limit=${limit}`), pageSchema)) as LogEntry[];

/** seq, wall clock (UTC), type, round as the entry has it, and what it says. */
export function entryLine(entry: LogEntry): string {
  const time = new Date(entry.time).toISOString().slice(0, 19).replace("T", " ");
  const round = "round" in entry ? String(entry.round) : "";
  return `${String(entry.seq).padStart(6)}  ${time}  ${entry.type.padEnd(10)} ${round.padStart(5)}  ${said(entry)}`;
}

function said(entry: LogEntry): string {
  switch (entry.type) {
    case "open":
      return `roster ${sizeOfRoster(entry.roster)}, within ${format.duration(entry.deadlineMs)}`;
    case "commit": {
      const sum = (of: "tokens" | "bytes") => entry.contributors.reduce((all, each) => all + each[of], 0);
      return `${entry.contributors.length} named, ${format.short(sum("tokens"))} tokens, ${format.bytes(sum("bytes"))}`;
    }
    case "seal": {
      const refused = entry.refused.length === 0 ? "" : `, ${entry.refused.length} refused`;
      return `${entry.anchorHash.slice(0, 12)}, attested by ${countOfAttesters(entry.attesters)}${refused}`;
    }
    case "eval":
      return `loss ${entry.loss.toFixed(4)}, by ${shortPeer(entry.peer)}`;
    case "checkpoint":
      return `${entry.anchorHash.slice(0, 12)}, ${format.bytes(entry.blobs.reduce((all, { bytes }) => all + bytes, 0))}`;
    case "void":
    case "end":
      return plain(entry.reason);
  }
}
