// A run's log as a JetStream stream: one message an entry, and the server itself keeps two sequencers apart.
//
//   message n of the stream = entry n - 1          publish(entry, expected last sequence = entry.seq) -> stored, or refused
import { JetStreamApiError } from "@nats-io/jetstream";
import { chainFault, type LogEntry, logEntrySchema, type RunId } from "#wire";
import { DataError } from "./disk-file.ts";
import { verifyNatively } from "./disk-verify.ts";
import { LogConflictError, type LogStore, type OpenedLog } from "./host-store.ts";
import type { Nats } from "./nats-server.ts";

/** JetStream's numbers for: the last sequence is another one. */
const WRONG_LAST_SEQUENCE: readonly number[] = [10071, 10164];
/** Between two attempts while the server does not answer. */
const AGAIN_MS = 250;
/** Longer than any lease: by then somebody else orders the run. */
const GIVE_UP_MS = 15_000;

const isConflict = (error: unknown): boolean =>
  error instanceof JetStreamApiError && WRONG_LAST_SEQUENCE.includes(error.code);

const isMissingStream = (error: unknown): boolean => error instanceof JetStreamApiError && error.code === 10059;

/** Made if it is not there; what it is called tells clusters and runs apart. */
async function ensureStream({ manager, address }: Nats, run: RunId): Promise<{ stream: string; subject: string }> {
  const stream = `GOSSAMER_${address.name}_LOG_${run.slice(0, 32)}`;
  const subject = `gossamer.${address.name}.log.${run}`;
  try {
    await manager.streams.info(stream);
  } catch (error) {
    if (!isMissingStream(error)) throw error;
    await manager.streams.add({
      name: stream,
      subjects: [subject],
      num_replicas: address.replicas,
      deny_delete: true,
      deny_purge: true,
      description: `the log of run ${run}`,
    });
  }
  return { stream, subject };
}

async function readAll({ js, manager, shown }: Nats, stream: string): Promise<string[]> {
  const { state } = await manager.streams.info(stream);
  if (state.messages === 0) return [];
  if (state.first_seq !== 1)
    throw new DataError(`The log in ${stream} at ${shown} begins at ${state.first_seq}: its beginning was deleted.`);
  const texts: string[] = [];
  const consumer = await js.consumers.get(stream);
  const messages = await consumer.consume();
  for await (const message of messages) {
    if (message.seq !== texts.length + 1)
      throw new DataError(`The log in ${stream} at ${shown} has ${message.seq} where ${texts.length + 1} belongs.`);
    texts.push(message.string());
    if (message.seq >= state.last_seq && message.info.pending === 0) break;
  }
  await consumer.delete().catch(() => undefined); // the server forgets it by itself
  return texts;
}

function verified(texts: readonly string[], run: RunId, hostKey: string, where: string): LogEntry[] {
  const entries: LogEntry[] = [];
  for (const [seq, text] of texts.entries()) {
    const parsed = logEntrySchema.safeParse(JSON.parse(text));
    const fault = parsed.success
      ? chainFault(run, hostKey, entries.at(-1), parsed.data as LogEntry, verifyNatively)
      : `no valid entry (${parsed.error.issues[0]?.message})`;
    if (fault !== undefined || !parsed.success)
      throw new DataError(`${where}, entry ${seq}: ${fault}. Restore the stream from a backup (nats stream restore).`);
    entries.push(parsed.data as LogEntry);
  }
  return entries;
}

/** @throws DataError when what is stored is no chain of that host's */
export async function openNatsLog(nats: Nats, run: RunId, hostKey: string): Promise<OpenedLog> {
  const { stream, subject } = await ensureStream(nats, run);
  const entries = verified(await readAll(nats, stream), run, hostKey, `The log in ${stream} at ${nats.shown}`);
  return { log: new NatsLog(nats, stream, subject), entries };
}

class NatsLog implements LogStore {
  readonly #nats: Nats;
  readonly #stream: string;
  readonly #subject: string;
  #tail: Promise<void> = Promise.resolve();
  #failure: Error | undefined;

  constructor(nats: Nats, stream: string, subject: string) {
    this.#nats = nats;
    this.#stream = stream;
    this.#subject = subject;
  }

  append(entry: LogEntry): Promise<void> {
    const done = this.#tail.then(async () => {
      try {
        await this.#write(entry);
      } catch (error) {
        this.#failure ??= error as Error;
        throw this.#failure;
      }
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** A publish without an answer may have been stored or not: it is made again, and its own copy found there is as good as an answer. */
  async #write(entry: LogEntry): Promise<void> {
    const text = JSON.stringify(entry);
    const until = performance.now() + GIVE_UP_MS;
    for (let asked = 0; ; asked++) {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        await this.#nats.js.publish(this.#subject, text, { expect: { lastSequence: entry.seq } });
        return;
      } catch (error) {
        if (isConflict(error)) {
          if (asked > 0 && (await this.#holds(entry.seq, text))) return;
          throw new LogConflictError(
            `entry ${entry.seq} has no place in ${this.#stream}: another host has appended there, or one is missing before it`,
          );
        }
        if (performance.now() > until)
          throw new DataError(
            `The log at ${this.#nats.shown} takes no more entries (${(error as Error).message}). See to that NATS server; the run goes on by itself.`,
          );
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async #holds(seq: number, text: string): Promise<boolean> {
    const message = await this.#nats.manager.streams.getMessage(this.#stream, { seq: seq + 1 });
    return message?.string() === text;
  }

  /** What waits for a server that does not answer is given up: nobody has heard of it. */
  async close(): Promise<void> {
    this.#failure ??= new Error("this log is closed");
    await this.#tail;
  }
}
