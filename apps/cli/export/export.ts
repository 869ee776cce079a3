// `gossamer export`: a checkpoint of a host or a data directory as files that other tools read, in a folder that is there whole or not at all.
//
//   checkpoint, provenance, tokenizer -> the files' plan -> FOLDER.<random>.tmp, each file synced -> FOLDER
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type ExportedModel,
  type ExportFile,
  type ExportFormat,
  type ExportType,
  type FloatSource,
  FormatError,
  floatsOf,
  namedParts,
  planAdapters,
  planExport,
} from "#formats";
import { syncFolder } from "#store/disk";
import { english } from "../../web/words/format.ts";
import { type CheckpointPlace, checkpointSource, chosenCheckpoint } from "../checkpoint-source.ts";

export interface ExportOptions extends CheckpointPlace {
  /** Rounds folded into the checkpoint; undefined: the newest. */
  readonly round?: number | undefined;
  readonly format: ExportFormat;
  readonly dtype: ExportType;
  /** Made here; must not be there yet, or be empty. */
  readonly out: string;
  /** The run's adapters alone, as PEFT's files, instead of the model that base and adapters make. */
  readonly adapters?: boolean;
  readonly json: boolean;
}

/** What a person can put right: told in one line. */
export class ExportError extends Error {
  override readonly name = "ExportError";
}

export interface ExportReport {
  readonly run: string;
  readonly round: number;
  readonly anchorHash: string;
  readonly folder: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/**
 * @param out the report
 * @param say progress, a line at a time
 * @throws ExportError, FormatError, NoCheckpointError, CheckpointError, DataError
 */
export async function exportModel(
  options: ExportOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<ExportReport> {
  await checkFree(options.out);
  const source = await checkpointSource(options, say);
  const row = chosenCheckpoint(source, options.round);
  const provenance = await source.provenance(row);
  if (provenance.signature === null) say("the host's key is not in this directory: nobody signs provenance.json");
  const model: ExportedModel = { spec: source.spec, provenance, ...(await namedParts(source.spec, source.blob)) };
  const files = options.adapters ? adapterFiles(model, options) : planExport(model, options.format, options.dtype); // before the parameters are fetched: it may refuse
  const parameters = floatsOf(await (options.adapters ? source.shared(row) : source.load(row)));
  await writeFolder(options.out, files, parameters, (name, bytes) => say(`writing ${name}, ${english.bytes(bytes)}`));
  const { run, round, anchorHash } = provenance;
  const report: ExportReport = {
    ...{ run, round, anchorHash, folder: options.out },
    files: files.map(({ name, bytes }) => ({ name, bytes })),
  };
  if (options.json) out(JSON.stringify(report));
  else
    out(
      `${source.spec.name}, after round ${english.count(round)} (anchor ${anchorHash.slice(0, 12)}…): ${options.out}`,
    );
  return report;
}

/** No model card: that is of a whole model. @throws FormatError */
function adapterFiles(model: ExportedModel, { format, dtype }: ExportOptions): ExportFile[] {
  if (format !== "safetensors") throw new FormatError("Adapters are exported as safetensors: leave --format out.");
  const { run, round, anchorHash } = model.provenance;
  const origin = planExport(model, "safetensors", "f32");
  return [
    ...planAdapters(model.spec, dtype, { run, round: String(round), anchor: anchorHash }),
    ...origin.filter(({ name }) => name === "provenance.json" || name === "run.json"),
  ];
}

/** @throws ExportError when something is there */
async function checkFree(folder: string): Promise<void> {
  const there = await readdir(folder).catch((error: NodeJS.ErrnoException) => error);
  if (Array.isArray(there) ? there.length === 0 : there.code === "ENOENT") return;
  throw new ExportError(
    `${folder} is there already. Name another folder with --out, or remove it: nothing is overwritten.`,
  );
}

/**
 * All files, or nothing: written beside the folder under another name, which is taken away again when something goes wrong or somebody interrupts.
 * @param onFile before each
 */
export async function writeFolder(
  folder: string,
  files: readonly ExportFile[],
  source: FloatSource,
  onFile: (name: string, bytes: number) => void = () => {},
): Promise<void> {
  const temporary = `${folder}.${randomBytes(6).toString("hex")}.tmp`;
  const interrupted = (): never => {
    rmSync(temporary, { recursive: true, force: true });
    process.exit(130);
  };
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    await mkdir(temporary, { recursive: true });
    for (const file of files) {
      onFile(file.name, file.bytes);
      await writeFile(join(temporary, file.name), file, source);
    }
    await syncFolder(temporary);
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rename(temporary, folder);
    await syncFolder(dirname(folder));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw told(error, folder);
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
  }
}

async function writeFile(path: string, { name, bytes, chunks }: ExportFile, source: FloatSource): Promise<void> {
  const file = await open(path, "wx");
  try {
    let written = 0;
    for await (const chunk of chunks(source)) {
      await file.writeFile(chunk); // goes on where it stopped
      written += chunk.length;
    }
    if (written !== bytes) throw new Error(`${name}: ${written} bytes were written, not ${bytes}`); // our own mistake
    await file.sync();
  } finally {
    await file.close();
  }
}

function told(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new ExportError(
      `There is no room for ${folder} on its disk. Make some, or name a folder elsewhere with --out.`,
    );
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new ExportError(`${folder} may not be written (${code}). Name a folder of your own with --out.`);
  return error;
}
