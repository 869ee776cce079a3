// Ordering the run, on whichever host holds the lease: the log from the server, the witness with what it needs, the desk for all sockets.
import { LogConflictError } from "#store/disk";
import { type CachedBlobs, type Nats, openNatsLog } from "#store/nats";
import { type Identity, type PeerId, type RunSpec, runIdOf } from "#wire";
import { BUILD } from "../build.ts";
import { HostedRun } from "../run.ts";
import { runRoom } from "../run-room.ts";
import { UnnamedUploads } from "../uploads.ts";
import type { WitnessPort } from "../witness.ts";
import { asidesOf, BringingWitness, bringAll } from "./bringing.ts";
import type { Bus } from "./bus.ts";
import { Desk } from "./desk.ts";
import { BEAT_MS, type Subjects } from "./words.ts";

export interface LeadingOptions {
  readonly nats: Nats;
  readonly bus: Bus;
  readonly subjects: Subjects;
  /** This host's id. */
  readonly host: string;
  readonly spec: RunSpec;
  readonly identity: Identity;
  readonly blobs: CachedBlobs;
  readonly witness: () => WitnessPort;
  readonly startPeers?: number | undefined;
  readonly report: (line: string) => void;
  /** It cannot go on. Called once. */
  readonly failed: (error: Error) => void;
}

export class Leading {
  readonly run: HostedRun;
  readonly #desk: Desk;
  readonly #unnamed: UnnamedUploads;
  readonly #beats: NodeJS.Timeout;

  private constructor(run: HostedRun, options: LeadingOptions) {
    const { bus, subjects, host, blobs } = options;
    this.run = run;
    this.#unnamed = new UnnamedUploads(run, blobs);
    this.#desk = new Desk({
      ...{ bus, subjects, host, now: () => performance.now() },
      room: runRoom(run, () => false), // a relayed link has both its ends on one host; peers of a cluster need not
      stored: async (peer, hash, bytes, isNew) => {
        if (!(await blobs.bring(hash))) throw new Error(`blob ${hash} is not in the cluster's store`);
        await this.#unnamed.keep(peer, hash, bytes, isNew);
      },
    });
    this.#beats = setInterval(() => this.#desk.beat(), BEAT_MS);
    this.#beats.unref();
    run.attach({
      send: (to, message) => this.#desk.send(to, message),
      broadcast: (message, except) => this.#desk.broadcast(message, except),
      disconnect: (peer, code, message) => this.#desk.disconnect(peer, code, message),
    });
  }

  /** @throws DataError, BlobLostError, DivergenceError, StorageError: another host may do better */
  static async begin(options: LeadingOptions): Promise<Leading> {
    const { nats, spec, identity, blobs, startPeers, report, failed } = options;
    const opened = await openNatsLog(nats, runIdOf(spec), spec.hostKey);
    const witness = new BringingWitness(options.witness(), blobs);
    try {
      await bringAll(blobs, asidesOf(opened.entries));
      let leading: Leading | undefined;
      const sentAway = (peer: PeerId, reason: string) => leading?.sentAway(peer, reason);
      const run = await HostedRun.goOn(
        { ...{ spec, identity, blobs, witness, startPeers, report, sentAway, build: BUILD }, fatal: failed },
        opened,
      );
      leading = new Leading(run, options);
      return leading;
    } catch (error) {
      await opened.log.close();
      await witness.close();
      throw error;
    }
  }

  /** Every host hears of it, and keeps that volunteer out. [R38] */
  sentAway(peer: PeerId, reason: string): void {
    this.#desk.sentAway(peer, reason);
  }

  /** Nothing more goes out at once; what is being appended is answered by nobody here. */
  async close(): Promise<void> {
    clearInterval(this.#beats);
    this.#desk.close();
    this.#unnamed.close();
    await this.run.close();
  }
}

/** Somebody has appended to the log since it was read: it is read again, and nothing is lost. */
export const readsAgain = (error: Error): boolean => error instanceof LogConflictError;
