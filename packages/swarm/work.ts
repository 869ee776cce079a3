// A peer's own work: training, then an update, then an offer that is repeated until its round is over. [R9] [R11] [R30] [R31]
//
//   train -> trained -> encode -> encoded -> upload -> uploaded -> offer -> (commit, seal) close
//     ^                   |
//     +-------------------+   with overlap, and while the host is away: the next steps are the next round's work
//
// Steps are counted from the mark. An encode takes all of them and the count begins anew; stops, commits and folds leave it as it is.
import { type EntryOf, type PeerId, sizeOfRoster } from "#wire";
import type { Assignment, Millis, PeerInput, PeerOutput } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import { backoffMs, finishMarginMs, type Wake } from "./timing.ts";

/** Training that gave nothing: the engine is gone or failed, so do not spin. */
const RETRAIN_MS = 1_000;
const UPLOAD_RETRY_FIRST_MS = 500;
const UPLOAD_RETRY_MAX_MS = 10_000;
/** [R31] Without the host: this many rounds' steps from the mark. Further from the others a replica learns less than it drifts. */
const AWAY_ROUNDS = 4;

/** Trained since the mark, and in no update yet. */
interface Done {
  readonly steps: number;
  readonly tokens: number;
  readonly lossSum: number;
}
const nothing: Done = { steps: 0, tokens: 0, lossSum: 0 };

/** One training effect, until its `trained`. */
interface Job {
  readonly id: number;
  readonly place: Assignment;
  readonly firstStep: number;
  readonly until: number;
  stepsDone: number; //            since the mark
  stopping: boolean;
}

/** The newest open that names us: whose tokens we read, and what an offer answers. */
interface Seat {
  readonly open: EntryOf<"open">;
  readonly position: number;
  readonly finishAt: Millis;
  /** Our update of its round is made: from here on we read what the next round assigns if its roster is the same. */
  offered: boolean;
}

/** An update from its encoding until its round is over. */
interface Made {
  readonly round: number;
  readonly baseHash: string;
  readonly steps: number;
  readonly tokens: number;
  readonly loss: number;
  openSeq: number | undefined; // the open that an offer would answer; undefined: it does not name us
  stage: "encoding" | "uploading" | "uploaded";
  update: string | undefined;
  bytes: number;
  uploadFailures: number;
  uploadAt: Millis | undefined; // when to try again
  offeredSeq: number | undefined; // the open that this connection has our offer for
  deviceLost: boolean; // while it was being encoded: it may come all the same, or not
}

/** What the rest of the peer knows when it asks what comes next. */
export interface Situation {
  readonly round: number | undefined; // of the replica; undefined: there is none yet
  readonly donating: boolean;
  readonly connected: boolean; //        the host hears us
  readonly caughtUp: boolean; //         and we know all that it has said
}

export class Work {
  private readonly self: PeerId;
  private readonly log: RunState;
  private done: Done = nothing;
  private job: Job | undefined;
  private jobs = 0;
  private seat: Seat | undefined;
  private made: Made | undefined;
  private stepMs: Millis = 0;
  private notBefore: Millis = Number.NEGATIVE_INFINITY;
  /** The replica's round when it was looked at last. */
  private trainsAt: number | undefined;

  constructor(self: PeerId, log: RunState) {
    this.self = self;
    this.log = log;
  }

  get training(): boolean {
    return this.job !== undefined;
  }

  get update(): string | undefined {
    return this.made?.update;
  }

  /** Since the mark, as far as we heard; with nothing to train for: those of the update. */
  get stepsDone(): number {
    return this.job?.stepsDone ?? (this.done.steps > 0 ? this.done.steps : (this.made?.steps ?? 0));
  }

  // ---- what happened ----------------------------------------------------------------------------------------------------

  /** [R11] Another open of the same round: what was made for this base still counts, if it names us. */
  opened(open: EntryOf<"open">): void {
    if (this.made !== undefined) this.made.openSeq = this.log.positionOf(this.self) >= 0 ? open.seq : undefined;
  }

  /** The round is over. @returns our update, if there was one */
  close(): string | undefined {
    const update = this.made?.update;
    this.made = undefined;
    return update;
  }

  /** [R47] Whether steps that are in no commit count for a later round; a gradient is of one anchor alone. */
  private get carries(): boolean {
    return this.log.spec.outer.extract !== "gradient";
  }

  private drop(): PeerOutput[] {
    const out = this.stop();
    this.job = undefined;
    this.done = nothing;
    return out;
  }

  /** Nothing more is to be trained here. */
  stop(): PeerOutput[] {
    if (this.job === undefined || this.job.stopping) return [];
    this.job.stopping = true;
    return [{ type: "stop-training" }];
  }

