// The replica's work in two lanes, each one thing at a time and in the order given.
//
//   engine (GPU): local, moments, mark                        a step's start, an offer, a seal, a load, an evaluation
//   fold worker (CPU): anchor, velocity                       restore, fold; the mark and encode, where the engine has no room for the mark
//
// Updates go one way and anchors the other (replica-home.ts). Encoding and folding take no time from training: an offer is read behind the
// steps before it, and what a fold says is added between two steps. [R30]
// Nothing but training and evaluation waits for a GPU: a peer whose device is lost still folds, from the last parameters that it knows.

import type { Remote } from "comlink";
import { microbatchIds, windowIndex } from "#data";
import type { Engine, StepOptions } from "#engine";
import { type Aggregate, codecOf, learningRateAt, type OpenedAt } from "#outer";
import { type Assignment, windowsForDevice } from "#swarm";
import type { EntryOf, PeerId, RunSpec } from "#wire";
import type { Dataset } from "./dataset.ts";
import { DeviceReplica } from "./device-replica.ts";
import type { Duty } from "./duty.ts";
import type { FoldApi } from "./fold-api.ts";
import type { Folded } from "./fold-service.ts";
import { GradientReplica } from "./gradient-replica.ts";
import type { Holds } from "./holds.ts";
import { HostReplica } from "./host-replica.ts";
import type { ReplicaHome, Stepped } from "./replica-home.ts";

/** Steps queued on the GPU: hides the readback of one behind the next. */
const STEPS_IN_FLIGHT = 2;
/** A device whose first step looks too slow has time for a second one when that took less than this part of the round: late compilation is over then. */
const SECOND_LOOK_PART = 0.1;
/** Moments that start from zero take their first steps small: a joiner's step of full size would be mostly noise. */
const RAMP_STEPS = 10;

export interface StepDone {
  readonly job: number;
  readonly round: number;
  readonly step: number; //          since the mark
  readonly loss: number | null;
  readonly stepMs: number; //        smoothed
  readonly busyMs: number; //        of the device: without rests, and without what overlaps the step before
  readonly windows: number; //       sequences that the step read
  readonly tokensPerSecond: number;
}

export interface Trained {
  readonly steps: number;
  readonly tokens: number;
  readonly loss: number; //          mean over the steps that were not skipped
}

/** Inner steps firstStep to until - 1 of the assignment. */
export interface Training {
  readonly job: number;
  readonly assignment: Assignment;
  readonly firstStep: number;
  readonly until: number;
}

export interface FoldOf {
  readonly commit: EntryOf<"commit">;
  readonly opened: OpenedAt;
  /** Whether it counts our own update. */
  readonly named: boolean;
}

export interface TrainerOptions {
  readonly spec: RunSpec;
  readonly fold: Remote<FoldApi>;
  readonly holds: Holds;
  readonly now: () => number;
  readonly duty: Duty;
  /** Replaces the engine by one with that smaller microbatch; undefined when this peer has no GPU now, or is done. Rejects as createEngine does. */
  readonly reopen: (microbatch: number) => Promise<Engine | undefined>;
  readonly onStep: (step: StepDone) => void;
}

export class Trainer {
  readonly #options: TrainerOptions;
  #engine: Engine | undefined;
  #dataset: Dataset | undefined;
  #gpuLane: Promise<unknown> = Promise.resolve();
  #cpuLane: Promise<unknown> = Promise.resolve();
  #training: Promise<unknown> = Promise.resolve();
  #job: { stop: boolean } | undefined;
  /** The read of an encode: an engine that is replaced lives until it is done. */
  #offering: Promise<unknown> = Promise.resolve();
  /** When the step that runs now began: where the one before it ended, or whatever else had the engine. */
  #stepFrom = 0;
  /** Until there is an engine nothing is trained: then it is the anchor alone, and may still be either. */
  #replica: ReplicaHome;
  #stepsSinceReset = 0;
  /** Whose inner steps the engine's moments are of, where each round starts without any. */
  #momentsRound: number | undefined;
  #anchor: { round: number; anchorHash: string } | undefined;
  #stepMs: number | null = null;
  /** This device's share of a step, in windows; undefined: not measured, all of them. */
  #share: number | undefined;
  /** Per window, of the newest round: the median of its steps, so that one hiccup moves nothing. */
  #windowMs: number | undefined;

  constructor(options: TrainerOptions) {
    this.#options = options;
    this.#replica = homeOf(options);
  }

