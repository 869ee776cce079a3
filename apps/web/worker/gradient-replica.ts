// The replica of a run whose peers send gradients: what is on the device is the anchor, always. A step is a gradient and changes nothing; the fold moves
// everybody.
import { type Remote, transfer } from "comlink";
import type { Engine } from "#engine";
import type { FoldApi } from "./fold-api.ts";
import type { Folded } from "./fold-service.ts";
import type { Offering, OfferOf, ReplicaHome, Stepped } from "./replica-home.ts";

export class GradientReplica implements ReplicaHome {
  readonly rebases = false;
  readonly #fold: Remote<FoldApi>;
  #engine: Engine | undefined;
  #anchor: Float32Array | undefined;
  /** The newest. It crosses behind its step. */
  #gradient: Promise<Float32Array> | undefined;

  constructor(fold: Remote<FoldApi>) {
    this.#fold = fold;
  }

  use(engine: Engine): void {
    this.#engine = engine;
    if (this.#anchor) engine.load(this.#anchor);
  }

  gone(): void {
    this.#engine = undefined;
  }

  async step(engine: Engine, microbatches: readonly Uint16Array[]): Promise<Stepped> {
    const computed = engine.gradient(microbatches);
    this.#gradient = computed.then(({ gradient }) => gradient);
    this.#gradient.catch(() => {}); // told below, and again to whoever offers it
    const { loss } = await computed;
    return { loss, skipped: false };
  }

  restored(anchor: Float32Array): void {
    this.#go(anchor);
  }

  offer(): Offering {
    const crossed = this.#gradient;
    this.#gradient = undefined;
    if (!crossed) throw new Error("there is no gradient of this anchor");
    const finish = async (about: OfferOf) => {
      const trained = await crossed;
      return this.#fold.encode(transfer({ ...about, trained }, [trained.buffer]));
    };
    return { crossed, finish };
  }

  async sealed({ anchor }: Folded): Promise<undefined> {
    this.#go(anchor);
  }

  async read(): Promise<Float32Array> {
    if (!this.#anchor) throw new Error("nothing was restored yet");
    return this.#anchor.slice();
  }

  #go(anchor: Float32Array): void {
    this.#anchor = anchor;
    this.#gradient = undefined;
    this.#engine?.load(anchor);
  }
}
