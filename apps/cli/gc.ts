// `gossamer gc`: deletes what a policy lets go of a data directory's checkpoints and updates, or says what would go. A host may run
// meanwhile: what it needs to go on stays, and uploads that no log names yet are its own affair.
//
//   DATA/runs/* -> each run's own list -> without what any other run names -> deleted
import { join } from "node:path";
import { type Command, Option } from "commander";
import { checkDataFolder, DiskBlobStore, readFileIfThere } from "#store/disk";
import { blobsNamedBy, specBlobs } from "#wire";
import { letGo, type RetentionPolicy } from "../host/retention.ts";
import { english as format } from "../web/words/format.ts";
import { readRuns, type StoredRun } from "./ask/stored.ts";
import { type Column, tableLines } from "./ask/table.ts";
import { numberFrom } from "./options.ts";

interface GcRow {
  readonly run: string;
  readonly name: string;
  readonly over: boolean;
  readonly kind: "checkpoint" | "update";
  readonly blobs: number;
  readonly bytes: number;
}

interface GcReport {
  readonly deleted: boolean;
  readonly rows: readonly GcRow[];
  readonly blobs: number;
  readonly bytes: number;
  readonly freeBytes: number;
}

/** @throws DataError: also when one run cannot be read, since nobody can tell what it needs */
export async function collectGarbage(data: string, policy: RetentionPolicy, dryRun: boolean): Promise<GcReport> {
  await checkDataFolder(data);
  const blobs = await DiskBlobStore.open(data);
  const runs = await readRuns(data, undefined);
  const there = new Set(await blobs.names());
  const going = new Map<string, { run: StoredRun; over: boolean; kind: GcRow["kind"] }>();
  const needed = new Set<string>();
  for (const run of runs) {
    const over = await isOver(data, run);
    const own = letGo(run.entries, over, policy, (name) => there.has(name));
    const names = new Set(own.map(({ name }) => name));
    for (const { name, kind } of own) going.set(name, { run, over, kind });
    for (const { hash } of specBlobs(run.spec)) needed.add(hash);
    for (const entry of run.entries) for (const name of blobsNamedBy(entry)) if (!names.has(name)) needed.add(name);
  }
  const rowByKey = new Map<string, GcRow>();
  let [count, bytes] = [0, 0];
  for (const [name, { run, over, kind }] of going) {
    if (needed.has(name)) continue; // another run's too
    const size = (await blobs.bytes(name)) ?? 0;
    if (!dryRun) await blobs.delete(name);
    const row = rowByKey.get(run.id + kind) ?? { run: run.id, name: run.spec.name, over, kind, blobs: 0, bytes: 0 };
    rowByKey.set(run.id + kind, { ...row, blobs: row.blobs + 1, bytes: row.bytes + size });
    count++;
    bytes += size;
  }
  return { deleted: !dryRun, rows: [...rowByKey.values()], blobs: count, bytes, freeBytes: await blobs.freeBytes() };
}

async function isOver(data: string, { id, entries }: StoredRun): Promise<boolean> {
  if (entries.some(({ type }) => type === "end")) return true;
  const state = await readFileIfThere(join(data, "runs", id, "state.json"));
  return state !== undefined && (JSON.parse(state.toString()) as { archived?: unknown }).archived === true;
}

const columns: readonly Column<GcRow>[] = [
  { title: "RUN", cell: ({ name }) => name },
  { title: "STATE", cell: ({ over }) => (over ? "over" : "goes on") },
  { title: "WHAT", cell: ({ kind }) => `${kind}s` },
  { title: "BLOBS", cell: ({ blobs }) => format.count(blobs), right: true },
  { title: "BYTES", cell: ({ bytes }) => format.bytes(bytes), right: true },
];

export function gcLines({ deleted, rows, blobs, bytes, freeBytes }: GcReport): string[] {
  const sum = `${format.count(blobs)} ${blobs === 1 ? "blob" : "blobs"} of ${format.bytes(bytes)}`;
  const end = deleted
    ? `Deleted ${sum}; ${format.bytes(freeBytes)} are free now.`
    : `Would delete ${sum}; ${format.bytes(freeBytes)} are free without that.`;
  return rows.length === 0
    ? [`Nothing goes by this policy; ${format.bytes(freeBytes)} are free.`]
    : [...tableLines(columns, rows), end];
}

interface GcAsked {
  readonly data: string;
  readonly keepCheckpoints?: number;
  readonly keepEvery?: number;
  readonly dropUpdates?: "ended" | "past";
  readonly dryRun: boolean;
  readonly json: boolean;
}

export function addGcCommand(program: Command, dataOption: () => Option): void {
  program
    .command("gc")
    .description("delete checkpoints and updates of a data directory by a policy; the host may go on meanwhile")
    .addOption(dataOption())
    .option(
      "--keep-checkpoints <count>",
      "of each run the newest so many stay (default: all)",
      numberFrom(1, 1_000_000),
    )
    .option("--keep-every <rounds>", "and those of every so many rounds", numberFrom(1, 10_000_000))
    .addOption(
      new Option(
        "--drop-updates <which>",
        "ended: those of ended and archived runs; past: also those before the kept checkpoints of runs that go on",
      ).choices(["ended", "past"]),
    )
    .option("--dry-run", "say what would go, and delete nothing", false)
    .option("--json", "print one JSON object", false)
    .addHelpText(
      "after",
      `
Two checkpoints of a run that goes on always stay, one of a run that is over, and all updates after the newest ones: any host can go on. Without
its older updates a run replays from its oldest checkpoint that has all updates after it, and no more from genesis: back it up first if
that matters. Runs with "retain": "window" drop theirs by themselves.`,
    )
    .action(async ({ data, keepCheckpoints, keepEvery, dropUpdates, dryRun, json }: GcAsked) => {
      const policy = { checkpoints: keepCheckpoints, every: keepEvery, updates: dropUpdates ?? ("keep" as const) };
      const report = await collectGarbage(data, policy, dryRun);
      for (const line of json ? [JSON.stringify(report)] : gcLines(report)) console.log(line);
    });
}
