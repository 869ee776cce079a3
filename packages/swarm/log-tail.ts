// The newest signed entries that a peer keeps, so that a host that lost the end of its log gets it back, and so that a host that
// signs two histories is shown for it. [R33]
import { type LogEntry, sampleOfAttesters } from "#wire";

/** Some 1,300 rounds: a night of a small run. Whoever restores an older backup than that brings the run's own disk back first. */
export const TAIL_ENTRIES_MAX = 4_096;
/** What a background tab may cost without anybody asking why. */
const TAIL_BYTES_MAX = 8 * 2 ** 20;

/** Near enough to the entry's JSON: a bound needs no exact count, and writing each entry out again would cost more than keeping it. */
function sizeOf(entry: LogEntry): number {
  const ids = (list: readonly unknown[]): number => 70 * list.length;
  switch (entry.type) {
    case "open":
      return 600 + ("size" in entry.roster ? 0 : ids(entry.roster));
    case "commit":
      return 600 + 9 * ids(entry.contributors);
    case "seal":
      return 600 + ids(sampleOfAttesters(entry.attesters)) + 7 * ids(entry.refused);
    default:
      return 800;
  }
}

export class LogTail {
  private readonly entryBySeq = new Map<number, LogEntry>(); // insertion order is seq order
  private bytes = 0;

  push(entry: LogEntry): void {
    this.entryBySeq.set(entry.seq, entry);
    this.bytes += sizeOf(entry);
    for (const [seq, oldest] of this.entryBySeq) {
      if (this.entryBySeq.size <= TAIL_ENTRIES_MAX && this.bytes <= TAIL_BYTES_MAX) return;
      this.bytes -= sizeOf(oldest);
      this.entryBySeq.delete(seq);
    }
  }

  at(seq: number): LogEntry | undefined {
    return this.entryBySeq.get(seq);
  }

  /** Entries in order from that one on, as many as fit; none when it is not kept. */
  from(seq: number, entriesMax: number, bytesMax: number): LogEntry[] {
    const page: LogEntry[] = [];
    let bytes = 0;
    for (let entry = this.at(seq); entry !== undefined && page.length < entriesMax; entry = this.at(++seq)) {
      bytes += sizeOf(entry);
      if (page.length > 0 && bytes > bytesMax) break;
      page.push(entry);
    }
    return page;
  }
}
