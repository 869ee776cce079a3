// The replica that a simulated peer trains: outer's own mark rule over one exact number. Each inner step takes 1 off `local`, and an
// update adds up, so work can be counted: what was trained is in a named update, in the one in flight, or kept.
import { Replica, rebase } from "#outer";
import type { EntryOf } from "#wire";
import type { Arithmetic } from "./given.ts";

/** Parameters as they were read from the device. */
export interface Snapshot {
  readonly local: Float32Array;
  readonly trained: number;
}

export class ReplicaNode {
  round: number;
  anchorHash: string;
  /** Since this replica was restored: inner steps, and those of our own updates that commits named. */
  trained = 0;
  named = 0;
  inFlight: string | undefined;
  /** What is known outside of the device: all that is left when it goes. */
  private known: Snapshot;
  training = false;
  /** Has folded in a pair: no anchor any more. [R48] */
  own = false;
  private readonly arithmetic: Arithmetic;
  private readonly replica: Replica;
  private local: Float32Array;
  /** In a run of gradients: the anchor's is here. One that no commit names is lost, so they are not counted. [R47] */
  private gradient: boolean | undefined;

  constructor(arithmetic: Arithmetic, round: number, anchorHash: string, gradients: boolean) {
    this.arithmetic = arithmetic;
    this.gradient = gradients ? false : undefined;
    this.round = round;
    this.anchorHash = anchorHash;
    const anchor = new Float32Array([arithmetic.valueOf(anchorHash)]);
    this.replica = new Replica(anchor);
    this.local = anchor.slice();
    this.known = this.snapshot();
  }

  /** @param begunAt the round of the replica then */
  step(begunAt: number): void {
    if (this.gradient !== undefined) {
      this.gradient = begunAt === this.round;
      return;
    }
    this.trained += 1;
    this.local[0] -= 1;
  }

  /** What the next update holds: the work since the mark. */
  get kept(): number {
    return this.replica.pseudoGradient(this.local)[0];
  }

  /** What an encode reads; training may go on at once. */
  snapshot(): Snapshot {
    return { local: this.local.slice(), trained: this.trained };
  }

  /** What is encoded is of this anchor. */
  get isCurrent(): boolean {
    return this.gradient !== false;
  }

  encoded(update: string, snapshot: Snapshot): void {
    const { local } = snapshot;
    const work = this.gradient === undefined ? this.replica.pseudoGradient(local)[0] : 1;
    this.arithmetic.workByUpdate.set(update, work);
    this.arithmetic.localByUpdate.set(update, local[0]);
    this.inFlight = update;
    this.replica.offered(local.slice());
    this.known = snapshot;
  }

  /** The device goes, and with it the steps since its parameters were read. */
  loseDevice(read = this.known): void {
    this.local.set(read.local);
    this.trained = read.trained;
  }

  fold(commit: EntryOf<"commit">, named: boolean, anchorHash: string): void {
    this.anchorHash = anchorHash;
    this.own = false;
    this.sealed(commit, named, this.arithmetic.valueOf(anchorHash));
  }

  /** @param updates of the pair; none: the commit does not name us */
  foldPair(commit: EntryOf<"commit">, updates: readonly string[]): void {
    this.own = true;
    this.sealed(commit, updates.length > 0, this.arithmetic.meanOf(updates) ?? this.replica.anchor[0]);
  }

  private sealed(commit: EntryOf<"commit">, named: boolean, value: number): void {
    const anchor = new Float32Array([value]);
    if (named && this.inFlight !== undefined && this.gradient === undefined)
      this.named += this.arithmetic.workByUpdate.get(this.inFlight)!;
    rebase(this.local, anchor, this.replica.sealed(anchor, named));
    this.inFlight = undefined;
    if (this.gradient !== undefined) this.gradient = false;
    this.round = commit.round + 1;
    this.known = this.snapshot();
  }

  /** Inner steps that are neither in a named update, nor in the one in flight, nor kept: 0, or work was lost or counted twice. */
  get unaccounted(): number {
    const { previousMark, mark } = this.replica;
    const inFlight = previousMark === undefined ? 0 : previousMark[0] - mark[0];
    return this.trained - this.named - inFlight - this.kept;
  }
}
