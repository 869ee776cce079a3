// A run whose updates its peers keep: who holds which blob, as far as they have said, and who is asked next. [R35]
//
//   offer or commit names a blob -> keep {blobs} to drawn peers -> kept {hash} -> enough of them: it counts
import type { HostMessage, PeerId, SignedOffer } from "#wire";
import type { Millis } from "./ports.ts";
import { mixText } from "./run-state.ts";
import type { Wake } from "./timing.ts";

/** An update over a link of a few Mbit/s; then another peer is asked as well. */
const KEEP_MS = 5_000;
/** Everybody was asked, and too few hold it: links may have opened meanwhile. */
const AGAIN_MS = 10_000;
/** A page's longest pause between two attempts is 15 s: whoever holds the blob and lives is back by then, and has said so. */
const LOST_WAIT_MS = 20_000;

interface Held {
  readonly blob: { readonly hash: string; readonly bytes: number; readonly maker: PeerId };
  readonly holders: Set<PeerId>; //           beside the maker, connected
  readonly askedAt: Map<PeerId, Millis>; //   in this round of asking
  lostSince: Millis | undefined; //           nobody who is here is known to hold it
}

type Send = { readonly type: "send"; readonly to: PeerId; readonly message: HostMessage };

export class Holders {
  private readonly heldByBlob = new Map<string, Held>(); // of the open's offers, or of the commit: 1,024 at most
  private readonly k: number;
  private readonly seed: number;

  /** @param k holders beside the maker before an offer counts */
  constructor(k: number, seed: number) {
    this.k = k;
    this.seed = seed;
  }

  /** From now on these are worth keeping; what was known of them stays known. */
  track(offers: readonly SignedOffer[]): void {
    const names = new Set(offers.map(({ update }) => update));
    for (const hash of this.heldByBlob.keys()) if (!names.has(hash)) this.heldByBlob.delete(hash);
    for (const { update: hash, bytes, peer: maker } of offers)
      if (!this.heldByBlob.has(hash))
        this.heldByBlob.set(hash, {
          blob: { hash, bytes, maker },
          holders: new Set(),
          askedAt: new Map(),
          lostSince: undefined,
        });
  }

  /** That peer says that it holds it. @returns false when nobody asked for that blob */
  kept(peer: PeerId, hash: string): boolean {
    const held = this.heldByBlob.get(hash);
    if (held === undefined || !(held.askedAt.has(peer) || held.holders.has(peer))) return false;
    held.holders.add(peer);
    return true;
  }

  /** Whoever attests the fold of a commit holds what it names. */
  attested(peer: PeerId): void {
    for (const held of this.heldByBlob.values()) held.holders.add(peer);
  }

  gone(peer: PeerId): void {
    for (const { holders, askedAt } of this.heldByBlob.values()) {
      holders.delete(peer);
      askedAt.delete(peer);
    }
  }

  /** Enough others hold it: k, or everybody else who is here. */
  isSafe(hash: string, here: ReadonlySet<PeerId>): boolean {
    const held = this.heldByBlob.get(hash);
    if (held === undefined) return false;
    const others = here.size - (here.has(held.blob.maker) ? 1 : 0);
    return held.holders.size >= Math.min(this.k, others);
  }

  /**
   * Whom to ask to keep what.
   * @param here who trains, and can hold something
   * @param followers who only follows the run, and can as well: those who train may have no links to one another but through them (seed 352)
   * @param linked whether the two are linked, as they say
   */
  advance(
    now: Millis,
    here: ReadonlySet<PeerId>,
    followers: readonly PeerId[],
    linked: (a: PeerId, b: PeerId) => boolean,
    wake: Wake,
  ): Send[] {
    const out: Send[] = [];
    for (const held of this.heldByBlob.values()) {
      const { blob, holders, askedAt } = held;
      if (this.isSafe(blob.hash, here)) continue;
      const waiting = [...askedAt].filter(([peer, at]) => !holders.has(peer) && now < at + KEEP_MS);
      for (const [, at] of waiting) wake.want(at + KEEP_MS);
      let missing = this.k - holders.size - waiting.length;
      const all = new Set([...here, ...followers]);
      const candidates = [...all].filter((peer) => peer !== blob.maker && !askedAt.has(peer) && !holders.has(peer));
      if (missing > 0 && candidates.length === 0) {
        const newest = Math.max(0, ...askedAt.values());
        if (now >= newest + AGAIN_MS) askedAt.clear();
        wake.want(Math.max(now, newest) + AGAIN_MS);
        continue;
      }
      const salt = mixText(this.seed, blob.hash);
      const draw = (peer: PeerId): number => (linked(peer, blob.maker) ? 0 : 2 ** 32) + mixText(salt, peer);
      for (const peer of candidates.sort((a, b) => draw(a) - draw(b))) {
        if (missing-- <= 0) break;
        askedAt.set(peer, now);
        wake.want(now + KEEP_MS);
        out.push({ type: "send", to: peer, message: { type: "keep", blob } });
      }
    }
    return out;
  }

  /** A blob that nobody who is here is known to hold, after a wait in which everybody was asked. */
  lost(now: Millis, here: ReadonlySet<PeerId>, wake: Wake): { maker: PeerId; hash: string } | undefined {
    for (const held of this.heldByBlob.values()) {
      if (held.holders.size > 0 || here.has(held.blob.maker)) {
        held.lostSince = undefined;
        continue;
      }
      held.lostSince ??= now;
      if (now >= held.lostSince + LOST_WAIT_MS) return held.blob;
      wake.want(held.lostSince + LOST_WAIT_MS);
    }
    return undefined;
  }
}
