// How many connections a link should have while it carries a bulk transfer. A pure function of what is sent and what is held back.
//
//   at each chunk: connections, bytes queued in them, bytes sent -> connections wanted
//
// A connection halves its congestion window at each loss. At 1 % loss and 40 ms that leaves some 15 KiB on the way, 2.5 Mbit/s of 20,
// and our window of 256 KiB waits in the channel's queue; several connections share the losses. On a clean line the queue is empty,
// because the network takes all that our window allows. So what is queued tells the two apart, whatever the line's rate. [R46]
import { WINDOW_BYTES } from "#wire";

/** One, then 4, then 8: four give four times as much, and half of the runs need no more. */
const STAGES = [1, 4, 8] as const;
export const CONNECTIONS_PER_LINK_MAX = STAGES[STAGES.length - 1];
/** Of our window, waiting in the queue: what is on the way is then less than a quarter, 64 KiB, which no line of 10 Mbit/s calls full. */
const HELD_RATIO = 0.75;
/** Between two chunks; a longer gap is a pause of whoever asks, and no time of the transfer's. */
const GAP_MAX_MS = 500;
/** So long without a break: slow start and a single loss are over within half of it. */
const HELD_MS = 1_000;
/** New connections have come up within this (their signals take two round trips through the host), or count as they are. */
const OPENING_MS = 3_000;
/** Then so long decides whether they help: some fifty round trips. */
const TRIAL_MS = 2_000;
/** A line that is simply slow gives four connections no more than one: then they go again, for a while. */
const GAIN_MIN = 1.25;
/** A line that lost packets a moment ago still does: a short queue is enough then, and no trial. Five minutes later it is judged anew. */
const HELD_AGAIN_MS = 100;
const PROVED_MS = 5 * 60_000;
const REST_MS = 60_000;

export interface Load {
  readonly connections: number; // that are up
  readonly queuedBytes: number; // in all of them
  readonly sentBytes: number; //   handed to them since the link opened
}

export class Widening {
  #stage = 0;
  #at = 0; //     of the last chunk
  #queued = 0; // after it
  #busyMs = 0; // time with something queued: what rates are measured over, since updates come with pauses between them
  #held: { readonly since: number; readonly left: number } | undefined; // left: bytes that had left the queue by then
  #trial: { readonly opened: number; readonly before: number; from?: { at: number; left: number } } | undefined;
  #restUntil = Number.NEGATIVE_INFINITY;
  #proved = { stage: 0, until: Number.NEGATIVE_INFINITY };

  /** How many connections the link should have, from now on. */
  wanted(now: number, { connections, queuedBytes, sentBytes }: Load): number {
    if (this.#queued > 0) this.#busyMs += Math.min(GAP_MAX_MS, now - this.#at);
    this.#at = now;
    this.#queued = queuedBytes;
    const left = sentBytes - queuedBytes;
    const busyMs = this.#busyMs;
    if (this.#trial) this.#judge(now, connections, left);
    const isOpening = this.#trial !== undefined && this.#trial.from === undefined;
    if (queuedBytes < HELD_RATIO * WINDOW_BYTES || isOpening) this.#held = undefined;
    else this.#held ??= { since: busyMs, left };
    if (!this.#trial && this.#held) this.#grow(now, busyMs, left, this.#held);
    return STAGES[this.#stage];
  }

  /** The bulk transfer is over. */
  ended(): void {
    this.#stage = 0;
    this.#held = undefined;
    this.#trial = undefined;
  }

  #grow(now: number, busyMs: number, left: number, held: { readonly since: number; readonly left: number }): void {
    const heldMs = busyMs - held.since;
    if (heldMs >= HELD_AGAIN_MS && this.#stage < this.#proved.stage && now < this.#proved.until) {
      this.#stage = this.#proved.stage;
      this.#held = undefined;
    } else if (heldMs >= HELD_MS && this.#stage + 1 < STAGES.length && now >= this.#restUntil) {
      this.#stage++;
      this.#trial = { opened: busyMs, before: (left - held.left) / heldMs };
      this.#held = undefined;
    }
  }

  #judge(now: number, connections: number, left: number): void {
    const trial = this.#trial!;
    if (!trial.from) {
      if (connections >= STAGES[this.#stage] || this.#busyMs - trial.opened >= OPENING_MS)
        trial.from = { at: this.#busyMs, left };
      return;
    }
    const trialMs = this.#busyMs - trial.from.at;
    if (trialMs < TRIAL_MS) return;
    const rate = (left - trial.from.left) / trialMs;
    this.#trial = undefined;
    if (rate >= GAIN_MIN * trial.before) {
      this.#proved = { stage: this.#stage, until: now + PROVED_MS };
      return;
    }
    this.#stage--;
    this.#held = undefined;
    this.#restUntil = now + REST_MS;
  }
}