  /** The device went, and with it what was trained since its parameters were read: only what is in an update counts. */
  lost(): void {
    this.job = undefined;
    this.done = nothing;
    if (this.made?.stage === "encoding") this.made.deviceLost = true;
  }

  /** The replica is restored: nothing of our own is left in it. */
  reset(): PeerOutput[] {
    const out = this.drop();
    this.made = undefined;
    this.seat = undefined;
    return out;
  }

  progress(job: number, step: number, stepMs: Millis): void {
    this.stepMs = stepMs;
    if (this.job?.id === job) this.job.stepsDone = step;
  }

  /** @returns false when it diverged */
  trained(now: Millis, { job, steps, tokens, loss }: PeerInput & { type: "trained" }): boolean {
    if (this.job?.id !== job) return true; // of a replica that was restored since
    this.job = undefined;
    if (!Number.isFinite(loss)) return false;
    if (steps === 0) this.notBefore = now + RETRAIN_MS;
    const { done } = this;
    this.done = { steps: done.steps + steps, tokens: done.tokens + tokens, lossSum: done.lossSum + steps * loss };
    return true;
  }

  encoded({ round, update, bytes }: PeerInput & { type: "encoded" }): PeerOutput[] {
    const { made } = this;
    // Too late: the round is over, or its commit is there.
    if (made?.stage !== "encoding" || round !== made.round || this.log.commit !== undefined)
      return [{ type: "forget", hashes: [update] }];
    Object.assign(made, { stage: "uploading", update, bytes });
    return [{ type: "upload", hash: update }];
  }

  /** @returns whether the replica is at fault: a device that went before its parameters were read is not, and the round's steps are taken again */
  encodeFailed(round: number): boolean {
    const { made } = this;
    if (made?.stage !== "encoding" || made.round !== round) return false;
    if (!made.deviceLost) return true;
    this.made = undefined;
    if (this.seat !== undefined) this.seat.offered = false;
    return false;
  }

  uploaded(hash: string): void {
    if (this.made?.update === hash) this.made.stage = "uploaded";
  }

  uploadFailed(now: Millis, hash: string): void {
    const { made } = this;
    if (made?.update !== hash || made.stage !== "uploading") return;
    made.uploadAt = now + backoffMs(made.uploadFailures++, UPLOAD_RETRY_FIRST_MS, UPLOAD_RETRY_MAX_MS);
  }

  /** The host may have started again and know neither blob nor offer: both are repeated, with the same content. */
  reconnected(): PeerOutput[] {
    const { made } = this;
    if (made?.update === undefined) return [];
    made.stage = "uploading";
    made.offeredSeq = undefined;
    made.uploadAt = undefined;
    return [{ type: "upload", hash: made.update }];
  }

  /** It will not count; our next offer is of the next round, or answers the next open. */
  offerRefused(openSeq: number): void {
    if (this.made?.openSeq === openSeq) this.made.openSeq = undefined;
  }

  // ---- what comes next --------------------------------------------------------------------------------------------------

  advance(now: Millis, situation: Situation, wake: Wake): PeerOutput[] {
    const dropped = this.carries || situation.round === this.trainsAt ? [] : this.drop();
    this.trainsAt = situation.round;
    this.takeSeat(now, situation);
    return [
      ...dropped,
      ...this.advanceTraining(now, situation, wake),
      ...this.advanceOffer(now, situation.connected, wake),
    ];
  }

  /** The open names us, and we are at its base. */
  private takeSeat(now: Millis, { round, donating, caughtUp }: Situation): void {
    const { open, commit } = this.log;
    if (open === undefined || commit !== undefined || !donating || !caughtUp) return;
    if (open.round !== round || this.seat?.open.seq === open.seq) return;
    const position = this.log.positionOf(this.self);
    if (position < 0) return;
    const finishAt = now + open.deadlineMs - finishMarginMs(open.deadlineMs);
    this.seat = { open, position, finishAt, offered: this.made?.round === open.round };
  }

  private advanceTraining(now: Millis, situation: Situation, wake: Wake): PeerOutput[] {
    if (this.job !== undefined) return this.mustStop(now, this.job, situation, wake) ? this.stop() : [];
    const out: PeerOutput[] = [];
    const { steps } = this.log.spec.inner;
    if (this.mayEncode(situation) && (this.done.steps >= steps || this.isDue(now, wake))) out.push(this.encode());
    const until = this.goal(situation);
    if (this.done.steps >= until || (situation.connected && !situation.caughtUp)) return out;
    if (now < this.notBefore) {
      wake.want(this.notBefore);
      return out;
    }
    const assignment = this.assignment(this.seat!);
    const firstStep = this.done.steps;
    this.job = {
      ...{ id: this.jobs++, place: assignment, firstStep, until },
      ...{ stepsDone: firstStep, stopping: false },
    };
    return [...out, { type: "train", job: this.job.id, assignment, firstStep, until }];
  }

