// The replica's work, one thing at a time and in the order given: restore, train, encode, fold, evaluate.
//
//   engine (GPU): local, moments        fold worker (CPU): anchor, velocity, mark        the flat vector `local` goes between them
//
// Nothing but training and evaluation waits for a GPU: a peer whose device is lost still folds, from the last parameters that it knows.

import type { Remote } from "comlink";
import { microbatchIds } from "#data";
import type { Engine, StepOptions } from "#engine";
import { learningRateAt } from "#outer";
import { type Assignment, windowsForDevice } from "#swarm";
import type { EntryOf, PeerId, RunSpec } from "#wire";
import type { Dataset } from "./dataset.ts";
import type { FoldApi } from "./fold-worker.ts";
import type { Holds } from "./holds.ts";

/** Steps queued on the GPU: hides the readback of one behind the next. */
const STEPS_IN_FLIGHT = 2;
/** A device whose first step looks too slow has time for a second one when that took less than this part of the round: late compilation is over then. */
const SECOND_LOOK_PART = 0.1;
/** Moments that start from zero take their first steps small: a joiner's step of full size would be mostly noise. */
const RAMP_STEPS = 10;

export interface StepDone {
  readonly round: number;
  readonly step: number; //          done in this round
  readonly loss: number | null;
  readonly stepMs: number; //        smoothed
  readonly windows: number; //       sequences that the step read
  readonly tokensPerSecond: number;
}

export interface Trained {
  readonly steps: number;
  readonly tokens: number;
  readonly loss: number; //          mean over the steps
}

interface Job {
  readonly assignment: Assignment;
  stop: boolean; //                  drop it: nobody waits for the result
  finish: boolean; //                the deadline is near: what is done counts
}

export interface TrainerOptions {
  readonly spec: RunSpec;
  readonly fold: Remote<FoldApi>;
  readonly holds: Holds;
  readonly now: () => number;
  /** Replaces the engine by one with that smaller microbatch; undefined when this peer has no GPU now, or is done. Rejects as createEngine does. */
  readonly reopen: (microbatch: number) => Promise<Engine | undefined>;
  readonly onStep: (step: StepDone) => void;
}

export class Trainer {
  readonly #options: TrainerOptions;
  #engine: Engine | undefined;
  #dataset: Dataset | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #job: Job | undefined;
  /** As last loaded or read; behind the engine when #stepped. */
  #local: Float32Array | undefined;
  #stepped = false;
  #stepsSinceReset = 0;
  #anchor: { round: number; anchorHash: string } | undefined;
  #stepMs: number | null = null;
  /** This device's share of a step, in windows; undefined: not measured, all of them. */
  #share: number | undefined;
  /** Per window, of the newest round: the median of its steps, so that one hiccup moves nothing. */
  #windowMs: number | undefined;

  constructor(options: TrainerOptions) {
    this.#options = options;
  }

  get stepMs(): number | null {
    return this.#stepMs;
  }

