// A token bucket: so much per second, and so much at once. Time is an argument, in ms of a monotonic clock.

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
