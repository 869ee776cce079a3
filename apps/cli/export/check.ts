// An exported folder held against the run's log: what it says of its origin, and its weights, byte for byte, against what the log folds to.
//
//   FOLDER/run.json, provenance.json -> of this run? signed? as the log has it?      fold of that round -> the same export again -> FOLDER's weights?
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  checkProvenance,
  type ExportFile,
  type ExportFormat,
  type ExportType,
  exportTypes,
  type FloatSource,
  FormatError,
  floatsOf,
  namedParts,
  type Provenance,
  planExport,
  provenanceOf,
  provenanceSchema,
} from "#formats";
import { encodeCheckpointSection } from "#outer";
import type { HostBlobs } from "#store/disk";
import { blobName, canonicalBytes, hashHex, type LogEntry, type RunSpec, runIdOf } from "#wire";
import { wholeModel } from "../../host/whole-model.ts";
import { BlobLostError } from "../../host/witness.ts";

/** What a folder claims, read and of the right form. */
export interface ExportedFolder {
  readonly folder: string;
  readonly provenance: Provenance;
  readonly format: ExportFormat;
  readonly dtype: ExportType;
}

/** The rest is words about these: a later build may choose others. */
const isHeld = (name: string): boolean =>
  /\.(safetensors|gguf)$|^(config|tokenizer|run|data-manifest)\.json$/.test(name);

/** @throws FormatError */
export async function openExported(folder: string, spec: RunSpec): Promise<ExportedFolder> {
  const run = await readFile(join(folder, "run.json")).catch(() => undefined);
  const provenance = provenanceSchema.safeParse(await readJson(join(folder, "provenance.json")));
  if (run === undefined || !provenance.success)
    throw new FormatError(
      `${folder} has no run.json or no provenance.json as gossamer export writes them. Name such a folder.`,
    );
  if (hashHex(run) !== runIdOf(spec))
    throw new FormatError(`${folder} is of run ${hashHex(run)}, not of ${runIdOf(spec)}. Name that one with --run.`);
  const names = await readdir(folder);
  const gguf = names.find((name) => name.endsWith(".gguf"));
  const words: Record<string, ExportType> = { float32: "f32", float16: "f16", bfloat16: "bf16" };
  const config = (await readJson(join(folder, "config.json"))) as { torch_dtype?: string } | undefined;
  const named = gguf === undefined ? words[config?.torch_dtype ?? ""] : /-([a-z0-9_]+)\.gguf$/.exec(gguf)?.[1];
  if (named === undefined || !Object.hasOwn(exportTypes, named))
    throw new FormatError(
      `${folder} has neither model.safetensors with its config.json nor a .gguf file named by its type.`,
    );
  const format = gguf === undefined ? "safetensors" : "gguf";
  return { folder, provenance: provenance.data, format, dtype: named as ExportType };
}

/**
 * @param shared what peers share after the folder's round, as the log folds
 * @returns what differs; undefined: nothing
 */
export async function exportFault(
  { folder, provenance, format, dtype }: ExportedFolder,
  {
    spec,
    entries,
    blobs,
    shared,
  }: {
    readonly spec: RunSpec;
    readonly entries: readonly LogEntry[];
    readonly blobs: HostBlobs;
    readonly shared: Float32Array;
  },
): Promise<string | undefined> {
  const { round, anchorHash } = provenance;
  const hash = blobName(encodeCheckpointSection("parameters", round, shared));
  const row = { round, anchorHash, time: 0, blobs: [{ name: "parameters", hash, bytes: 1 }] };
  const known = provenanceOf(spec, row, entries, (name) => blobs.getNow(name), undefined);
  const { signature, ...said } = provenance;
  const { signature: _, ...folded } = known;
  if (hashHex(canonicalBytes(said)) !== hashHex(canonicalBytes(folded))) return differing(said, folded);
  if (signature !== null) {
    try {
      checkProvenance(provenance, spec, row);
    } catch (error) {
      return `provenance.json: ${(error as Error).message}`;
    }
  }
  const given = await namedParts(spec, async ({ hash }) => {
    const content = await blobs.get(hash);
    if (content === undefined) throw new BlobLostError(`blob ${hash}, which the spec names, is not stored`);
    return content;
  });
  const source = floatsOf(await wholeModel(spec, blobs, shared));
  for (const file of planExport({ spec, provenance, ...given }, format, dtype).filter(({ name }) => isHeld(name))) {
    const place = await firstDifference(join(folder, file.name), file, source);
    if (place !== undefined) return `${file.name} is not what the log folds to: they differ from byte ${place} on`;
  }
  return undefined;
}

function differing(said: object, folded: object): string {
  const other = Object.entries(folded).find(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify((said as Record<string, unknown>)[key]),
  );
  return `provenance.json says another ${other?.[0] ?? "thing"} than the log`;
}

/** undefined: the same bytes. A file that is not there differs from its first byte on. */
async function firstDifference(path: string, file: ExportFile, source: FloatSource): Promise<number | undefined> {
  let at = 0;
  const expected = file.chunks(source);
  let [rest, here] = [new Uint8Array(0) as Uint8Array, 0];
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      for (let i = 0; i < chunk.length; i++, at++, here++) {
        while (here === rest.length) {
          const next = await expected.next();
          if (next.done) return at;
          [rest, here] = [next.value, 0];
        }
        if (chunk[i] !== rest[here]) return at;
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return at === file.bytes ? undefined : at;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
