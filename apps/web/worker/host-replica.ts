// The replica where the CPU keeps the mark: all parameters are read for an offer and for a seal, and the fold worker encodes.
import { type Remote, transfer } from "comlink";
import type { Engine, StepReport } from "#engine";
import { mergeOf } from "#outer";
import type { RunSpec } from "#wire";
import type { FoldApi } from "./fold-api.ts";
import type { Folded } from "./fold-service.ts";
import type { Offering, OfferOf, ReplicaHome } from "./replica-home.ts";

export class HostReplica implements ReplicaHome {
  readonly rebases = true;
  readonly #merge: ReturnType<typeof mergeOf>;
  readonly #fold: Remote<FoldApi>;
  #engine: Engine | undefined;
  /** As last loaded or read; behind the engine when #stepped. */
  #local: Float32Array | undefined;
  #stepped = false;
  #stepsBegun = 0;

  /** @param local what is in training so far; undefined: nothing was restored yet */
  constructor(spec: RunSpec, fold: Remote<FoldApi>, local: Float32Array | undefined) {
    this.#merge = mergeOf(spec);
    this.#fold = fold;
    this.#local = local;
  }

  use(engine: Engine, local = this.#local): void {
    this.#engine = engine;
    this.#stepped = false;
    this.#local = local;
    if (local) engine.load(local);
  }

  gone(): void {
    this.#engine = undefined;
  }

  step(engine: Engine, ...given: Parameters<Engine["step"]>): Promise<StepReport> {
    this.#stepped = true;
    this.#stepsBegun++;
    return engine.step(...given);
  }

  restored(anchor: Float32Array): void {
    this.#load(anchor);
  }

  offer(): Offering {
    const crossed = this.read();
    const finish = async (about: OfferOf) => {
      const trained = await crossed;
      return this.#fold.encode(transfer({ ...about, trained }, [trained.buffer]));
    };
    return { crossed, finish };
  }

  async sealed({ anchor, from }: Folded, named: boolean, round: number): Promise<undefined> {
    const known = this.#local;
    const local = await this.read().catch(() => known?.slice()); // without its GPU a peer carries nothing, and stays in the run
    if (!local || !from) throw new Error("a commit is to be folded before anything was restored");
    this.#load(this.#merge(local, { round, anchor, from, named }));
    return undefined;
  }

  async read(): Promise<Float32Array> {
    if (this.#stepped) {
      if (!this.#engine) throw new Error("the GPU is gone, and with it what was trained since the last anchor");
      const begun = this.#stepsBegun;
      this.#local = await this.#engine.read();
      if (begun === this.#stepsBegun) this.#stepped = false; // else steps were queued behind this read
    }
    if (!this.#local) throw new Error("nothing was restored yet");
    return this.#local.slice();
  }

  #load(local: Float32Array): void {
    this.#local = local;
    this.#stepped = false;
    this.#engine?.load(local);
  }
}