  get stepMs(): number | null {
    return this.#stepMs;
  }

  /**
   * A first engine, or another one after its device was lost: goes on from the last parameters that are known, or from `local`. Those after the first
   * keep the mark if the first one did.
   */
  use(engine: Engine, dataset: Dataset, local?: Float32Array): void {
    this.#engine = engine;
    this.#dataset = dataset;
    engine.resetMoments();
    this.#stepsSinceReset = 0;
    if (this.#replica instanceof DeviceReplica && !engine.mark)
      this.#replica = new HostReplica(this.#options.spec, this.#options.fold, this.#replica.known());
    this.#replica.use(engine, local);
  }

  engineGone(): void {
    this.#engine = undefined;
    this.#replica.gone();
    this.stop();
  }

  /** @param base where the run starts from it, and this is round 0 */
  restore(round: number, sections: readonly Uint8Array[], base?: Float32Array): Promise<string> {
    return this.#onCpu(async () => {
      const { anchorHash, local } = await this.#options.fold.restore(round, sections, base);
      if (anchorHash === "") return "";
      return this.#onGpu(async () => {
        this.#anchor = { round, anchorHash };
        this.#replica.restored(local);
        this.#engine?.resetMoments();
        this.#stepsSinceReset = 0;
        return anchorHash;
      });
    });
  }

  /** What was done of it; no steps when there is no GPU now. Rejects when the GPU fails. */
  train(training: Training): Promise<Trained> {
    this.stop();
    const job = { stop: false };
    this.#job = job;
    const result = this.#training.then(() => this.#run(job, training)); // the one before may wait for its step in flight
    this.#training = result.catch(() => {});
    return result;
  }

  stop(): void {
    if (this.#job) this.#job.stop = true;
    this.#options.duty.wake();
  }

  /** The update's bytes. Rejects when the training diverged, or when what was trained is lost with the GPU. */
  encode(round: number, baseHash: string, tokens: number): Promise<Uint8Array> {
    // In braces, so that the lane is free as soon as the read is queued: steps that come next are behind it on the device.
    const queued = this.#onGpu(async () => {
      const offering = this.#replica.offer();
      this.#offering = offering.crossed.catch(() => {});
      return offering;
    });
    queued.then(({ crossed }) => crossed).catch(() => {}); // told below, in its turn
    return this.#onCpu(async () => (await queued).finish({ round, baseHash, tokens }));
  }

  /** Of a group's updates: what was trained is not touched, so it waits for nothing. */
  async aggregate(given: Parameters<FoldApi["aggregate"]>[0]): Promise<Aggregate | undefined> {
    return this.#options.fold.aggregate(given);
  }

  fold(
    { commit, opened, named }: FoldOf,
    blobs: ReadonlyMap<string, Uint8Array>,
  ): Promise<{ anchorHash: string; refused: { peer: PeerId; reason: string }[] }> {
    return this.#onCpu(async () => {
      const { rebases } = this.#replica;
      const folded = await this.#options.fold.fold({ commit, opened, named, blobs, rebases });
      await this.#sealed(commit.round, folded, named);
      return { anchorHash: folded.anchorHash, refused: folded.refused };
    });
  }

  /** @param pair whose updates the replica, which is this peer's own, takes in; nobody's: the commit does not name it */
  foldPair(given: Parameters<FoldApi["foldPair"]>[0]): Promise<void> {
    return this.#onCpu(async () => {
      const folded = await this.#options.fold.foldPair(given);
      await this.#sealed(given.commit.round, folded, given.pair.length > 0);
    });
  }

  async #sealed(round: number, folded: Folded, named: boolean): Promise<void> {
    const sealed = await this.#onGpu(async () => {
      this.#anchor = { round: round + 1, anchorHash: folded.anchorHash };
      return this.#replica.sealed(folded, named, round);
    });
    await sealed?.crossed;
  }

  /** The anchor after `round` rounds as a checkpoint's sections; undefined when this peer is at another one by now. */
  checkpoint(
    round: number,
  ): Promise<{ anchorHash: string; sections: { name: string; bytes: Uint8Array }[] } | undefined> {
    return this.#onCpu(() => this.#options.fold.checkpoint(round));
  }

  /**
   * @param merge of a replica that is no anchor: what the anchor is made of
   * @returns undefined when this peer is at another anchor by now, or has no GPU
   */
  async evaluate(
    round: number,
    merge?: Parameters<FoldApi["merge"]>[0],
  ): Promise<{ anchorHash: string; setHash: string; loss: number } | undefined> {
    const given = await this.#onCpu(() => (merge ? this.#options.fold.merge(merge) : this.#anchorOf(round)));
    const evaluation = await this.#dataset?.evaluation();
    if (!given || !evaluation || this.#anchor?.round !== round) return undefined;
    const { anchor, anchorHash } = given;
    const { windows, setHash } = evaluation;
    return this.#onGpu(async () => {
      const engine = this.#engine;
      if (!engine) return undefined;
      const local = await this.#replica.read();
      engine.load(anchor);
      try {
        return { anchorHash, setHash, loss: await engine.evaluate(windows) };
      } finally {
        engine.load(local);
      }
    });
  }

  async #anchorOf(round: number): Promise<{ anchor: Float32Array; anchorHash: string } | undefined> {
    const anchor = await this.#options.fold.anchor(round);
    const at = this.#anchor;
    return anchor && at?.round === round ? { anchor, anchorHash: at.anchorHash } : undefined;
  }

  async #run(control: { readonly stop: boolean }, { job, assignment, firstStep, until }: Training): Promise<Trained> {
    const { contextLength } = this.#options.spec.model;
    const { duty } = this.#options;
    const startedAt = this.#options.now();
    this.#stepFrom = startedAt;
    const windowTimesMs: number[] = [];
    const inFlight: Promise<void>[] = [];
    let [done, learnt, tokens, lossSum] = [0, 0, 0, 0];
    const stepDone = ({ loss, skipped }: Stepped, windows: number, begunAt: number) => {
      const now = this.#options.now();
      const tookMs = now - this.#stepFrom; // steps overlap, so the time between two ends is what a step takes; a rest before it included
      duty.worked(now - begunAt);
      this.#stepFrom = now;
      windowTimesMs.push(tookMs / windows);
      this.#stepMs = this.#stepMs === null ? tookMs : 0.7 * this.#stepMs + 0.3 * tookMs;
      done++;
      tokens += windows * contextLength;
      if (!skipped) {
        learnt++;
        lossSum += loss; // of a step that was skipped it may be no number
      }
      this.#options.onStep({
        job,
        round: assignment.round,
        step: firstStep + done,
        loss: Number.isFinite(loss) ? loss : null,
        stepMs: this.#stepMs,
        busyMs: Math.min(tookMs, now - begunAt),
        windows,
        tokensPerSecond: tookMs > 0 ? (1000 * windows * contextLength) / this.#stepMs : 0,
      });
    };
    /** Queues the step; undefined when training is to end here. */
    const begin = async (step: number): Promise<{ report: Promise<void> } | undefined> => {
      const [engine, dataset] = [this.#engine, this.#dataset];
      if (control.stop || !engine || !dataset) return undefined;
      const windows = this.#share ?? assignment.windowsPerStep;
      const microbatches = microbatchesOf(dataset, assignment, step, windows, engine.microbatch);
      this.#startRound(engine, assignment.round + Math.floor(step / assignment.steps));
      this.#stepsSinceReset++;
      const begunAt = this.#options.now();
      const report = this.#replica.step(engine, microbatches, this.#stepOptions(assignment, step));
      return { report: report.then((its) => stepDone(its, windows, begunAt)) };
    };
    let measuring = this.#windowMs === undefined;
    try {
      if (this.#windowMs !== undefined) await this.#take(assignment, this.#fitting(assignment, this.#windowMs, 0, 0));
      for (let step = firstStep; step < until; step++) {
        if (step === firstStep + 1) await this.#options.holds.pass("training");
        if (duty.share < 1) {
          await Promise.all(inFlight.splice(0)); // a device that rests does one step at a time
          await duty.rest(() => control.stop);
        }
        await this.#textFor(assignment, step, inFlight.length === 0);
        const begun = await this.#inGpuLane(() => begin(step));
        if (!begun) break;
        inFlight.push(begun.report);
        if (inFlight.length >= STEPS_IN_FLIGHT || measuring) await inFlight.shift();
        if (!measuring) continue;
        const goneMs = this.#options.now() - startedAt;
        const fitting = this.#fitting(assignment, windowTimesMs[done - 1], done, goneMs);
        const early = done === 1 && goneMs < SECOND_LOOK_PART * assignment.deadlineMs;
        if (fitting < (this.#share ?? assignment.windowsPerStep) && early) continue;
        measuring = false;
        await this.#take(assignment, fitting);
      }
    } finally {
      await Promise.allSettled(inFlight);
    }
    await Promise.all(inFlight);
    if (learnt === 0) return { steps: 0, tokens: 0, loss: 0 };
    this.#windowMs = median(windowTimesMs);
    return { steps: done, tokens, loss: lossSum / learnt };
  }

  /** What comes late from the swarm is no fault of the device: its step begins when the text is here. */
  async #textFor(assignment: Assignment, step: number, isIdle: boolean): Promise<void> {
    const ready = this.#dataset?.ready;
    if (!ready) return;
    const windows = this.#share ?? assignment.windowsPerStep;
    await ready(Array.from({ length: windows }, (_, sequence) => windowIndex(assignment, step, sequence)));
    if (isIdle) this.#stepFrom = this.#options.now();
  }

  #fitting({ windowsPerStep, steps, deadlineMs }: Assignment, windowMs: number, done: number, goneMs: number): number {
    const windows = this.#share ?? windowsPerStep;
    return windowsForDevice({ windowsPerStep, windows, windowMs, steps: steps - done, leftMs: deadlineMs - goneMs });
  }

  /** From now on so many windows a step, in microbatches of the engine; in smaller ones when it must be. */
  async #take({ windowsPerStep }: Assignment, windows: number): Promise<void> {
    if (windows === (this.#share ?? windowsPerStep)) return;
    if (this.#engine && this.#dataset && windows < this.#engine.microbatch) {
      const replaced = await this.#onGpu(() => this.#replaceEngine(largestDivisor(windowsPerStep, windows)));
      if (!replaced) return;
    }
    const { microbatch = 1 } = this.#engine ?? {};
    this.#share = windows - (windows % microbatch);
    this.#stepMs = null; // a step means something else now
  }

  /** @returns false when there is none now, or it is an island's */
  async #replaceEngine(microbatch: number): Promise<boolean> {
    await this.#offering;
    const local = await this.#replica.read(); // the next engine goes on from here
    const smaller = await this.#options.reopen(microbatch);
    if (!smaller || !this.#dataset) return false;
    this.use(smaller, this.#dataset, local);
    return true;
  }

  /** Where the run says so, moments are of one round alone. That is the method's own, so its first steps are of full size: no ramp. */
  #startRound(engine: Engine, round: number): void {
    if (this.#options.spec.inner.resetMoments && round !== this.#momentsRound) engine.resetMoments();
    this.#momentsRound = round;
  }

  #stepOptions({ tokensBefore, rosterSize }: Assignment, step: number): StepOptions {
    const { spec } = this.#options;
    const { beta1, beta2, eps, weightDecay, clipNorm } = spec.inner;
    const ramp = Math.min(1, this.#stepsSinceReset / RAMP_STEPS);
    const learningRate = ramp * learningRateAt(spec, tokensBefore, step, rosterSize);
    return { learningRate, beta1, beta2, eps, weightDecay, clipNorm };
  }

  /** Between two steps, when training runs. */
  #onGpu<T>(work: () => Promise<T>): Promise<T> {
    return this.#inGpuLane(async () => {
      try {
        return await work();
      } finally {
        this.#stepFrom = this.#options.now();
      }
    });
  }

  #inGpuLane<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#gpuLane.then(work);
    this.#gpuLane = result.catch(() => {});
    return result;
  }

  #onCpu<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#cpuLane.then(work);
    this.#cpuLane = result.catch(() => {});
    return result;
  }
}

function homeOf({ spec, fold }: TrainerOptions): ReplicaHome {
  if (spec.outer.extract === "gradient") return new GradientReplica(fold);
  const { onDevice } = codecOf(spec);
  return onDevice ? new DeviceReplica(onDevice) : new HostReplica(spec, fold, undefined);
}

/** The step's windows in microbatches of B rows: the first ones of the assignment when the device takes fewer. */
function microbatchesOf(
  { train, plan }: Dataset,
  assignment: Assignment,
  innerStep: number,
  windows: number,
  B: number,
): Uint16Array[] {
  return Array.from({ length: windows / B }, (_, m) =>
    microbatchIds(train, plan, assignment, { innerStep, firstSequence: m * B, count: B }),
  );
}

function largestDivisor(of: number, atMost: number): number {
  let divisor = atMost;
  while (of % divisor !== 0) divisor--;
  return divisor;
}

/** The upper one of the two in the middle. */
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];
