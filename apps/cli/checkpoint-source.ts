// Where commands take a model from: a run's checkpoint, of a host or of a data directory.
//
//   host: /checkpoints, /blobs, checked by their names   |   DATA/runs/<id>, its signed log, + blobs   ->   parameters
import { join } from "node:path";
import { checkProvenance, type Provenance, provenanceOf } from "#formats";
import { BaseError, mergeAdapters } from "#outer";
import { DataError, DiskBlobStore, readFileIfThere, readLog } from "#store/disk";
import {
  type BlobRef,
  blobName,
  type CheckpointRow,
  type Identity,
  identityFrom,
  type RunSpec,
  runDetailSchema,
  runIdOf,
} from "#wire";
import { wholeModel } from "../host/whole-model.ts";
import {
  askOffered,
  askRun,
  fetchBase,
  fetchBlob,
  fetchParameters,
  parametersBlob,
  parametersFrom,
} from "../web/try/checkpoints.ts";
import { english } from "../web/words/format.ts";
import { readSpec, runFolder } from "./replay.ts";

export interface CheckpointPlace {
  /** A host's origin; undefined: the data directory. */
  readonly url?: string | undefined;
  readonly data: string;
  /** A run's id; undefined: the host's, or the one of the directory that was written last. */
  readonly run?: string | undefined;
}

/** A run's checkpoints, and the way to their parameters. */
export interface CheckpointSource {
  readonly spec: RunSpec;
  readonly rows: readonly CheckpointRow[]; // newest first
  /** The whole model, flat, checked against its name; where the run trains adapters, its base with them merged into it. */
  readonly load: (row: CheckpointRow) => Promise<Float32Array>;
  /** What its peers share: the same, or adapters alone. */
  readonly shared: (row: CheckpointRow) => Promise<Float32Array>;
  /** One that the spec names, checked against its name. */
  readonly blob: (ref: Pick<BlobRef, "hash" | "bytes">) => Promise<Uint8Array>;
  /** What the log says of it, signed where the host's key is. @throws FormatError */
  readonly provenance: (row: CheckpointRow) => Promise<Provenance>;
}

/** There is none there, or none of that round: told in one line. */
export class NoCheckpointError extends Error {
  override readonly name = "NoCheckpointError";
}

/**
 * @param say progress, a line at a time
 * @throws NoCheckpointError, CheckpointError, DataError
 */
export const checkpointSource = (place: CheckpointPlace, say: (line: string) => void): Promise<CheckpointSource> =>
  place.url === undefined ? fromDisk(place) : fromHost(place.url, place.run, say);

/** More are not named in an error. */
const NAMED_MAX = 12;

/** @param round rounds folded; undefined: the newest. @throws NoCheckpointError */
export function chosenCheckpoint({ rows }: CheckpointSource, round: number | undefined): CheckpointRow {
  if (rows.length === 0)
    throw new NoCheckpointError(
      "There is nothing to try yet: no checkpoint is kept, and no round sealed. Try again later.",
    );
  if (round === undefined) return rows[0];
  const row = rows.find((each) => each.round === round);
  if (row) return row;
  const kept = rows.slice(0, NAMED_MAX).map((each) => each.round);
  const more = rows.length > NAMED_MAX ? ", …" : "";
  throw new NoCheckpointError(
    `No checkpoint of round ${round} is kept. There are those of ${kept.join(", ")}${more}: --round ${kept[0]}`,
  );
}

async function fromHost(url: string, run = "default", say: (line: string) => void): Promise<CheckpointSource> {
  const place = { base: url, run };
  const detail = runDetailSchema.safeParse(await askRun(place, ""));
  if (!detail.success) throw new NoCheckpointError(`What answers at ${url} is no host of this version.`);
  const { spec } = detail.data;
  const { checkpoints, newest } = await askOffered(place);
  let base: Promise<Float32Array> | undefined;
  const whole = async (shared: Float32Array): Promise<Float32Array> => {
    if (!spec.lora) return shared;
    base ??= fetchBase(url, spec);
    return mergeAdapters(spec.model, spec.lora, await base, shared);
  };
  const shared = (row: CheckpointRow): Promise<Float32Array> => {
    say(`fetching ${english.bytes(parametersBlob(row)?.bytes ?? 0)} from ${url}`);
    return fetchParameters(url, spec, row);
  };
  return {
    spec,
    rows: newest === null || checkpoints.includes(newest) ? checkpoints : [newest, ...checkpoints],
    load: async (row) => whole(await shared(row)),
    shared,
    blob: (ref) => fetchBlob(url, ref, `blob ${ref.hash}`),
    async provenance(row) {
      const document = await askRun(place, `/export/provenance.json?round=${row.round}`);
      return checkProvenance(document, spec, row);
    },
  };
}

async function fromDisk({ data, run }: CheckpointPlace): Promise<CheckpointSource> {
  const folder = await runFolder(data, run);
  const spec = await readSpec(folder);
  const { entries } = await readLog(folder, runIdOf(spec), spec.hostKey);
  const blobs = await DiskBlobStore.open(data);
  const rows: CheckpointRow[] = [];
  for (const entry of entries.filter((entry) => entry.type === "checkpoint").reverse()) {
    const blob = parametersBlob(entry);
    if (blob && (await blobs.has(blob.hash))) rows.push(entry);
  }
  const read = async (hash: string, fault: string): Promise<Uint8Array> => {
    const bytes = await blobs.get(hash);
    if (bytes === undefined || blobName(bytes) !== hash) throw new DataError(fault);
    return bytes;
  };
  const shared = async (row: CheckpointRow): Promise<Float32Array> => {
    const fault = `The checkpoint of round ${row.round} is damaged on the disk. Take another one with --round.`;
    return parametersFrom(await read(parametersBlob(row)!.hash, fault), spec, row.round);
  };
  return {
    spec,
    rows,
    shared,
    async load(row) {
      return wholeModel(spec, blobs, await shared(row)).catch((error: unknown) => {
        throw error instanceof BaseError ? new DataError(error.message) : error;
      });
    },
    blob: ({ hash }) => read(hash, `Blob ${hash} of the run is damaged or missing in ${data}. Restore a backup.`),
    async provenance(row) {
      return provenanceOf(spec, row, entries, (hash) => blobs.getNow(hash), await hostKey(data, spec));
    },
  };
}

/** The run's host key, where it lies in the directory: not in a backup of somebody else's run. */
async function hostKey(data: string, spec: RunSpec): Promise<Identity | undefined> {
  const seed = Buffer.from((await readFileIfThere(join(data, "host.key")))?.toString().trim() ?? "", "hex");
  if (seed.length !== 32) return undefined;
  const identity = identityFrom(new Uint8Array(seed));
  return identity.volunteer === spec.hostKey ? identity : undefined;
}
