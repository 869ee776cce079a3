// Uploads to one run: who may, how much at once, and what goes again when no commit names it.
import type { IncomingMessage } from "node:http";
import { StorageError } from "#store";
import { BlobRefused, type HostBlobs } from "#store/disk";
import { holdersOf, type LogEntry, type PeerId, ROSTER_MAX, volunteerOf } from "#wire";
import { ApiError } from "./answer.ts";
import type { DiskRoom } from "./disk-room.ts";
import { TokenBuckets } from "./rate.ts";
import type { HostedRun } from "./run.ts";

/** Uploads of one peer under way: its update, and one more while a lost connection is not yet known to be lost. */
const UPLOADS_MAX = 2;
/** Uploads of one peer that no commit has named: older ones are deleted, so that nobody fills the disk. */
const UNNAMED_MAX = 4;
/** And of all: keys cost nothing, so a limit for each is none. As many as may be connected. */
const UNNAMED_TOTAL_MAX = 2_048;

/** Of one volunteer, in all slots: two updates a second, which no honest one makes, and what a lost disk asks back at once. */
const UPDATES_A_SECOND = 2;
const UPDATES_AT_ONCE = 64;
/** Small models have rounds of a second and less: their updates cost nothing. */
const BYTES_A_SECOND_MIN = 4 * 2 ** 20;
const BYTES_AT_ONCE_MIN = 64 * 2 ** 20;

export type UploadedRun = Pick<HostedRun, "spec" | "uploadBytesMax">;
/** What becomes of an upload that is stored: the run hears of it. isNew: it was not there before. */
export type Keep = (peer: PeerId, hash: string, bytes: number, isNew: boolean, tookMs?: number) => Promise<void>;

export class Uploads {
  readonly #run: UploadedRun;
  readonly #blobs: HostBlobs;
  readonly #diskRoom: DiskRoom;
  readonly #keep: Keep;
  readonly #countByPeer = new Map<PeerId, number>();
  readonly #bytesByVolunteer: TokenBuckets;

  constructor(run: UploadedRun, blobs: HostBlobs, diskRoom: DiskRoom, keep: Keep) {
    this.#run = run;
    this.#blobs = blobs;
    this.#diskRoom = diskRoom;
    this.#keep = keep;
    const { uploadBytesMax } = run;
    const limit = {
      perSecond: Math.max(UPDATES_A_SECOND * uploadBytesMax, BYTES_A_SECOND_MIN),
      burst: Math.max(UPDATES_AT_ONCE * uploadBytesMax, BYTES_AT_ONCE_MIN),
    };
    this.#bytesByVolunteer = new TokenBuckets(limit, ROSTER_MAX);
  }

  /** Resolves when the bytes are on the disk. @throws ApiError */
  async take(request: IncomingMessage, peer: PeerId, hash: string): Promise<{ bytes: number; isNew: boolean }> {
    if (holdersOf(this.#run.spec) !== undefined)
      throw new ApiError(409, "kept-by-peers", "The updates of this run are kept by its peers; this host takes none.");
    const bytesMax = this.#run.uploadBytesMax;
    const announced = Number(request.headers["content-length"] ?? 0);
    if (announced > bytesMax)
      throw new ApiError(413, "too-large", `An update of this run has at most ${bytesMax} bytes.`);
    const stored = await this.#blobs.bytes(hash);
    if (stored !== undefined) {
      request.resume();
      await this.#keep(peer, hash, stored, false);
      return { bytes: stored, isNew: false };
    }
    // Without a length it may become the largest.
    if (!this.#bytesByVolunteer.take(volunteerOf(peer), announced || bytesMax, performance.now()))
      throw new ApiError(429, "rate", "This volunteer uploads more than training makes. Try again in a minute.", 30);
    const underWay = this.#countByPeer.get(peer) ?? 0;
    if (underWay >= UPLOADS_MAX) throw new ApiError(429, "uploads", `${UPLOADS_MAX} uploads at once are all.`);
    this.#countByPeer.set(peer, underWay + 1);
    try {
      if (!(await this.#diskRoom.isThere()))
        throw new ApiError(507, "disk-full", "The host's disk is nearly full; its operator must make room.");
      const from = performance.now();
      const bytes = await this.#blobs.receive(hash, request, bytesMax);
      await this.#keep(peer, hash, bytes, true, Math.round(performance.now() - from));
      return { bytes, isNew: true };
    } catch (error) {
      throw uploadError(error);
    } finally {
      const left = (this.#countByPeer.get(peer) ?? 1) - 1;
      if (left > 0) this.#countByPeer.set(peer, left);
      else this.#countByPeer.delete(peer);
    }
  }
}

function uploadError(error: unknown): unknown {
  if (error instanceof BlobRefused)
    return new ApiError(error.code === "too-large" ? 413 : 422, error.code, error.message);
  if (error instanceof StorageError && error.fault === "full") return new ApiError(507, "disk-full", error.message);
  if ((error as NodeJS.ErrnoException).code === "ECONNRESET")
    return new ApiError(400, "aborted", "The upload broke off.");
  return error;
}

export type OrderedRun = Pick<HostedRun, "entries" | "subscribe" | "isOffered" | "blobStored" | "blobDropped">;

/** Where the run is ordered: uploads that are stored, until a commit names them or they have to go. */
export class UnnamedUploads {
  readonly #run: OrderedRun;
  readonly #blobs: Pick<HostBlobs, "delete">;
  readonly #unnamed = new Map<string, PeerId>(); // oldest first: blob -> who sent it
  readonly #named = new Set<string>(); // updates that a commit names
  readonly close: () => void;

  constructor(run: OrderedRun, blobs: Pick<HostBlobs, "delete">) {
    this.#run = run;
    this.#blobs = blobs;
    for (const entry of run.entries) this.#learn(entry);
    this.close = run.subscribe({ entry: (entry) => this.#learn(entry) });
  }

  #learn(entry: LogEntry): void {
    if (entry.type === "commit") for (const { update } of entry.contributors) this.#named.add(update);
  }

  readonly keep: Keep = async (peer, hash, bytes, isNew, tookMs) => {
    if (isNew) await this.#dropUnnamed(peer, hash);
    this.#run.blobStored(hash, bytes, tookMs);
  };

  /**
   * Remembers an upload, and deletes the oldest ones that no commit has named: of this peer, and of all. What an offer names may be
   * named by the next commit, so it stays: there is one per peer of the roster.
   */
  async #dropUnnamed(peer: PeerId, hash: string): Promise<void> {
    this.#unnamed.set(hash, peer);
    for (const name of this.#unnamed.keys()) if (this.#named.has(name)) this.#unnamed.delete(name);
    const idle = [...this.#unnamed].filter(([name]) => !this.#run.isOffered(name));
    const own = idle.filter(([, owner]) => owner === peer).map(([name]) => name);
    const dropped = new Set(own.slice(0, Math.max(0, own.length - UNNAMED_MAX)));
    const others = idle.map(([name]) => name).filter((name) => !dropped.has(name));
    for (const name of others.slice(0, Math.max(0, others.length - UNNAMED_TOTAL_MAX))) dropped.add(name);
    for (const name of dropped) {
      this.#unnamed.delete(name);
      this.#run.blobDropped(name);
    }
    for (const name of dropped) await this.#blobs.delete(name);
  }
}
