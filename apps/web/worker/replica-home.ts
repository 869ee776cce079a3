// Where the parameters in training and their mark are kept: by the engine (DeviceReplica), or by the CPU (HostReplica). One rule for both: outer's
// replica.ts. Where peers send gradients there is no mark (GradientReplica). The trainer calls in the order of its GPU lane.
import type { Engine, StepReport } from "#engine";
import type { Folded } from "./fold-service.ts";

export interface OfferOf {
  readonly round: number;
  readonly baseHash: string;
  readonly tokens: number;
}

/** An offer whose reading is queued behind the steps before it; steps may follow at once. */
export interface Offering {
  /** Settles when nothing of it is on the device any more. */
  readonly crossed: Promise<unknown>;
  /** In the turn of the fold worker: the update's bytes. Rejects with RangeError when the training diverged. */
  finish(about: OfferOf): Promise<Uint8Array>;
}

export type Stepped = Pick<StepReport, "loss" | "skipped">;

export interface ReplicaHome {
  /** A fold is to say what the parameters are measured from. */
  readonly rebases: boolean;
  /** A first engine, or another one: it goes on from `local`, or from what is known. */
  use(engine: Engine, local?: Float32Array): void;
  gone(): void;
  /** Queues an inner step. */
  step(engine: Engine, ...given: Parameters<Engine["step"]>): Promise<Stepped>;
  /** mark = local = anchor. */
  restored(anchor: Float32Array): void;
  offer(): Offering;
  /** Goes on from the new anchor. Steps may follow when it resolves; what it answers settles when nothing of it is on the device any more. */
  sealed(folded: Folded, named: boolean, round: number): Promise<{ readonly crossed: Promise<unknown> } | undefined>;
  /** A copy of the parameters, behind the steps that were queued before. Rejects when what was trained since is lost. */
  read(): Promise<Float32Array>;
}
