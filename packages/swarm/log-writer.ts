// The end of the log: one append is in flight at a time, and what it says is true for nobody before it is on the disk. [R1] [R33]
//
//   body -> chained, signed and synced by the adapter -> appended -> the log so far
import type { EntryBody, LogEntry } from "#wire";
import { assert } from "./assert.ts";
import type { EntryCheck } from "./chain.ts";
import type { Next } from "./open-round.ts";
import type { SequencerOutput, SequencerView } from "./ports.ts";
import type { RunState } from "./run-state.ts";

export interface LogWriterOptions {
  readonly log: RunState;
  readonly check: EntryCheck;
  /** Of the newest round, by name, so that the log can be read before the disk is asked. */
  readonly asides: Map<string, Uint8Array>;
  readonly emit: (output: SequencerOutput) => void;
}

export class LogWriter {
  /** Of the log. */
  last: LogEntry | undefined;
  private appending: EntryBody | LogEntry | undefined;
  private readonly options: LogWriterOptions;

  constructor(options: LogWriterOptions) {
    this.options = options;
  }

  get isBusy(): boolean {
    return this.appending !== undefined;
  }

  /** The last entry that was synced: for welcome. */
  head(): Pick<SequencerView, "headSeq" | "headHash"> {
    const { log, check } = this.options;
    return { headSeq: log.seq, headHash: this.last === undefined ? log.run : check.hashOf(this.last) };
  }

  append({ body, asides = [] }: Next): void {
    assert(this.appending === undefined, "one append at a time");
    if (body.type === "open") this.options.asides.clear();
    for (const { name, bytes } of asides) this.options.asides.set(name, bytes);
    const fault = this.options.log.mayAppend(body);
    assert(fault === undefined, `appending ${body.type}: ${fault}`);
    this.appending = body;
    this.options.emit({ type: "append", body, asides });
  }

  /** What a peer gave back is ours already: signed, and in its place. */
  appendSigned(entry: LogEntry): void {
    const fault = this.options.log.mayAppend(entry);
    assert(fault === undefined, `taking back ${entry.type}: ${fault}`);
    this.appending = entry;
    this.options.emit({ type: "append-signed", entry });
  }

  /** @returns whether a peer gave it back */
  appended(entry: LogEntry): boolean {
    assert(this.appending?.type === entry.type, `appended ${entry.type} without having been asked`);
    const givenBack = "signature" in this.appending;
    this.appending = undefined;
    const fault = this.options.log.apply(entry);
    assert(fault === undefined, fault ?? "");
    this.last = entry;
    return givenBack;
  }
}
