// What a peer keeps for the others in a run whose updates its peers keep: blobs that the host asked for, and checkpoints that it made. [R35] [R37]
import type { PeerId } from "#wire";

/** Asked for and not here yet: a host asks for one update per peer of the roster, and of those each peer gets a share. */
const WANTED_MAX = 64;
/** Kept for an open round; the commit names at most 32 of them. */
const KEPT_MAX = 1_024;

export interface KeptBlob {
  readonly hash: string;
  readonly bytes: number;
  readonly maker: PeerId;
}

export class Keeping {
  private readonly wantedByHash = new Map<string, KeptBlob>();
  private readonly kept = new Set<string>();
  private checkpoint: readonly string[] = [];

  /** The host asks: the oldest wish gives way, it is asked of somebody else. */
  want(blob: KeptBlob): void {
    this.wantedByHash.set(blob.hash, blob);
    for (const oldest of this.wantedByHash.keys()) {
      if (this.wantedByHash.size <= WANTED_MAX) break;
      this.wantedByHash.delete(oldest);
    }
  }

  /** To be fetched, beside what the fold needs. */
  wanted(): KeptBlob[] {
    return [...this.wantedByHash.values()];
  }

  /** It is here. @returns whether the host waits to hear of it */
  arrived(hash: string): boolean {
    if (!this.wantedByHash.delete(hash)) return false;
    if (this.kept.size < KEPT_MAX) this.kept.add(hash);
    return true;
  }

  /** The round is over. @returns what was kept for it and is not needed: no commit named it */
  over(isNamed: (hash: string) => boolean): string[] {
    const unneeded = [...this.kept].filter((hash) => !isNamed(hash));
    this.kept.clear();
    this.wantedByHash.clear();
    return unneeded;
  }

  /** @returns blobs of the one before, unless they became part of the log */
  made(hashes: readonly string[], isNamed: (hash: string) => boolean): string[] {
    const before = this.checkpoint.filter((hash) => !hashes.includes(hash) && !isNamed(hash));
    this.checkpoint = hashes;
    return before;
  }
}
