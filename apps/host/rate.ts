// So much per second. Time is an argument, in ms of a monotonic clock.
//
//   TokenBucket   says no to what is too much        Pacer   says how long to wait, for what can be held back

export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

export class TokenBucket {
  readonly #limit: RateLimit;
  #level: number;
  #at: number;

  constructor(limit: RateLimit, nowMs: number) {
    this.#limit = limit;
    this.#level = limit.burst;
    this.#at = nowMs;
  }

  /** False when that much is not there: then nothing is taken. */
  take(amount: number, nowMs: number): boolean {
    const gained = ((nowMs - this.#at) / 1000) * this.#limit.perSecond;
    this.#level = Math.min(this.#limit.burst, this.#level + gained);
    this.#at = nowMs;
    if (this.#level < amount) return false;
    this.#level -= amount;
    return true;
  }
}

export class Pacer {
  readonly #perSecond: number;
  #paidUntil: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#paidUntil = nowMs;
  }

  /** How long the next one must wait so that no more than the rate goes through; 0 when it is not used up. */
  spend(amount: number, nowMs: number): number {
    this.#paidUntil = Math.max(this.#paidUntil, nowMs) + (1000 * amount) / this.#perSecond;
    return this.#paidUntil - nowMs;
  }
}

/** A bucket for each of many: an address, a volunteer. Who was quiet longest is forgotten when there are too many, and so begins anew. */
export class TokenBuckets {
  readonly #limit: RateLimit;
  readonly #keysMax: number;
  readonly #bucketByKey = new Map<string, TokenBucket>(); // quiet longest first

  constructor(limit: RateLimit, keysMax: number) {
    this.#limit = limit;
    this.#keysMax = keysMax;
  }

  take(key: string, amount: number, nowMs: number): boolean {
    const bucket = this.#bucketByKey.get(key) ?? new TokenBucket(this.#limit, nowMs);
    this.#bucketByKey.delete(key);
    this.#bucketByKey.set(key, bucket);
    if (this.#bucketByKey.size > this.#keysMax) this.#bucketByKey.delete(this.#bucketByKey.keys().next().value!);
    return bucket.take(amount, nowMs);
  }
}
