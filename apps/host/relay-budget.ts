// What relaying costs in a calendar month (UTC), and when it is enough: bytes through this host's relay, and those through the
// operator's TURN server as peers report them.
//
//   every few seconds: meters -> sample() -> sums of this month -> DATA/relayed.json; at the cap: no relay, no TURN, until the month ends
import { join } from "node:path";
import * as z from "zod/mini";
import { DataError, readFileIfThere, writeFileWhole } from "#store/disk";
import type { Report } from "./report.ts";

const FILE_VERSION = 1;
/** A host that is killed forgets at most so much of the month. */
const WRITE_EVERY_MS = 60_000;

const fileSchema = z.strictObject({
  version: z.literal(FILE_VERSION),
  month: z.string().check(z.regex(/^\d{4}-\d{2}$/)),
  relayBytes: z.number().check(z.minimum(0)),
  turnBytes: z.number().check(z.minimum(0)),
});

export interface Relayed {
  readonly month: string; //                 "2026-11"
  readonly relayBytes: number;
  readonly turnBytes: number;
  readonly capBytes: number | null; //       null: none
  readonly over: boolean;
}

export interface RelayBudgetOptions {
  readonly data: string;
  readonly capBytes: number | null;
  /** Wall clock. */
  readonly now: () => number;
  readonly report: Report;
}

/** Sums since this process started, which never fall: one for the relay, one for each run's TURN. */
export type Meters = ReadonlyMap<string, number>;
const RELAY = "relay";

export class RelayBudget {
  readonly #options: RelayBudgetOptions;
  readonly #path: string;
  readonly #before = new Map<string, number>();
  #month: string;
  #relayBytes: number;
  #turnBytes: number;
  #wasOver: boolean;
  #writtenAt: number;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: RelayBudgetOptions, path: string, kept: z.infer<typeof fileSchema> | undefined) {
    this.#options = options;
    this.#path = path;
    this.#month = monthOf(options.now());
    const same = kept?.month === this.#month;
    this.#relayBytes = same ? kept.relayBytes : 0;
    this.#turnBytes = same ? kept.turnBytes : 0;
    this.#writtenAt = options.now();
    this.#wasOver = this.state.over;
    if (this.#wasOver) this.#tellOver();
  }

  /** @throws DataError */
  static async open(options: RelayBudgetOptions): Promise<RelayBudget> {
    const path = join(options.data, "relayed.json");
    const content = await readFileIfThere(path);
    if (content === undefined) return new RelayBudget(options, path, undefined);
    const parsed = fileSchema.safeParse(parseJson(content.toString()));
    if (!parsed.success)
      throw new DataError(`${path} cannot be read by this build. Remove it: the month is counted from now on then.`);
    return new RelayBudget(options, path, parsed.data);
  }

  get state(): Relayed {
    const { capBytes } = this.#options;
    const [relayBytes, turnBytes] = [this.#relayBytes, this.#turnBytes];
    const over = capBytes !== null && relayBytes + turnBytes >= capBytes;
    return { month: this.#month, relayBytes, turnBytes, capBytes, over };
  }

  /** @param relay bytes since the start. @param turnByRun the same of each run */
  sample(relay: number, turnByRun: Meters): void {
    const now = this.#options.now();
    const month = monthOf(now);
    if (month !== this.#month) {
      this.#month = month;
      this.#relayBytes = 0;
      this.#turnBytes = 0;
    }
    this.#relayBytes += this.#gained(RELAY, relay);
    for (const [run, bytes] of turnByRun) this.#turnBytes += this.#gained(run, bytes);
    const { over } = this.state;
    if (over !== this.#wasOver) {
      this.#wasOver = over;
      if (over) this.#tellOver();
      else this.#options.report("A new month: relay and TURN are handed out again.");
    }
    if (now - this.#writtenAt >= WRITE_EVERY_MS || over) this.#write(now);
  }

  #gained(meter: string, bytes: number): number {
    const gained = Math.max(0, bytes - (this.#before.get(meter) ?? 0));
    this.#before.set(meter, bytes);
    return gained;
  }

  #tellOver(): void {
    const { capBytes } = this.#options;
    this.#options.report(
      `Relay and TURN carried ${((this.#relayBytes + this.#turnBytes) / 1e9).toFixed(1)} GB this month, and --relay-cap-gb allows ${((capBytes ?? 0) / 1e9).toFixed(1)}: pairs that cannot connect directly have none until ${nextMonth(this.#month)}. Links through TURN that are open stay until they close.`,
      "warn",
    );
  }

  #write(now: number): void {
    this.#writtenAt = now;
    const { month, relayBytes, turnBytes } = this.state;
    const document = { version: FILE_VERSION, month, relayBytes, turnBytes };
    this.#writing = this.#writing
      .then(() => writeFileWhole(this.#path, `${JSON.stringify(document)}\n`))
      .catch((error: Error) => this.#options.report(`${this.#path} cannot be written: ${error.message}`, "warn"));
  }

  /** All that was counted is on the disk. */
  async close(): Promise<void> {
    this.#write(this.#options.now());
    await this.#writing;
  }
}

const monthOf = (ms: number): string => new Date(ms).toISOString().slice(0, 7);

function nextMonth(month: string): string {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number, 1)).toISOString().slice(0, 10); // Date counts months from 0
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
