// Every wait of the protocol, with its reason. All in ms of the monotonic clock that `now` reads.
import { type PeerId, ROSTER_MAX } from "#wire";
import type { Millis } from "./ports.ts";

/** [R12] After the witness: a peer that folds slower than the host by more than this is sealed without. */
export const ATTEST_WAIT_MS = 3_000;
/** [R7] A reload or a moved Wi-Fi is back within this; longer would hold the others up. */
export const RECONNECT_GRACE_MS = 3_000;
/** [R6] From rest, tabs that were opened together arrive within this. */
export const GATHER_REST_MS = 500;
/** [R6] Being left out costs a peer a whole round, so a quarter of the last one is worth waiting; never longer than this. */
const GATHER_MAX_MS = 10_000;
export const gatherMs = (lastRoundMs: number): number => clamp(lastRoundMs / 4, GATHER_REST_MS, GATHER_MAX_MS);
/** [R22] The last evaluation and checkpoint: a slow software adapter needs most of this; then the run ends without. */
export const END_WAIT_MS = 60_000;
/** [R9] Encoding, uploading and the host's disk take this part of a deadline; the rest is for training. */
export const finishMarginMs = (deadlineMs: number): number => clamp(deadlineMs / 10, 500, 30_000);
/** [R48] A line that takes longer for one update than this part of the longest round is no partner for anybody; and who is linked to nobody asks the host after five seconds. */
export const pairWaitMs = (deadlineMaxMs: number): number => clamp(deadlineMaxMs / 4, 8_000, 60_000);
/** A wait that doubles from `firstMs`, for whatever is tried again. */
export const backoffMs = (attempt: number, firstMs: number, maxMs: number): number =>
  Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 20));

/** Newest round times kept per peer: enough for a median, few enough to follow a device that heats up. */
const SAMPLES_PER_PEER = 5;
/** Peers whose times are kept, the newest: keys cost nothing, so what is kept of each must not add up. */
const PEERS_MAX = 4 * ROSTER_MAX;
/** [R8] Below this many measured rounds a prediction is a guess: the spec's maximum holds. */
const SAMPLES_MIN = 4;
/** [R8] k of median + k*MAD; with the floor of MAD below, a steady swarm gets twice its median. */
const MAD_FACTOR = 4;
const MAD_FLOOR = 0.25;

/** Predicts how long a roster needs for a round, from measured rounds and announced step times. [R8] */
export class Pace {
  private readonly roundMsByPeer = new Map<PeerId, number[]>();
  private samples = 0;

  /** roundMs: from open to a full offer; for a late peer a lower bound of that. */
  record(peer: PeerId, roundMs: Millis): void {
    const list = this.roundMsByPeer.get(peer) ?? [];
    list.push(roundMs);
    if (list.length > SAMPLES_PER_PEER) list.shift();
    this.roundMsByPeer.delete(peer); // so that it becomes the newest
    this.roundMsByPeer.set(peer, list);
    if (this.roundMsByPeer.size > PEERS_MAX) this.roundMsByPeer.delete(this.roundMsByPeer.keys().next().value!);
    this.samples += 1;
  }

  /** announcedMs: H times the step time that a peer without a measured round has announced. */
  deadlineMs(
    roster: readonly PeerId[],
    announcedMs: ReadonlyMap<PeerId, number>,
    minMs: number,
    maxMs: number,
  ): number {
    if (this.samples < SAMPLES_MIN) return maxMs;
    const predicted = roster.flatMap((peer) => {
      const measured = this.roundMsByPeer.get(peer);
      const ms = measured ? median(measured) : announcedMs.get(peer);
      return ms === undefined ? [] : [Math.min(ms, maxMs)]; // what a stranger announces may be any number: nothing waits longer
    });
    if (predicted.length < roster.length) return maxMs; // an unknown device may be the slowest
    const middle = median(predicted);
    const mad = median(predicted.map((ms) => Math.abs(ms - middle)));
    return Math.round(clamp(middle + MAD_FACTOR * Math.max(mad, MAD_FLOOR * middle), minMs, maxMs));
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/** The earliest of the times that something waits for; the adapter sets one timer. */
export class Wake {
  private at = Number.POSITIVE_INFINITY;
  private announced = Number.POSITIVE_INFINITY;

  want(at: Millis): undefined {
    if (at < this.at) this.at = at;
    return undefined;
  }

  /** The adapter's timer has rung, perhaps a little early: timers round. What still waits is announced again. */
  rung(): void {
    this.announced = Number.POSITIVE_INFINITY;
  }

  /** The time to announce, when it is another than the one that the adapter already waits for. */
  take(now: Millis): Millis | undefined {
    const at = this.at;
    this.at = Number.POSITIVE_INFINITY;
    if (this.announced <= now) this.announced = Number.POSITIVE_INFINITY;
    if (at === Number.POSITIVE_INFINITY || at === this.announced) return undefined;
    this.announced = at;
    return at;
  }
}
