// The replica where the engine keeps the mark: updates are made on the device, and only they cross. What the CPU knows of it, for the day when the
// device is lost: the anchor, and as int8 blocks what was trained on top of it and is in no anchor yet, error feedback too.
//
//   anchor − unsent ≈ local          of the offer in flight, or of what was carried over the last seal
//
// So a lost device costs what it costs a HostReplica: the steps since the last offer or seal. What was owed is local's then, whole.
import type { Engine, StepReport } from "#engine";
import { type Codec, int8Block, readOwn, updateOf } from "#outer";
import type { Folded } from "./fold-service.ts";
import type { Offering, OfferOf, ReplicaHome } from "./replica-home.ts";

export class DeviceReplica implements ReplicaHome {
  readonly #codec: Codec;
  #engine: Engine | undefined;
  #anchor: Float32Array | undefined;
  /** What the anchor lacks, as int8 blocks. */
  #unsent: Uint8Array | undefined;
  /** The body of the offer in flight, or of the one that the anchor has and #unsent does not know of yet. */
  #sent: Uint8Array | undefined;
  /** The mark is not the anchor: it is what was offered. */
  #inFlight = false;
  /** The engine is ahead of #unsent. */
  #stepped = false;
  #stepsBegun = 0;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** Without an engine the next one may be one that keeps no mark. */
  get rebases(): boolean {
    return this.#engine === undefined;
  }

  use(engine: Engine, local?: Float32Array): void {
    this.#engine = engine;
    const known = this.known();
    if (!local) this.#stepped = false;
    if (!known || !this.#anchor) return;
    engine.load(local ?? known);
    engine.mark?.set(this.#inFlight ? this.#marked(this.#anchor) : this.#anchor);
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
    this.#anchor = anchor;
    this.#unsent = undefined;
    this.#sent = undefined;
    this.#inFlight = false;
    this.#stepped = false;
    this.#engine?.load(anchor);
    this.#engine?.mark?.set(anchor);
  }

  offer(): Offering {
    const { mark } = this.#engine ?? {};
    if (!mark || !this.#anchor) throw new Error("the GPU is gone, and with it what was trained since the last anchor");
    // An offer before this one came to nothing without a fold (its commit was voided): its work is part of this one.
    if (this.#inFlight) mark.withdraw(this.#anchor);
    this.#inFlight = false;
    const begun = this.#stepsBegun;
    const crossed = mark.offer().then(({ body, unsent }) => {
      this.#knows(unsent, begun);
      this.#sent = body;
      this.#inFlight = true;
      return body;
    });
    const codec = this.#codec;
    return { crossed, finish: async (about: OfferOf) => updateOf({ ...about, codec }, await crossed) };
  }

  async sealed({ anchor }: Folded, named: boolean): Promise<{ readonly crossed: Promise<unknown> }> {
    const { mark } = this.#engine ?? {};
    if (this.#inFlight && !named) {
      if (this.#anchor) mark?.withdraw(this.#anchor);
      this.#sent = undefined;
    }
    if (this.#inFlight && named && this.#codec.feedback === undefined) {
      this.#unsent = undefined; // all of it is in the anchor now
      this.#sent = undefined;
    }
    this.#inFlight = false;
    this.#anchor = anchor;
    if (!mark) return { crossed: Promise.resolve() };
    const begun = this.#stepsBegun;
    const crossed = mark.sealed(anchor, { carries: this.#stepped }).then(
      (unsent) => unsent && this.#knows(unsent, begun),
      () => {}, // lost, or diverged: the next step or offer says so, and what was known stays
    );
    return { crossed };
  }

  async read(): Promise<Float32Array> {
    const local = this.#engine ? await this.#engine.read() : this.#stepped ? undefined : this.known();
    if (!local) throw new Error("the GPU is gone, and with it what was trained since the last anchor");
    return local;
  }

  /** What a device that is lost now leaves; a new vector. Undefined before anything was restored. */
  known(): Float32Array | undefined {
    const local = this.#anchor?.slice();
    if (!local || !this.#unsent) return local;
    add(local, -1, int8Block(local.length, 256), this.#unsent);
    if (this.#sent && !this.#inFlight) add(local, 1, this.#codec, this.#sent);
    return local;
  }

  /** What is to count as offered on another device: what others decode. */
  #marked(anchor: Float32Array): Float32Array {
    const mark = anchor.slice();
    if (this.#sent) add(mark, -1, this.#codec, this.#sent);
    return mark;
  }

  #knows(unsent: Uint8Array, stepsBegun: number): void {
    this.#unsent = unsent;
    this.#sent = undefined;
    if (stepsBegun === this.#stepsBegun) this.#stepped = false; // else steps were queued behind it
  }
}

function add(to: Float32Array, weight: number, codec: Codec, body: Uint8Array): void {
  readOwn(codec, body).addTo(to, weight, 0, to.length);
}
