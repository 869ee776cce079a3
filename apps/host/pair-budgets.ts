// What one peer may say to each other one through the host: else a few who call could fill the queue of a slow one, and it were sent away. [R38]
import { NEIGHBOURS_MAX, type PeerId } from "#wire";
import { type RateLimit, TokenBucket } from "./rate.ts";

/**
 * An SDP with its candidates is below 20 kB, and a few attempts may follow one another. All eight neighbours of a peer together are a
 * quarter of what may wait for it (8 MiB).
 */
export const pairLimit: RateLimit = { perSecond: 16 * 1024, burst: 256 * 1024 };
/** Neighbours, and as many who were some a moment ago; beyond, the one that was called longest ago begins anew. */
const PAIRS_MAX = 4 * NEIGHBOURS_MAX;

export class PairBudgets {
  readonly #bucketByPeer = new Map<PeerId, TokenBucket>(); // last used last

  take(to: PeerId, characters: number, nowMs: number): boolean {
    const bucket = this.#bucketByPeer.get(to) ?? new TokenBucket(pairLimit, nowMs);
    this.#bucketByPeer.delete(to);
    this.#bucketByPeer.set(to, bucket);
    if (this.#bucketByPeer.size > PAIRS_MAX) this.#bucketByPeer.delete(this.#bucketByPeer.keys().next().value!);
    return bucket.take(characters, nowMs);
  }
}
