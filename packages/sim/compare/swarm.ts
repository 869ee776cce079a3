// What the drivers of a comparison share: who takes part, what they train on, and what is written down.
import { type DataPlan, dataPlan, microbatchIds, windowsPerRound } from "#data";
import { learningRateAt, stepsAt } from "#outer";
import { blobName, type PeerId, peerIdOf } from "#wire";
import { Random } from "../random.ts";
import { Presence } from "./presence.ts";
import type { Link } from "./traffic.ts";
import { Meter } from "./traffic.ts";
import type { Course, Trainer } from "./trainer.ts";

export interface Setting {
  readonly peers: number;
  /** Committed, over all peers. */
  readonly tokens: number;
  readonly link: Link;
  readonly stepMs: number;
  /** Each peer's step takes stepMs times a number from 1 to 1 + spread, drawn anew each round: 0 for machines that are alike. */
  readonly spread: number;
  /** Share of peers that leave in a hundred inner steps. */
  readonly churn: number;
  /** Evaluations in a run, evenly by tokens; the last at its end. */
  readonly points: number;
}

export interface Point {
  readonly tokens: number;
  /** Of one peer, on average: max(sent, received). */
  readonly bytes: number;
  readonly seconds: number; // simulated
  readonly loss: number; //    of the anchor on the evaluation windows, nats per token
}

export interface Trained {
  readonly points: readonly Point[];
  readonly rounds: number;
  /** Of the simulated time in which a peer was there, the share in which it trained. */
  readonly utilization: number;
  /** Most bytes that one exchange moves for a peer. */
  readonly burstBytes: number;
  readonly joins: number;
  readonly leaves: number;
  /** How often its parity class was checked. */
  readonly checks: number;
  /** SHA-256 of the last anchor's parameters. */
  readonly anchorHash: string;
  /** A pseudo-gradient was no number: the run stopped there. */
  readonly diverged: boolean;
}

export interface SwarmPeer {
  readonly index: number;
  readonly id: PeerId;
  readonly trainer: Trainer;
  readonly meter: Meter;
  presentMs: number;
}

/** Engines of a comparison, in use by one run at a time. */
export interface Trainers {
  readonly peers: readonly Trainer[];
  readonly evaluator: Trainer;
}

/** Stand-ins for volunteers' keys, in no order of their own. */
const idOf = (index: number): PeerId => peerIdOf((((index + 1) * 0x9e37_79b1) >>> 0).toString(16).padStart(64, "0"), 0);

export class Swarm {
  readonly course: Course;
  readonly setting: Setting;
  readonly peers: readonly SwarmPeer[];
  readonly presence: Presence;
  readonly random: Random;
  private readonly evaluator: Trainer;
  private readonly plan: DataPlan;
  nowMs = 0;
  tokens = 0;
  /** Inner steps that a peer has had time for: the clock of data and churn. */
  step = 0;
  rounds = 0;
  checks = 0;
  joins = 0;
  leaves = 0;
  private cursor = 0;
  private burstBytes = 0;
  private readonly points: Point[] = [];

  constructor(course: Course, setting: Setting, trainers: Trainers) {
    const { spec, source } = course;
    this.course = course;
    this.setting = setting;
    this.evaluator = trainers.evaluator;
    this.plan = { ...dataPlan(spec), trainTokens: source.length };
    this.random = new Random(spec.seed ^ 0x5eed);
    this.presence = new Presence({ seed: spec.seed, peers: setting.peers, churn: setting.churn });
    this.peers = trainers.peers.slice(0, setting.peers).map((trainer, index) => {
      trainer.resetMoments();
      return { index, id: idOf(index), trainer, meter: new Meter(), presentMs: 0 };
    });
  }

  /** Inner steps of this round. */
  get steps(): number {
    return stepsAt(this.course.spec, { tokensBefore: this.tokens, rosterSize: this.here().length });
  }

  /** Of a peer. */
  get tokensPerRound(): number {
    const { inner, model } = this.course.spec;
    return this.steps * inner.windowsPerStep * model.contextLength;
  }

  get over(): boolean {
    return this.tokens >= this.setting.tokens;
  }

  here(): SwarmPeer[] {
    return this.peers.filter(({ index }) => this.presence.presentAt(index, this.step));
  }

  /** Still there when the round's steps are taken. */
  stays({ index }: SwarmPeer): boolean {
    return this.presence.staysFor(index, this.step, this.step + this.steps);
  }

  /** What the peer at that place of the roster reads in an inner step, and how fast it learns from it. */
  lesson(position: number, rosterSize: number, innerStep: number): { ids: Uint16Array; learningRate: number } {
    const { spec, source } = this.course;
    const { windowsPerStep } = spec.inner;
    const place = { cursor: this.cursor, rosterSize, position, windowsPerStep };
    const ids = microbatchIds(source, this.plan, place, { innerStep, firstSequence: 0, count: windowsPerStep });
    return { ids, learningRate: learningRateAt(spec, this.tokens, innerStep, rosterSize) };
  }

  /** Of each peer, in this round. */
  stepMs(): number {
    const { stepMs, spread } = this.setting;
    return stepMs * (1 + spread * this.random.unit());
  }

  moved(peer: SwarmPeer, cost: { readonly sent: number; readonly received: number }): void {
    peer.meter.add(cost);
    this.burstBytes = Math.max(this.burstBytes, cost.sent, cost.received);
  }

  /** The round's steps are over, and so many peers' tokens count. Evaluates when it is time. */
  async advance(rosterSize: number, counted: number, anchor: () => Float32Array): Promise<void> {
    const { spec, windows } = this.course;
    const { windowsPerStep } = spec.inner;
    const { steps, tokensPerRound } = this;
    const every = this.setting.tokens / this.setting.points;
    const before = Math.floor(this.tokens / every);
    this.cursor += windowsPerRound({ rosterSize, windowsPerStep, steps });
    this.step += steps;
    this.rounds += 1;
    this.tokens += counted * tokensPerRound;
    if (!this.over && Math.floor(this.tokens / every) === before) return;
    this.evaluator.load(anchor());
    const bytes = this.peers.reduce((sum, { meter }) => sum + meter.bytes, 0) / this.peers.length;
    const loss = await this.evaluator.evaluate(windows);
    this.points.push({ tokens: this.tokens, bytes, seconds: this.nowMs / 1000, loss });
  }

  result(anchor: Float32Array, diverged = false): Trained {
    const trainedMs = this.peers.reduce((sum, { meter }) => sum + meter.trainedMs, 0);
    const presentMs = this.peers.reduce((sum, peer) => sum + peer.presentMs, 0);
    const anchorHash = blobName(new Uint8Array(anchor.buffer, anchor.byteOffset, anchor.byteLength));
    const { points, rounds, burstBytes, joins, leaves, checks } = this;
    return {
      points,
      rounds,
      utilization: trainedMs / presentMs,
      burstBytes,
      joins,
      leaves,
      checks,
      anchorHash,
      diverged,
    };
  }
}
