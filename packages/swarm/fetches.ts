// Which blobs a peer still needs, and from whom it asks for them: who made it, who is linked, and the host last. [R13]
//
//   want(blob) -> fetch -> fetched | fetch-failed -> the next source, with growing pauses
import type { PeerId } from "#wire";
import type { Links } from "./links.ts";
import type { Millis, PeerOutput } from "./ports.ts";
import { backoffMs, type Wake } from "./timing.ts";

/** A first link takes 0.1 s here and rarely 3 s elsewhere; after this the host serves. */
const LINK_WAIT_MS = 5_000;
/** Asked in order; more than four who refuse say that nobody has it. */
const SOURCES_MAX = 4;
/** Blobs asked for at once: enough to keep several links busy, few enough to fit in memory. */
const ACTIVE_MAX = 8;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;

export interface Wanted {
  readonly hash: string;
  readonly bytes: number;
  /** Whose link to try first; undefined for a checkpoint's blob, which the host has and peers rarely. */
  readonly maker: PeerId | undefined;
}

interface Fetch extends Wanted {
  readonly since: Millis;
  active: boolean;
  failures: number;
  retryAt: Millis;
}

export class Fetches {
  private readonly held = new Set<string>();
  private readonly fetchByHash = new Map<string, Fetch>();

  has(hash: string): boolean {
    return this.held.has(hash);
  }

  /** It lies in the local store: fetched, or our own work. */
  hold(hash: string): void {
    this.held.add(hash);
    this.fetchByHash.delete(hash);
  }

  drop(hashes: readonly string[]): string[] {
    return hashes.filter((hash) => this.held.delete(hash));
  }

  /** From now on exactly these; what is asked for and no longer wanted may still come, and is held. */
  wantOnly(now: Millis, blobs: readonly Wanted[]): void {
    const hashes = new Set(blobs.map(({ hash }) => hash));
    for (const hash of this.fetchByHash.keys()) if (!hashes.has(hash)) this.fetchByHash.delete(hash);
    for (const blob of blobs)
      if (!this.held.has(blob.hash) && !this.fetchByHash.has(blob.hash))
        this.fetchByHash.set(blob.hash, { ...blob, since: now, active: false, failures: 0, retryAt: now });
  }

  failed(now: Millis, hash: string): void {
    const fetch = this.fetchByHash.get(hash);
    if (fetch === undefined || !fetch.active) return;
    fetch.active = false;
    // The first failure says that no peer has it: the host may be asked at once.
    fetch.retryAt = fetch.failures === 0 ? now : now + backoffMs(fetch.failures, RETRY_FIRST_MS, RETRY_MAX_MS);
    fetch.failures += 1;
  }

  /** The most failures of one blob: when it grows, a checkpoint may be the way out. */
  failures(): number {
    return Math.max(0, ...[...this.fetchByHash.values()].map(({ failures }) => failures));
  }

  advance(now: Millis, links: Links, canHope: boolean, wake: Wake): PeerOutput[] {
    const out: PeerOutput[] = [];
    let active = [...this.fetchByHash.values()].filter((fetch) => fetch.active).length;
    for (const fetch of this.fetchByHash.values()) {
      if (fetch.active || active >= ACTIVE_MAX) continue;
      if (now < fetch.retryAt) {
        wake.want(fetch.retryAt);
        continue;
      }
      const sources = this.sources(fetch, links);
      const update = fetch.maker !== undefined;
      if (update && sources.length === 0 && canHope && links.hopes() && now < fetch.since + LINK_WAIT_MS) {
        wake.want(fetch.since + LINK_WAIT_MS);
        continue;
      }
      fetch.active = true;
      active += 1;
      const host = !update || sources.length === 0 || fetch.failures > 0;
      out.push({ type: "fetch", hash: fetch.hash, bytes: fetch.bytes, sources, host });
    }
    return out;
  }

  private sources({ hash, maker }: Fetch, links: Links): PeerId[] {
    const up = links.up().sort();
    const turn = Number.parseInt(hash.slice(0, 4), 16) % Math.max(1, up.length); // spreads blobs over the links
    const others = [...up.slice(turn), ...up.slice(0, turn)].filter((peer) => peer !== maker);
    const first = maker !== undefined && links.isUp(maker) ? [maker] : [];
    return [...first, ...others].slice(0, SOURCES_MAX);
  }
}
