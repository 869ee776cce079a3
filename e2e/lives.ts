// Host processes that a test starts and kills, and what they acknowledged while they lived.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tinyDraft } from "../apps/host/test-given.ts";
import { entryHash, type LogEntry } from "../packages/wire/index.ts";

/** What the host said to anybody, by place in the log. */
export class Acknowledged {
  readonly #hashBySeq = new Map<number, string>();

  readonly take = (entry: LogEntry): void => {
    const hash = entryHash(entry);
    const before = this.#hashBySeq.get(entry.seq);
    if (before !== undefined && before !== hash)
      throw new Error(`two entries were acknowledged for place ${entry.seq}: the host has forgotten one`);
    this.#hashBySeq.set(entry.seq, hash);
  };

  get count(): number {
    return this.#hashBySeq.size;
  }

  /** Places whose entry the log does not have. */
  missing(log: readonly LogEntry[]): number[] {
    const hashes = log.map((entry) => entryHash(entry));
    return [...this.#hashBySeq].filter(([seq, hash]) => hashes[seq] !== hash).map(([seq]) => seq);
  }
}

export interface Life {
  readonly process: ChildProcess;
  /** Resolves when it listens, or has ended before it did. */
  readonly listens: Promise<boolean>;
  readonly ended: Promise<number | null>;
  said(): string;
  /** Resolves when it says that from now on, or ends. */
  says(text: string): Promise<void>;
}

/** @param more flags */
export function startLife(data: string, run: string, port: number, more: readonly string[] = []): Life {
  const words = ["dist/node/main.js", "host", "--run", run, "--data", data, "--port", String(port), ...more];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const listens = new Promise<boolean>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes(`localhost:${port}`)) resolve(true);
      });
    void ended.then(() => resolve(false));
  });
  const says = async (text: string): Promise<void> => {
    const from = said.length;
    while (!said.includes(text, from) && child.exitCode === null)
      await Promise.race([once(child.stderr, "data"), ended]);
  };
  return { process: child, listens, ended, said: () => said, says };
}

/** Its text and spec lie beside the data directory: a disk that fills up must not touch them. */
export function writeRun(folder: string): string {
  writeFileSync(join(folder, "text.txt"), "It was a dark and stormy night.\n".repeat(100));
  const path = join(folder, "run.json");
  writeFileSync(path, JSON.stringify(tinyDraft()));
  return path;
}
