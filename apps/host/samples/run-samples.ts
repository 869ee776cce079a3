// What the model made of the spec's prompts over time: a row for each checkpoint, in the run's folder, for everybody to read.
//
//   checkpoint -> (unless one is being written: then the newest waits) -> texts -> row -> DATA/runs/<id>/samples.json
import { join } from "node:path";
import * as z from "zod/mini";
import { type DataFolder, type DiskBlobStore, readFileIfThere, writeFileWhole } from "#store/disk";
import { type EntryOf, type LogEntry, type RunSpec, SAMPLES_MAX, type SampleRow, sampleRowSchema } from "#wire";
import type { Report } from "../report.ts";
import type { SampledCheckpoint } from "./write-samples.ts";

/** What continues prompts: a thread, or a test. */
export interface SamplePort {
  write(checkpoint: SampledCheckpoint): Promise<string[]>;
  close(): Promise<void>;
}
export type MakeSamplePort = (spec: RunSpec, data: DataFolder, blobs: DiskBlobStore) => SamplePort;

const fileSchema = z.strictObject({
  format: z.literal("gossamer samples"),
  version: z.literal(1),
  rows: z.array(sampleRowSchema),
});

export interface RunSamplesOptions {
  readonly folder: string; // of the run
  readonly spec: RunSpec;
  readonly port: SamplePort;
  readonly report: Report;
}

export class RunSamples {
  readonly #options: RunSamplesOptions;
  readonly #path: string;
  #rows: SampleRow[]; // oldest first
  #next: EntryOf<"checkpoint"> | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  private constructor(options: RunSamplesOptions, rows: SampleRow[]) {
    this.#options = options;
    this.#path = pathIn(options.folder);
    this.#rows = rows;
  }

  /** @returns undefined: the spec names no prompts */
  static async open(options: RunSamplesOptions): Promise<RunSamples | undefined> {
    if (options.spec.evaluation.prompts === undefined) return undefined;
    return new RunSamples(options, await storedRows(options));
  }

  /** Oldest first. */
  get rows(): readonly SampleRow[] {
    return this.#rows;
  }

  /** Entries of the run's log, in order. The newest checkpoint among them is sampled, if it is not yet. */
  follow(entries: readonly LogEntry[]): void {
    const newest = entries.findLast((entry) => entry.type === "checkpoint");
    if (newest === undefined || newest.round <= (this.#rows.at(-1)?.round ?? 0)) return;
    this.#next = newest;
    this.#writing ??= this.#writeAll();
  }

  /** Whoever waits for what was begun. */
  settled(): Promise<void> {
    return this.#writing ?? Promise.resolve();
  }

  async #writeAll(): Promise<void> {
    while (this.#next !== undefined && !this.#closed) {
      const checkpoint = this.#next;
      this.#next = undefined;
      try {
        await this.#write(checkpoint);
      } catch (error) {
        if (!this.#closed)
          this.#options.report(
            `No samples of round ${checkpoint.round}: ${(error as Error).message}. The run goes on; the next checkpoint is tried.`,
          );
      }
    }
    this.#writing = undefined;
  }

  async #write(checkpoint: EntryOf<"checkpoint">): Promise<void> {
    const { round, anchorHash } = checkpoint;
    const texts = await this.#options.port.write(checkpoint);
    const rows = thinned([...this.#rows, { round, anchorHash, time: Date.now(), texts }]);
    const document: z.infer<typeof fileSchema> = { format: "gossamer samples", version: 1, rows };
    await writeFileWhole(this.#path, `${JSON.stringify(document, null, 1)}\n`);
    this.#rows = rows;
  }

  /** What is being written is given up. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.port.close();
    await this.settled();
  }
}

const pathIn = (folder: string): string => join(folder, "samples.json");

/** Rows are for people, and made again: a file that cannot be read costs nobody the run. */
async function storedRows({ folder, report }: RunSamplesOptions): Promise<SampleRow[]> {
  const content = await readFileIfThere(pathIn(folder));
  if (content === undefined) return [];
  const parsed = fileSchema.safeParse(parseJson(content.toString()));
  if (parsed.success) return parsed.data.rows;
  report(`${pathIn(folder)} is damaged, or of another version: samples begin anew.`);
  return [];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** When there are too many, every second one goes: a long run is looked through in larger steps. The newest always stays. */
function thinned(rows: readonly SampleRow[]): SampleRow[] {
  if (rows.length <= SAMPLES_MAX) return [...rows];
  const last = rows.length - 1;
  return rows.filter((_, i) => (last - i) % 2 === 0);
}
