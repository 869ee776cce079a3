// What outlives a process: the host's disk, and the store of a browser. A write is safe once it is synced; a crash before that may
// keep it, lose it, or tear it. Who reads the disk afterwards finds out (a log line is a whole line, a blob has its name's hash) and
// drops what is torn.
import type { LogEntry } from "#wire";
import type { Random } from "./random.ts";

/** Blobs by name. `add` is a write that is not synced yet. */
export class BlobStore {
  private readonly unsynced = new Set<string>();
  private readonly bytesByName = new Map<string, number>();

  get size(): number {
    return this.bytesByName.size;
  }

  has(name: string): boolean {
    return this.bytesByName.has(name);
  }

  bytesOf(name: string): number {
    return this.bytesByName.get(name) ?? 0;
  }

  add(name: string, bytes: number): void {
    if (!this.bytesByName.has(name)) this.unsynced.add(name);
    this.bytesByName.set(name, bytes);
  }

  sync(name: string): void {
    this.unsynced.delete(name);
  }

  delete(name: string): void {
    this.unsynced.delete(name);
    this.bytesByName.delete(name);
  }

  /** @returns how many writes were lost or torn: either way the blob is not there for the next process */
  crash(random: Random): number {
    let lost = 0;
    for (const name of this.unsynced) {
      if (random.chance(0.5)) continue;
      lost += 1;
      this.bytesByName.delete(name);
    }
    this.unsynced.clear();
    return lost;
  }
}

export class HostDisk {
  /** Synced. What stands behind it may still be lost. */
  readonly log: LogEntry[] = [];
  readonly blobs = new BlobStore();
  /** Writes that a crash lost or tore, and synced entries that a restored backup does not have. */
  readonly struck = { lostEntries: 0, tornEntries: 0, lostBlobs: 0, restoredBackups: 0 };
  private written: LogEntry | undefined;

  /** One at a time: `sync` comes before the next. */
  write(entry: LogEntry): void {
    this.written = entry;
  }

  sync(): LogEntry | undefined {
    const { written } = this;
    if (written !== undefined) this.log.push(written);
    this.written = undefined;
    return written;
  }

  /** @returns the entry whose sync nobody saw, when it is there for the next process all the same */
  crash(random: Random): LogEntry | undefined {
    this.struck.lostBlobs += this.blobs.crash(random);
    const fate = random.int(3);
    if (this.written === undefined || fate === 0) return this.sync();
    this.struck[fate === 1 ? "lostEntries" : "tornEntries"] += 1;
    this.written = undefined;
    return undefined;
  }

  /** An older copy of the log takes its place. @returns what it does not have */
  restoreBackup(entriesLost: number): LogEntry[] {
    this.struck.restoredBackups += 1;
    return this.log.splice(Math.max(0, this.log.length - entriesLost));
  }
}
