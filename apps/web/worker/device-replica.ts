// The replica where the engine keeps the mark: updates are made on the device, and only they cross. What the CPU knows of it, for the day when the
// device is lost: the anchor, and as an update's body what was trained on top of it and is in no anchor yet.
//
//   anchor − decoded(carried) ≈ local          the offer in flight, or what was carried over the last seal; within the codec's rounding
//
// So a lost device costs what it costs a HostReplica: the steps since the last offer or seal.
import type { Engine } from "#engine";
import { type Codec, updateOf } from "#outer";
import type { Folded } from "./fold-service.ts";
import type { Offering, OfferOf, ReplicaHome } from "./replica-home.ts";

export class DeviceReplica implements ReplicaHome {
  readonly #codec: Codec;
  #engine: Engine | undefined;
  #anchor: Float32Array | undefined;
  #carried: Uint8Array | undefined;
  /** The mark is not the anchor: it is what was offered. */
  #inFlight = false;
  /** The engine is ahead of `carried`. */
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
    engine.mark?.set(this.#inFlight ? known : this.#anchor); // of what was offered, what others decode
  }

  gone(): void {
    this.#engine = undefined;
  }

  stepped(): void {
    this.#stepped = true;
    this.#stepsBegun++;
  }

  restored(anchor: Float32Array): void {
    this.#anchor = anchor;
    this.#carried = undefined;
    this.#inFlight = false;
    this.#stepped = false;
    this.#engine?.load(anchor);
    this.#engine?.mark?.set(anchor);
  }

  offer(): Offering {
    const { mark } = this.#engine ?? {};
    if (!mark || !this.#anchor) throw new Error("the GPU is gone, and with it what was trained since the last anchor");
    // An offer before this one came to nothing without a fold (its commit was voided): its work is part of this one.
    if (this.#inFlight) mark.set(this.#anchor);
    this.#inFlight = false;
    const begun = this.#stepsBegun;
    const crossed = mark.offer().then((body) => {
      this.#knows(body, begun);
      this.#inFlight = true;
      return body;
    });
    const codec = this.#codec;
    return { crossed, finish: async (about: OfferOf) => updateOf({ ...about, codec }, await crossed) };
  }

  async sealed({ anchor }: Folded, named: boolean): Promise<{ readonly crossed: Promise<unknown> }> {
    const { mark } = this.#engine ?? {};
    if (this.#inFlight && named) this.#carried = undefined; // it is in the anchor now
    if (this.#inFlight && !named && this.#anchor) mark?.set(this.#anchor);
    this.#inFlight = false;
    this.#anchor = anchor;
    if (!mark) return { crossed: Promise.resolve() };
    const begun = this.#stepsBegun;
    const crossed = mark.sealed(anchor, { carries: this.#stepped }).then(
      (body) => body && this.#knows(body, begun),
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
    if (!local || !this.#carried) return local;
    const decoded = this.#codec.read(this.#carried);
    if (typeof decoded === "string") throw new Error(`what the engine encoded does not read: ${decoded}`);
    decoded.addTo(local, -1, 0, local.length);
    return local;
  }

  #knows(body: Uint8Array, stepsBegun: number): void {
    this.#carried = body;
    if (stepsBegun === this.#stepsBegun) this.#stepped = false; // else steps were queued behind it
  }
}
