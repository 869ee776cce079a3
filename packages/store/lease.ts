// The lease: of several hosts one at a time holds it, and stops before the server may give it to another.
//
//   vacant --create--> held --renew, renew, ...--> lost (somebody else has it, or no answer for too long) --> vacant
//
//   sent ........ answered ........................ until             ttl
//    |<------------------ ttl - margin -------------->|<--- margin --->|      the server counts from when it stored: not before `sent`

/** Somebody else holds it, or held it since. */
export class LeaseTakenError extends Error {
  override readonly name = "LeaseTakenError";
}

/** One value that the server forgets when it is not renewed in time. All reject when there is no answer. */
export interface LeaseBucket {
  /** @returns its revision. @throws LeaseTakenError when there is one */
  create(value: string): Promise<number>;
  /** @throws LeaseTakenError when that revision is not the newest any more */
  update(value: string, revision: number): Promise<number>;
  read(): Promise<{ readonly value: string; readonly revision: number } | undefined>;
  release(revision: number): Promise<void>;
}

export interface LeaseTimes {
  /** The server forgets the lease so long after it was last renewed. */
  readonly ttlMs: number;
  /** So long before that its holder gives up by itself: for a clock that runs a little fast, and for what is being sent. */
  readonly marginMs: number;
  /** How often it is renewed, or looked at. */
  readonly everyMs: number;
}

/** A host that dies is noticed within 6 s; a busy machine may be late by 2.5 s before it loses the role for nothing. */
export const leaseTimes: LeaseTimes = { ttlMs: 5_000, marginMs: 1_000, everyMs: 1_000 };

export interface LeaseOptions extends LeaseTimes {
  readonly bucket: LeaseBucket;
  /** Nobody else's: says who holds it, and how he is reached. */
  readonly value: string;
  readonly now: () => number; // monotonic, ms
  /** @returns what cancels it */
  readonly after: (ms: number, run: () => void) => () => void;
  /** From now on. The revision grows from holder to holder. */
  readonly onHeld: (revision: number) => void;
  readonly onLost: (why: string) => void;
  /** Whoever holds it, ourselves included; undefined: nobody does, or nobody knows. */
  readonly onHolder: (value: string | undefined) => void;
  /** The server does not answer (why), or does again (undefined). */
  readonly onAnswer: (fault: string | undefined) => void;
}

export class Lease {
  readonly #options: LeaseOptions;
  #revision: number | undefined; // of ours, while we hold it
  #cancelNext = (): void => {};
  #cancelEnd = (): void => {};
  #stopped = false;
  #restsUntil = Number.NEGATIVE_INFINITY;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#next(0);
  }

  get isHeld(): boolean {
    return this.#revision !== undefined;
  }

  #next(ms: number): void {
    if (this.#stopped) return;
    this.#cancelNext = this.#options.after(ms, () => {
      this.#turn = this.#look().finally(() => this.#next(this.#options.everyMs));
    });
  }

  async #look(): Promise<void> {
    const { onAnswer } = this.#options;
    try {
      if (this.#revision === undefined) await this.#try();
      else await this.#renew(this.#revision);
      onAnswer(undefined);
    } catch (error) {
      // Neither yes nor no. A holder goes on until its time is over; #try finds out what became of what was sent.
      onAnswer((error as Error).message);
    }
  }

  async #try(): Promise<void> {
    const { bucket, value, onHolder, now } = this.#options;
    const held = await bucket.read();
    if (this.#stopped) return;
    if (held !== undefined && held.value !== value) return onHolder(held.value);
    if (held === undefined && now() < this.#restsUntil) return onHolder(undefined);
    const sentAt = now();
    try {
      // Our own value there: an answer of ours was lost on the way.
      const revision = held === undefined ? await bucket.create(value) : await bucket.update(value, held.revision);
      this.#hold(sentAt, revision);
    } catch (error) {
      if (!(error instanceof LeaseTakenError)) throw error;
    }
  }

  async #renew(revision: number): Promise<void> {
    const { bucket, value, now } = this.#options;
    const sentAt = now();
    try {
      const renewed = await bucket.update(value, revision);
      if (this.#revision === revision) this.#hold(sentAt, renewed); // else its time was over before the answer came
    } catch (error) {
      if (!(error instanceof LeaseTakenError)) throw error;
      const held = await bucket.read();
      if (this.#revision !== revision) return;
      if (held?.value !== value) return this.#lose("another host holds the lease");
      this.#revision = held.revision; // an earlier renewal arrived and its answer did not; it is renewed in a moment
    }
  }

  #hold(sentAt: number, revision: number): void {
    const { ttlMs, marginMs, now, after, onHeld, onHolder, value } = this.#options;
    const leftMs = sentAt + ttlMs - marginMs - now();
    if (this.#stopped || leftMs <= 0) return; // the answer came too late to be of use
    const isNew = this.#revision === undefined;
    this.#revision = revision;
    this.#cancelEnd();
    this.#cancelEnd = after(leftMs, () => this.#lose("the NATS server did not answer in time"));
    if (!isNew) return;
    onHeld(revision);
    onHolder(value);
  }

  #lose(why: string): void {
    if (this.#revision === undefined) return;
    this.#revision = undefined;
    this.#cancelEnd();
    this.#options.onHolder(undefined);
    this.#options.onLost(why);
  }

  /** For good. Gives it back at once, so that nobody waits for its end. Call it when what it protected is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelNext();
    await this.#turn;
    await this.#release();
  }

  /** Gives it back, and leaves it to others for so long; whoever takes it is told of as before. */
  async rest(ms: number): Promise<void> {
    this.#restsUntil = this.#options.now() + ms;
    await this.#turn;
    await this.#release();
    this.#options.onHolder(undefined);
  }

  async #release(): Promise<void> {
    this.#cancelEnd();
    const revision = this.#revision;
    this.#revision = undefined;
    if (revision !== undefined) await this.#options.bucket.release(revision).catch(() => undefined);
  }
}
