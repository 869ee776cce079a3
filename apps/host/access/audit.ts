// The audit trail: what the operator did and who was kept out, a JSON object a line, added to and never changed.
//
//   DATA/audit.ndjson, audit.1.ndjson … audit.4.ndjson (oldest)
//
// Kept of a person: the public key, which is a number that its browser made. No address, no name, no token, no code.
import { appendFile, open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "#store/disk";
import { TokenBucket } from "../rate.ts";
import type { Report } from "../report.ts";

/** Some 20,000 entries a file, five of them: years of an operator's work. */
const FILE_BYTES_MAX = 4 * 2 ** 20;
const OLDER_FILES = 4;
/** Whoever is refused may try for ever: more of them than this are counted, not listed. */
const refusals = { perSecond: 1, burst: 100 };

const TAIL_BYTES = 256 * 1024;

const auditEvents = [
  "start",
  "stop",
  "admin",
  "ban",
  "unban",
  "join-refused",
  "invite-made",
  "invite-used",
  "invite-withdrawn",
  "allowed",
  "disallowed",
] as const;
export type AuditEvent = (typeof auditEvents)[number];
type Value = string | number | boolean | null;

export interface AuditOptions {
  readonly data: string;
  /** Wall clock. */
  readonly now: () => number;
  readonly report: Report;
  readonly fileBytesMax?: number;
}

export class AuditLog {
  readonly #options: AuditOptions;
  readonly #path: string;
  readonly #refusals: TokenBucket;
  #notListed = 0;
  #writing: Promise<void> = Promise.resolve();
  #complained = false;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#path = join(options.data, "audit.ndjson");
    this.#refusals = new TokenBucket(refusals, options.now());
  }

  add(event: AuditEvent, fields: Readonly<Record<string, Value>> = {}): void {
    const now = this.#options.now();
    if (event === "join-refused" && !this.#refusals.take(1, now)) {
      this.#notListed++;
      return;
    }
    const more = this.#notListed > 0 ? { refusalsNotListed: this.#notListed } : {};
    this.#notListed = 0;
    const line = `${JSON.stringify({ time: new Date(now).toISOString(), event, ...fields, ...more })}\n`;
    this.#writing = this.#writing.then(() => this.#append(line)).catch((error: Error) => this.#complain(error));
  }

  /** The newest, oldest first; also of the file before where this one has just begun. */
  async newest(limit: number): Promise<unknown[]> {
    await this.#writing;
    const lines = [...(await tailOf(this.#olderPath(1))), ...(await tailOf(this.#path))];
    return lines.slice(-limit).flatMap((line) => {
      try {
        return [JSON.parse(line) as unknown];
      } catch {
        return []; // half written when the machine went down
      }
    });
  }

  /** What was added is in the file. */
  settled(): Promise<void> {
    return this.#writing;
  }

  async #append(line: string): Promise<void> {
    const { fileBytesMax = FILE_BYTES_MAX } = this.#options;
    if ((await sizeOf(this.#path)) + line.length > fileBytesMax) await this.#rotate();
    await appendFile(this.#path, line, { mode: 0o600 });
  }

  async #rotate(): Promise<void> {
    for (let age = OLDER_FILES; age >= 1; age--) {
      const from = age === 1 ? this.#path : this.#olderPath(age - 1);
      await rename(from, this.#olderPath(age)).catch((error: unknown) => {
        if (!isMissing(error)) throw error;
      });
    }
  }

  /** A trail that cannot be written is no reason to stop training; the operator hears of it once. */
  #complain(error: Error): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#options.report(`The audit trail ${this.#path} cannot be written: ${error.message}`, "warn");
  }

  #olderPath(age: number): string {
    return this.#path.replace(/\.ndjson$/, `.${age}.ndjson`);
  }
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    (error: unknown) => {
      if (isMissing(error)) return 0;
      throw error;
    },
  );
}

/** The last lines of a file, none where there is no file. */
async function tailOf(path: string): Promise<string[]> {
  const size = await sizeOf(path);
  if (size === 0) return [];
  const file = await open(path, "r");
  try {
    const from = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    const lines = buffer.toString("utf8", 0, bytesRead).split("\n");
    return (from > 0 ? lines.slice(1) : lines).filter((line) => line !== "");
  } finally {
    await file.close();
  }
}
