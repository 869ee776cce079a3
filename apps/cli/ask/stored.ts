// The runs of a data directory, read from its files alone: a host may use it meanwhile, or none.
//
//   DATA/runs/<id>/{spec.json, log} -> spec, entries, and what they come to
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { measuresOf } from "#data";
import { DataError, readLog } from "#store/disk";
import { type LogEntry, type RunSpec, runIdOf } from "#wire";
import { SeriesStore } from "../../host/series.ts";
import { Standings } from "../../host/standings.ts";
import { readSpec } from "../replay.ts";

export interface StoredRun {
  readonly id: string;
  readonly spec: RunSpec;
  readonly entries: readonly LogEntry[];
}

/** @throws DataError */
async function readRun(folder: string): Promise<StoredRun> {
  const spec = await readSpec(folder);
  const id = runIdOf(spec);
  const { entries } = await readLog(folder, id, spec.hostKey);
  return { id, spec, entries };
}

/** One of them, or all, in the order of their ids. @throws DataError when there is none, or one cannot be read */
export async function readRuns(data: string, run: string | undefined): Promise<StoredRun[]> {
  const folder = join(data, "runs");
  const ids = (await readdir(folder).catch(() => [] as string[])).sort();
  if (ids.length === 0) throw new DataError(`${data} holds no run. Give the host's data directory with --data.`);
  if (run !== undefined && !ids.includes(run))
    throw new DataError(`${data} holds no run ${run}. Its runs are ${ids.join(", ")}.`);
  const wanted = run === undefined ? ids : [run];
  const runs: StoredRun[] = [];
  for (const id of wanted) runs.push(await readRun(join(folder, id)));
  return runs;
}

/** What its log comes to. */
export function headOf({ spec, entries }: StoredRun) {
  const series = new SeriesStore();
  for (const entry of entries) series.apply(entry);
  const seal = entries.findLast((entry) => entry.type === "seal");
  const end = entries.findLast((entry) => entry.type === "end");
  return {
    name: spec.name,
    round: seal === undefined ? 0 : seal.round + 1,
    anchorHash: seal?.anchorHash ?? null,
    tokens: series.at("contributors", Number.MAX_SAFE_INTEGER)?.tokens ?? 0,
    trainLoss: series.last("trainLoss"),
    evalLoss: series.last("evalLoss"),
    ...measuresOf(spec.data, series.last("evalLoss")),
    roundMs: series.last("roundMs"),
    entries: entries.length,
    writtenAt: entries.at(-1)?.time ?? null,
    endReason: end?.reason ?? null,
  };
}

/** Who has given how much, most first. */
export const givers = ({ entries }: StoredRun, manifest: (hash: string) => Uint8Array | undefined) =>
  new Standings(entries, manifest).after(Number.MAX_SAFE_INTEGER);
