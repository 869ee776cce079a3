// `gossamer generate`: a text continued by a run's checkpoint, of a host or of a data directory, on the processor.
//
//   host: /checkpoints, /blobs, checked by their names   |   DATA/runs/<id>, its signed log, + blobs   ->   parameters -> text to stdout
import { tokenizers } from "#data";
import { checkSampling, continuation, createGenerator, type Sampling } from "#engine/generation";
import { DataError, DiskBlobStore, readLog } from "#store/disk";
import { blobName, type CheckpointRow, type ModelShape, type RunSpec, runDetailSchema, runIdOf } from "#wire";
import { askOffered, askRun, fetchParameters, parametersBlob, parametersFrom } from "../web/try/checkpoints.ts";
import { english } from "../web/words/format.ts";
import { readSpec, runFolder } from "./replay.ts";

export interface GenerateOptions extends Sampling {
  /** A host's origin; undefined: the data directory. */
  readonly url?: string | undefined;
  readonly data: string;
  /** A run's id; undefined: the host's, or the one of the directory that was written last. */
  readonly run?: string | undefined;
  /** Rounds folded into the checkpoint; undefined: the newest. */
  readonly round?: number | undefined;
  readonly prompt: string;
  readonly tokens: number;
  readonly json: boolean;
}

export interface GenerateReport {
  readonly run: string;
  readonly name: string;
  readonly round: number;
  readonly anchorHash: string;
  readonly parameters: number;
  readonly prompt: string;
  readonly text: string;
  readonly tokens: number;
  readonly sampling: Sampling;
  readonly engine: "processor";
  readonly tokensPerSecond: number;
}

/** What a person can put right: told in one line. */
export class GenerateError extends Error {
  override readonly name = "GenerateError";
}

/** A checkpoint, and the way to its parameters. */
interface Source {
  readonly spec: RunSpec;
  readonly rows: readonly CheckpointRow[]; // newest first
  readonly load: (row: CheckpointRow) => Promise<Float32Array>;
}

/**
 * @param out text as it is written, or the report as JSON
 * @param say progress, a line at a time
 * @throws GenerateError, CheckpointError, DataError
 */
export async function generate(
  options: GenerateOptions,
  out: (text: string) => void,
  say: (line: string) => void,
): Promise<GenerateReport> {
  const { temperature, topK, topP, seed, prompt, tokens } = options;
  const sampling = { temperature, topK, topP, seed };
  checked(sampling);
  if (prompt === "")
    throw new GenerateError('There is nothing to continue. Give a text: --prompt "My fellow citizens"');
  const source = options.url === undefined ? await fromDisk(options) : await fromHost(options.url, options.run, say);
  const { spec } = source;
  const row = chosen(source.rows, options.round);
  const values = await source.load(row);
  say(
    `${spec.name}, after round ${english.count(row.round)} (anchor ${row.anchorHash.slice(0, 12)}…), ${english.sizeInWords(values.length)} parameters, on the processor`,
  );
  const tokenizer = tokenizers[spec.data.tokenizer];
  const generator = await createGenerator({ model: spec.model, backend: "processor" });
  await generator.load(values);
  const ids = tokenizer.encode(new TextEncoder().encode(prompt));
  const decoder = new TextDecoder(); // of bytes that are no UTF-8 a mark; a character that is cut waits for its rest
  const started = performance.now();
  let [text, count] = ["", 0];
  const write = (more: string): void => {
    text += more;
    if (!options.json) out(more);
  };
  for await (const id of continuation(generator, ids, { sampling, tokens })) {
    write(decoder.decode(tokenizer.decode([id]), { stream: true }));
    count++;
  }
  write(decoder.decode());
  const tokensPerSecond = count / ((performance.now() - started) / 1000);
  const report: GenerateReport = {
    run: runIdOf(spec),
    name: spec.name,
    round: row.round,
    anchorHash: row.anchorHash,
    parameters: values.length,
    prompt,
    text,
    tokens: count,
    sampling,
    engine: "processor",
    tokensPerSecond,
  };
  if (options.json) out(`${JSON.stringify(report)}\n`);
  else {
    out("\n");
    say(`${english.count(count)} tokens, ${english.count(tokensPerSecond)} a second; seed ${seed}`);
  }
  return report;
}

function checked(sampling: Sampling): void {
  try {
    checkSampling(sampling);
  } catch (error) {
    throw new GenerateError((error as RangeError).message);
  }
}

/** More are not named in an error. */
const NAMED_MAX = 12;

function chosen(rows: readonly CheckpointRow[], round: number | undefined): CheckpointRow {
  if (rows.length === 0)
    throw new GenerateError(
      "There is nothing to try yet: no checkpoint is kept, and no round sealed. Try again later.",
    );
  if (round === undefined) return rows[0];
  const row = rows.find((each) => each.round === round);
  if (row) return row;
  const kept = rows.slice(0, NAMED_MAX).map((each) => each.round);
  const more = rows.length > NAMED_MAX ? ", …" : "";
  throw new GenerateError(
    `No checkpoint of round ${round} is kept. There are those of ${kept.join(", ")}${more}: --round ${kept[0]}`,
  );
}

async function fromHost(url: string, run = "default", say: (line: string) => void): Promise<Source> {
  const place = { base: url, run };
  const detail = runDetailSchema.safeParse(await askRun(place, ""));
  if (!detail.success) throw new GenerateError(`What answers at ${url} is no host of this version.`);
  const { spec } = detail.data;
  const { checkpoints, newest } = await askOffered(place);
  return {
    spec,
    rows: newest === null || checkpoints.includes(newest) ? checkpoints : [newest, ...checkpoints],
    load(row) {
      say(`fetching ${english.bytes(parametersBlob(row)?.bytes ?? 0)} from ${url}`);
      return fetchParameters(url, spec.model, row);
    },
  };
}

async function fromDisk({ data, run }: GenerateOptions): Promise<Source> {
  const folder = await runFolder(data, run);
  const spec = await readSpec(folder);
  const { entries } = await readLog(folder, runIdOf(spec), spec.hostKey);
  const blobs = await DiskBlobStore.open(data);
  const rows: CheckpointRow[] = [];
  for (const entry of entries.filter((entry) => entry.type === "checkpoint").reverse()) {
    const blob = parametersBlob(entry);
    if (blob && (await blobs.has(blob.hash))) rows.push(entry);
  }
  return { spec, rows, load: (row) => readParameters(blobs, row, spec.model) };
}

async function readParameters(blobs: DiskBlobStore, row: CheckpointRow, model: ModelShape): Promise<Float32Array> {
  const { hash } = parametersBlob(row)!;
  const bytes = await blobs.get(hash);
  if (bytes === undefined || blobName(bytes) !== hash)
    throw new DataError(`The checkpoint of round ${row.round} is damaged on the disk. Take another one with --round.`);
  return parametersFrom(bytes, model, row.round);
}
