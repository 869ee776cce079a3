// A peer's own work in one round: training, then an update, then an offer that is repeated until the round is over. [R9] [R10] [R11]
//
//   begin -> train -> trained -> encode -> encoded -> upload -> uploaded -> offer -> (commit, seal) close
import type { EntryOf, PeerId } from "#wire";
import type { Millis, PeerInput, PeerOutput } from "./ports.ts";
import type { RunState } from "./run-state.ts";
import { backoffMs, finishMarginMs, type Wake } from "./timing.ts";

/** After a round of training that gave nothing to offer: the engine was stopped or failed, so do not spin. */
const RETRAIN_MS = 1_000;
const UPLOAD_RETRY_FIRST_MS = 500;
const UPLOAD_RETRY_MAX_MS = 10_000;

interface Current {
  readonly round: number;
  readonly baseHash: string;
  readonly trainSeq: number; //  the open that training began for
  openSeq: number | undefined; // the open that an offer would answer; undefined: it does not name us
  stage: "training" | "finishing" | "encoding" | "uploading" | "uploaded";
  finishAt: Millis;
  stepsDone: number;
  steps: number; //              trained
  tokens: number;
  loss: number;
  update: string | undefined;
  bytes: number;
  uploadFailures: number;
  uploadAt: Millis | undefined; // when to try again
  offeredSeq: number | undefined; // the open that this connection has our offer for
}

export class Work {
  current: Current | undefined;
  private readonly self: PeerId;
  private readonly log: RunState;
  private notBefore: Millis = Number.NEGATIVE_INFINITY;

  constructor(self: PeerId, log: RunState) {
    this.self = self;
    this.log = log;
  }

  get training(): boolean {
    return this.current?.stage === "training" || this.current?.stage === "finishing";
  }

  get update(): string | undefined {
    return this.current?.update;
  }

  get stepsDone(): number {
    return this.current?.stepsDone ?? 0;
  }

  /** The open names us and we are at its base: train for it, once per round. */
  begin(now: Millis, open: EntryOf<"open">): PeerOutput[] {
    const position = open.roster.indexOf(this.self);
    if (this.current !== undefined || position < 0 || now < this.notBefore) return [];
    const { steps, windowsPerStep } = this.log.spec.inner;
    this.current = {
      round: open.round,
      baseHash: open.baseHash,
      trainSeq: open.seq,
      openSeq: open.seq,
      stage: "training",
      finishAt: now + open.deadlineMs - finishMarginMs(open.deadlineMs),
      stepsDone: 0,
      steps: 0,
      tokens: 0,
      loss: 0,
      update: undefined,
      bytes: 0,
      uploadFailures: 0,
      uploadAt: undefined,
      offeredSeq: undefined,
    };
    const { round, seq: openSeq, cursor, tokensBefore, deadlineMs } = open;
    const place = { cursor, rosterSize: open.roster.length, position, steps, windowsPerStep };
    return [{ type: "train", assignment: { round, openSeq, ...place, tokensBefore, deadlineMs } }];
  }

  /** [R11] Another open of the same round: what is done for this base still counts, if it names us. */
  opened(open: EntryOf<"open">): PeerOutput[] {
    if (this.current === undefined) return [];
    const named = open.roster.includes(this.self);
    this.current.openSeq = named ? open.seq : undefined;
    return named ? [] : this.interrupt();
  }

  /** Training ends without an offer; the replica keeps what it learned (it carries). An encoded update stays. */
  interrupt(): PeerOutput[] {
    if (!this.training) return [];
    this.current = undefined;
    return [{ type: "stop-training" }];
  }

  /** The round is over. @returns our update, if there was one */
  close(): string | undefined {
    const update = this.current?.update;
    this.current = undefined;
    return update;
  }

  progress(round: number, step: number): void {
    if (this.training && this.current?.round === round) this.current.stepsDone = step;
  }

  trained(now: Millis, { round, openSeq, steps, tokens, loss }: PeerInput & { type: "trained" }): PeerOutput[] {
    const { current } = this;
    if (current === undefined || !this.training || round !== current.round || openSeq !== current.trainSeq) return [];
    if (steps < this.log.stepsMin || tokens < 1 || !Number.isFinite(loss)) {
      this.current = undefined;
      this.notBefore = now + RETRAIN_MS;
      return [];
    }
    Object.assign(current, { stage: "encoding", stepsDone: steps, steps, tokens, loss });
    return [{ type: "encode", round, baseHash: current.baseHash, tokens }];
  }

  encoded({ round, update, bytes }: PeerInput & { type: "encoded" }): PeerOutput[] {
    const { current } = this;
    // Too late: the round is over, or its commit is there.
    if (current?.stage !== "encoding" || round !== current.round || this.log.commit !== undefined)
      return [{ type: "forget", hashes: [update] }];
    Object.assign(current, { stage: "uploading", update, bytes });
    return [{ type: "upload", hash: update }];
  }

  uploaded(hash: string): void {
    if (this.current?.update === hash) this.current.stage = "uploaded";
  }

  uploadFailed(now: Millis, hash: string): void {
    const { current } = this;
    if (current?.update !== hash || current.stage !== "uploading") return;
    current.uploadAt = now + backoffMs(current.uploadFailures++, UPLOAD_RETRY_FIRST_MS, UPLOAD_RETRY_MAX_MS);
  }

  /** The host may have started again and know neither blob nor offer: both are repeated, with the same content. */
  reconnected(): PeerOutput[] {
    const { current } = this;
    if (current?.update === undefined) return [];
    current.stage = "uploading";
    current.offeredSeq = undefined;
    current.uploadAt = undefined;
    return [{ type: "upload", hash: current.update }];
  }

  /** It will not count; our next offer is of the next round, or answers the next open. */
  offerRefused(openSeq: number): void {
    if (this.current?.openSeq === openSeq) this.current.openSeq = undefined;
  }

  /** @param connected the host hears us */
  advance(now: Millis, connected: boolean, wake: Wake): PeerOutput[] {
    const { current } = this;
    if (current === undefined) {
      if (now < this.notBefore) wake.want(this.notBefore);
      return [];
    }
    switch (current.stage) {
      case "training":
        if (now < current.finishAt) {
          wake.want(current.finishAt);
          return [];
        }
        if (current.stepsDone < this.log.stepsMin) return []; // no offer yet; each step's progress asks again
        current.stage = "finishing";
        return [{ type: "finish-training" }];
      case "finishing":
      case "encoding":
        return [];
      case "uploading":
        if (current.uploadAt === undefined || !connected) return [];
        if (now < current.uploadAt) {
          wake.want(current.uploadAt);
          return [];
        }
        current.uploadAt = undefined;
        return [{ type: "upload", hash: current.update! }];
      case "uploaded": {
        const { openSeq, round, baseHash, update, bytes, tokens, steps, loss } = current;
        if (!connected || openSeq === undefined || current.offeredSeq === openSeq || openSeq !== this.log.open?.seq)
          return [];
        current.offeredSeq = openSeq;
        const offer = { round, openSeq, baseHash, peer: this.self, update: update!, bytes, tokens, steps, loss };
        return [{ type: "offer", offer }];
      }
    }
  }
}
