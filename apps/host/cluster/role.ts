// Whether this host orders the run of its cluster.
//
//   lease held -> log read -> leading --lease lost, or a failure--> following        one thing after the other
import { DataError } from "#store/disk";
import { type CachedBlobs, Lease, leaseTimes, type Nats, natsLease } from "#store/nats";
import { type Leading, readsAgain } from "./leading.ts";
import { sweepShared } from "./sweep.ts";
import type { LeaderCard } from "./words.ts";

/** After it could not order the run, another host is given as long to try. */
const REST_MS = 5_000;

interface RoleOptions {
  readonly nats: Nats;
  readonly blobs: CachedBlobs;
  readonly run: string;
  readonly begin: (failed: (error: Error) => void) => Promise<Leading>;
  readonly leads: (leading: Leading | undefined) => void;
  readonly follows: (leader: LeaderCard | undefined) => void;
  readonly report: (line: string) => void;
}

export class Role {
  readonly #options: RoleOptions;
  #lease: Lease | undefined;
  #leading: Leading | undefined;
  #turn: Promise<void> = Promise.resolve();
  /** Why the server does not answer. */
  fault: string | undefined;

  constructor(options: RoleOptions) {
    this.#options = options;
  }

  contend(card: LeaderCard): void {
    const { nats, run, follows } = this.#options;
    this.#inTurn(async () => {
      const bucket = await natsLease(nats, run, leaseTimes.ttlMs);
      this.#lease = new Lease({
        ...{ ...leaseTimes, bucket, value: JSON.stringify(card), now: () => performance.now() },
        after(ms, later) {
          const timer = setTimeout(later, ms);
          return () => clearTimeout(timer);
        },
        onHeld: () => void this.#inTurn(() => this.#begin(card)),
        onLost: (why) => void this.#inTurn(() => this.#end(why)),
        onHolder: (value) => follows(value === undefined ? undefined : (JSON.parse(value) as LeaderCard)),
        onAnswer: (fault) => this.#answers(fault),
      });
    });
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(act).catch((error: Error) => this.#options.report(error.stack ?? error.message));
    return this.#turn;
  }

  #answers(fault: string | undefined): void {
    const { nats, report } = this.#options;
    if ((fault === undefined) === (this.fault === undefined)) return;
    this.fault = fault === undefined ? undefined : `the NATS server at ${nats.shown} does not answer (${fault})`;
    if (this.fault === undefined) report(`The NATS server at ${nats.shown} answers again.`);
    else
      report(`${this.fault[0].toUpperCase()}${this.fault.slice(1)}. Peers stay here; the run goes on when it is back.`);
  }

  async #begin(card: LeaderCard): Promise<void> {
    const { begin, leads, report, blobs } = this.#options;
    if (!this.#lease?.isHeld || this.#leading !== undefined) return;
    try {
      const leading = await begin((error) => void this.#inTurn(() => this.#failed(error, card)));
      if (!this.#lease?.isHeld) return await leading.close();
      this.#leading = leading;
      leads(leading);
      const { round } = leading.run.summary();
      const { spec, entries } = leading.run;
      sweepShared(blobs, spec, entries, Date.now()).then(
        (count) => count > 0 && report(`Removed ${count} uploads that no commit names.`),
        (error: Error) => report(`Old uploads are not removed now: ${error.message}`),
      );
      report(`This host orders the run from now on, after round ${round} (entry ${leading.run.head.headSeq}).`);
    } catch (error) {
      await this.#failed(error as Error, card);
    }
  }

  async #end(why: string): Promise<void> {
    const { leads, report } = this.#options;
    if (this.#leading === undefined) return;
    report(`This host does not order the run any more: ${why}.`);
    const leading = this.#leading;
    this.#leading = undefined;
    leads(undefined);
    await leading.close();
  }

  async #failed(error: Error, card: LeaderCard): Promise<void> {
    await this.#end(error.message);
    if (readsAgain(error) && this.#lease?.isHeld) return this.#begin(card);
    const known = error instanceof DataError || error.name === "StorageError" || error.name === "BlobLostError";
    this.#options.report(`This host cannot order the run: ${known ? error.message : error.stack}`);
    await this.#lease?.rest(REST_MS);
  }

  /** Gives the role back, and does not take it again. */
  release(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#end("this host stops");
      await this.#lease?.stop();
      this.#lease = undefined;
    });
  }
}
