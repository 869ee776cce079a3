// Which blobs a peer still needs. Where they come from is the exchange's affair. [R13]
//
//   wantOnly(blobs) -> fetch -> (fetch-failed ...) -> fetched        what is not wanted any more -> cancel-fetch
import type { HostUse } from "./exchange/wanted.ts";
import type { PeerOutput } from "./ports.ts";

export interface WantedBlob {
  readonly hash: string;
  readonly bytes: number;
}

export class Fetches {
  private readonly held = new Set<string>();
  private readonly failuresByHash = new Map<string, number>(); // of those that are asked for

  has(hash: string): boolean {
    return this.held.has(hash);
  }

  /** It lies in the local store: fetched, or our own work. */
  hold(hash: string): void {
    this.held.add(hash);
    this.failuresByHash.delete(hash);
  }

  drop(hashes: readonly string[]): string[] {
    return hashes.filter((hash) => this.held.delete(hash));
  }

  /** From now on exactly these. */
  wantOnly(blobs: readonly WantedBlob[], host: HostUse): PeerOutput[] {
    const out: PeerOutput[] = [];
    const hashes = new Set(blobs.map(({ hash }) => hash));
    for (const hash of this.failuresByHash.keys()) {
      if (hashes.has(hash)) continue;
      this.failuresByHash.delete(hash);
      out.push({ type: "cancel-fetch", hash });
    }
    for (const { hash, bytes } of blobs) {
      if (this.held.has(hash) || this.failuresByHash.has(hash)) continue;
      this.failuresByHash.set(hash, 0);
      out.push({ type: "fetch", hash, bytes, host });
    }
    return out;
  }

  /** It is asked for again all the same. */
  failed(hash: string): void {
    const failures = this.failuresByHash.get(hash);
    if (failures !== undefined) this.failuresByHash.set(hash, failures + 1);
  }

  /** The most failures of one blob: when it grows, a checkpoint may be the way out. */
  failures(): number {
    return Math.max(0, ...this.failuresByHash.values());
  }
}