  private mustStop(now: Millis, job: Job, situation: Situation, wake: Wake): boolean {
    const { stopping, stepsDone, until, place } = job;
    if (stopping) return false;
    const goal = this.goal(situation);
    if (goal === 0) return true;
    if (stepsDone >= until) return false; // it ends by itself
    if (stepsDone >= goal) return true; //   the host is back
    const { cursor, rosterSize, position } = this.assignment(this.seat!);
    if (cursor !== place.cursor || rosterSize !== place.rosterSize || position !== place.position) return true; // other tokens than we thought
    return this.mayEncode(situation) && this.isDue(now, wake);
  }

  /** How many steps from the mark are worth taking now. */
  private goal(situation: Situation): number {
    const { seat, log } = this;
    const { inner, rounds, end } = log.spec;
    if (seat === undefined || situation.round === undefined || !situation.donating) return 0;
    if (log.ended !== undefined || log.endReached !== undefined) return 0;
    const round = seat.open.round + (seat.offered ? 1 : 0);
    if (end.roundsMax !== undefined && round >= end.roundsMax) return 0; // there will be no such round
    if (!situation.connected) return this.carries ? AWAY_ROUNDS * inner.steps : seat.offered ? 0 : inner.steps; // [R31] [R47]
    if (rounds.overlap) return log.round > seat.open.round + 1 ? 0 : inner.steps; // [R30] a whole round was opened without us: wait to be named
    return this.isOpen(situation) ? inner.steps : 0;
  }

  /** The round that is open names us, we are at its base, and have made no update for it. */
  private isOpen({ round }: Situation): boolean {
    const { open, commit } = this.log;
    if (this.seat === undefined || open === undefined || commit !== undefined || this.made !== undefined) return false;
    return this.seat.open.seq === open.seq && open.round === round;
  }

  private mayEncode(situation: Situation): boolean {
    return situation.donating && situation.connected && situation.caughtUp && this.isOpen(situation);
  }

  /** [R9] Another step would end too near the deadline, and there is enough to offer. With less, each step's progress asks again. */
  private isDue(now: Millis, wake: Wake): boolean {
    const finishAt = this.seat!.finishAt - this.stepMs;
    if (now < finishAt) wake.want(finishAt);
    return now >= finishAt && (this.job?.stepsDone ?? this.done.steps) >= this.log.stepsMin;
  }

  private encode(): PeerOutput {
    const { seat, done, log } = this;
    const { round, baseHash, seq } = seat!.open;
    seat!.offered = true;
    const steps = Math.min(done.steps, log.spec.inner.steps);
    const tokens = Math.min(done.tokens, log.assignmentTokens);
    this.made = {
      ...{ round, baseHash, steps, tokens, loss: done.lossSum / done.steps },
      ...{ openSeq: seq, stage: "encoding", update: undefined, bytes: 0 },
      ...{ uploadFailures: 0, uploadAt: undefined, offeredSeq: undefined, deviceLost: false },
    };
    this.done = nothing;
    return { type: "encode", round, baseHash, tokens };
  }

  /** [R30] Steps after the offer go on where the round's assignment ends: that is what the next open assigns to the same roster. */
  private assignment({ open, position, offered }: Seat): Assignment {
    const { inner, model } = this.log.spec;
    const { steps, windowsPerStep } = inner;
    const rosterSize = sizeOfRoster(open.roster);
    const windowsAhead = offered ? rosterSize * steps * windowsPerStep : 0;
    return {
      round: open.round + (offered ? 1 : 0),
      cursor: open.cursor + windowsAhead,
      ...{ rosterSize, position, steps, windowsPerStep },
      tokensBefore: open.tokensBefore + windowsAhead * model.contextLength,
      deadlineMs: open.deadlineMs,
    };
  }

  private advanceOffer(now: Millis, connected: boolean, wake: Wake): PeerOutput[] {
    const { made } = this;
    if (made === undefined || !connected) return [];
    switch (made.stage) {
      case "encoding":
        return [];
      case "uploading":
        if (made.uploadAt === undefined) return [];
        if (now < made.uploadAt) {
          wake.want(made.uploadAt);
          return [];
        }
        made.uploadAt = undefined;
        return [{ type: "upload", hash: made.update! }];
      case "uploaded": {
        const { openSeq, round, baseHash, update, bytes, tokens, steps, loss } = made;
        if (openSeq === undefined || made.offeredSeq === openSeq || openSeq !== this.log.open?.seq) return [];
        made.offeredSeq = openSeq;
        const offer = { round, openSeq, baseHash, peer: this.self, update: update!, bytes, tokens, steps, loss };
        return [{ type: "offer", offer }];
      }
    }
  }
}
