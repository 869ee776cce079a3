// What outlives a process: the host's disk, and the store of a browser. A write is safe once it is synced; a crash before that may
// keep it, lose it, or tear it. Who reads the disk afterwards finds out (a log line is a whole line, a blob has its name's hash) and
// drops what is torn.
import type { LogEntry } from "#wire";
import type { Random } from "./random.ts";
import type { Strike } from "./struck.ts";

/** Blobs by name. `add` is a write that is not synced yet. */
export class BlobStore {
  private readonly unsynced = new Set<string>();
  private readonly bytesByName = new Map<string, number>();

  get size(): number {
    return this.bytesByName.size;
  }

  get writing(): boolean {
    return this.unsynced.size > 0;
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

  /** @param lost a write was lost or torn: either way the blob is not there for the next process */
  crash(random: Random, lost: () => void): void {
    for (const name of this.unsynced) {
      if (random.chance(0.5)) continue;
      lost();
      this.bytesByName.delete(name);
    }
    this.unsynced.clear();
  }
}

export class HostDisk {
  /** Synced. What stands behind it may still be lost. */
  readonly log: LogEntry[] = [];
  readonly blobs = new BlobStore();
  restored = false;
  /** What the log names by blob: synced before the entry that names it. */
  readonly asides = new Map<string, Uint8Array>();
  private written: LogEntry | undefined;

  get writing(): boolean {
    return this.written !== undefined || this.blobs.writing;
  }

  /** An older copy of the log takes its place. @returns what it does not have */
  restoreBackup(entriesLost: number): LogEntry[] {
    this.restored = true;
    return this.log.splice(Math.max(0, this.log.length - entriesLost));
  }

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
  crash(random: Random, strike: Strike): LogEntry | undefined {
    this.blobs.crash(random, () => strike("blob-write-lost"));
    const fate = random.int(3);
    if (this.written === undefined || fate === 0) return this.sync();
    strike(fate === 1 ? "entry-lost" : "entry-torn");
    this.written = undefined;
    return undefined;
  }
}