  /** A first engine, or another one after its device was lost: goes on from the last parameters that are known. */
  use(engine: Engine, dataset: Dataset): void {
    this.#engine = engine;
    this.#dataset = dataset;
    engine.resetMoments();
    this.#stepsSinceReset = 0;
    this.#stepped = false;
    if (this.#local) engine.load(this.#local);
  }

  engineGone(): void {
    this.#engine = undefined;
    this.#stepped = false;
    this.stop();
  }

  restore(round: number, sections: readonly Uint8Array[]): Promise<string> {
    return this.#inOrder(async () => {
      const { anchorHash, local } = await this.#options.fold.restore(round, sections);
      if (anchorHash === "") return "";
      this.#anchor = { round, anchorHash };
      this.#load(local);
      this.#engine?.resetMoments();
      this.#stepsSinceReset = 0;
      return anchorHash;
    });
  }

  /** Undefined when it was stopped, or there is no GPU now. Rejects when the GPU fails. */
  train(assignment: Assignment): Promise<Trained | undefined> {
    const job: Job = { assignment, stop: false, finish: false };
    this.#job = job;
    return this.#inOrder(() => this.#run(job));
  }

  stop(): void {
    if (this.#job) this.#job.stop = true;
  }

  finish(): void {
    if (this.#job) this.#job.finish = true;
  }

  /** The update's bytes. Rejects when the training diverged, or when what was trained is lost with the GPU. */
  encode(round: number, baseHash: string, tokens: number): Promise<Uint8Array> {
    return this.#inOrder(async () => {
      const local = await this.#readLocal();
      return this.#options.fold.encode({ round, baseHash, tokens, local });
    });
  }

  fold(
    commit: EntryOf<"commit">,
    named: boolean,
    blobs: ReadonlyMap<string, Uint8Array>,
  ): Promise<{ anchorHash: string; refused: { peer: PeerId; reason: string }[] }> {
    return this.#inOrder(async () => {
      const known = this.#local;
      const local = await this.#readLocal().catch(() => known); // without its GPU a peer carries nothing, and stays in the run
      if (!local) throw new Error("a commit is to be folded before anything was restored");
      const folded = await this.#options.fold.fold({ commit, named, local, blobs });
      this.#anchor = { round: commit.round + 1, anchorHash: folded.anchorHash };
      this.#load(folded.local);
      return { anchorHash: folded.anchorHash, refused: folded.refused };
    });
  }

  /** Undefined when this peer is at another anchor by now, or has no GPU. */
  evaluate(round: number): Promise<{ anchorHash: string; setHash: string; loss: number } | undefined> {
    return this.#inOrder(async () => {
      const [engine, dataset, at] = [this.#engine, this.#dataset, this.#anchor];
      const anchor = await this.#options.fold.anchor(round);
      if (!engine || !dataset || !anchor || at?.round !== round) return undefined;
      const { windows, setHash } = await dataset.evaluation();
      const local = await this.#readLocal();
      engine.load(anchor);
      try {
        return { anchorHash: at.anchorHash, setHash, loss: await engine.evaluate(windows) };
      } finally {
        engine.load(local);
      }
    });
  }

  async #run(job: Job): Promise<Trained | undefined> {
    const { assignment } = job;
    const { contextLength } = this.#options.spec.model;
    const startedAt = this.#options.now();
    const windowTimesMs: number[] = [];
    const inFlight: Promise<void>[] = [];
    let [done, tokens, lossSum] = [0, 0, 0];
    let lastAt = startedAt;
    const stepDone = (loss: number, windows: number) => {
      const now = this.#options.now();
      const tookMs = now - lastAt; // steps overlap, so the time between two ends is what a step takes
      lastAt = now;
      windowTimesMs.push(tookMs / windows);
      this.#stepMs = this.#stepMs === null ? tookMs : 0.7 * this.#stepMs + 0.3 * tookMs;
      done++;
      tokens += windows * contextLength;
      lossSum += loss;
      this.#options.onStep({
        round: assignment.round,
        step: done,
        loss: Number.isFinite(loss) ? loss : null,
        stepMs: this.#stepMs,
        windows,
        tokensPerSecond: tookMs > 0 ? (1000 * windows * contextLength) / this.#stepMs : 0,
      });
    };
    let measuring = this.#windowMs === undefined;
    try {
      if (this.#windowMs !== undefined) await this.#take(assignment, this.#fitting(assignment, this.#windowMs, 0, 0));
      for (let step = 0; step < assignment.steps && !job.stop && !job.finish; step++) {
        if (step === 1) await this.#options.holds.pass("training");
        const [engine, dataset] = [this.#engine, this.#dataset];
        if (!engine || !dataset) return undefined;
        const windows = this.#share ?? assignment.windowsPerStep;
        const microbatches = microbatchesOf(dataset, assignment, step, windows, engine.microbatch);
        this.#stepped = true;
        this.#stepsSinceReset++;
        const options = this.#stepOptions(assignment, step);
        inFlight.push(engine.step(microbatches, options).then(({ loss }) => stepDone(loss, windows)));
        if (inFlight.length >= STEPS_IN_FLIGHT || measuring) await inFlight.shift();
        if (!measuring) continue;
        const fitting = this.#fitting(assignment, windowTimesMs[step], done, lastAt - startedAt);
        const early = step === 0 && lastAt - startedAt < SECOND_LOOK_PART * assignment.deadlineMs;
        if (fitting < windows && early) continue;
        measuring = false;
        await this.#take(assignment, fitting);
        lastAt = this.#options.now();
      }
    } finally {
      await Promise.allSettled(inFlight);
    }
    await Promise.all(inFlight);
    if (job.stop || done === 0) return undefined;
    this.#windowMs = median(windowTimesMs);
    return { steps: done, tokens, loss: lossSum / done };
  }

  #fitting({ windowsPerStep, steps, deadlineMs }: Assignment, windowMs: number, done: number, goneMs: number): number {
    const windows = this.#share ?? windowsPerStep;
    return windowsForDevice({ windowsPerStep, windows, windowMs, steps: steps - done, leftMs: deadlineMs - goneMs });
  }

  /** From now on so many windows a step, in microbatches of the engine; in smaller ones when it must be. */
  async #take({ windowsPerStep }: Assignment, windows: number): Promise<void> {
    if (windows === (this.#share ?? windowsPerStep)) return;
    if (this.#engine && this.#dataset && windows < this.#engine.microbatch) {
      await this.#readLocal(); // the next engine goes on from here
      const smaller = await this.#options.reopen(largestDivisor(windowsPerStep, windows));
      if (!smaller) return;
      this.use(smaller, this.#dataset);
    }
    const { microbatch = 1 } = this.#engine ?? {};
    this.#share = windows - (windows % microbatch);
    this.#stepMs = null; // a step means something else now
  }

  #stepOptions({ tokensBefore, rosterSize }: Assignment, step: number): StepOptions {
    const { spec } = this.#options;
    const { beta1, beta2, eps, weightDecay, clipNorm } = spec.inner;
    const ramp = Math.min(1, this.#stepsSinceReset / RAMP_STEPS);
    const learningRate = ramp * learningRateAt(spec, tokensBefore, step, rosterSize);
    return { learningRate, beta1, beta2, eps, weightDecay, clipNorm };
  }

  #load(local: Float32Array): void {
    this.#local = local;
    this.#stepped = false;
    this.#engine?.load(local);
  }

  /** A copy: the fold worker takes it over. Rejects when what was trained since is lost. */
  async #readLocal(): Promise<Float32Array> {
    if (this.#stepped) {
      if (!this.#engine) throw new Error("the GPU is gone, and with it what was trained since the last anchor");
      this.#local = await this.#engine.read();
      this.#stepped = false;
    }
    if (!this.#local) throw new Error("nothing was restored yet");
    return this.#local.slice();
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }
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
