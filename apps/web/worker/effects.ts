// What the core asks for and waits for: each effect does its work and answers with the input that the core gets next (or with nothing).
//
//   fetch-log, restore, train, encode, upload, fetch, fold, fold-pair, evaluate, make-checkpoint -> PeerInput
//
// Failures that the protocol knows come back as inputs; what rejects all the same is the GPU, or a bug of ours.
import { type BlobExchange, FetchCancelled } from "#mesh";
import type { PeerInput, PeerOutput } from "#swarm";
import { blobName, type EntryOf, encodePieceList, type PeerId, pieceListName } from "#wire";
import type { HoldPhase } from "./api.ts";
import type { BlobShelf } from "./blob-shelf.ts";
import type { Board } from "./board.ts";
import type { Holds } from "./holds.ts";
import type { HostLine } from "./host-line.ts";
import type { Trainer } from "./trainer.ts";

export interface EffectsOptions {
  readonly run: string;
  readonly trainer: Trainer;
  readonly exchange: Pick<BlobExchange, "fetch" | "hold" | "drop">;
  readonly host: Pick<HostLine, "log" | "upload">;
  readonly shelf: BlobShelf;
  readonly board: Board;
  readonly holds: Holds;
  /** The run's base, where genesis is made of it; rejects when it is unusable. */
  readonly base?: (() => Promise<Float32Array>) | undefined;
  /** Nobody waits for results any more. */
  readonly isOver: () => boolean;
}

type Answer = Promise<PeerInput | undefined>;
type Asked<T extends PeerOutput["type"]> = Extract<PeerOutput, { type: T }>;

export class Effects {
  readonly #options: EffectsOptions;

  constructor(options: EffectsOptions) {
    this.#options = options;
  }

  async fetchLog({ from }: Asked<"fetch-log">): Answer {
    const entries = await this.#options.host.log(this.#options.run, from).catch((error: unknown) => {
      if (!this.#options.isOver()) console.warn("the host's log did not come:", textOf(error));
      return [];
    });
    return { type: "log", entries };
  }

  async restore({ round, blobs }: Asked<"restore">): Answer {
    const sections = await Promise.all(blobs.map(({ hash, bytes }) => this.#bytesOf(hash, bytes)));
    const base = sections.length === 0 ? await this.#options.base?.() : undefined;
    const anchorHash = await this.#options.trainer.restore(round, sections, base);
    await this.#pass("restored");
    return { type: "restored", round, anchorHash };
  }

  async train(asked: Asked<"train">): Answer {
    const trained = await this.#options.trainer.train(asked);
    await this.#pass("trained");
    return { type: "trained", job: asked.job, ...trained };
  }

  async encode({ round, baseHash, tokens }: Asked<"encode">): Answer {
    let update: Uint8Array;
    try {
      update = this.#options.holds.spoiled(await this.#options.trainer.encode(round, baseHash, tokens));
    } catch (error) {
      return { type: "encode-failed", round, reason: textOf(error) };
    }
    const name = await this.#keep(update);
    await this.#pass("encoded");
    return { type: "encoded", round, update: name, bytes: update.length };
  }

  async upload({ hash }: Asked<"upload">): Answer {
    try {
      const bytes = await this.#options.shelf.get(hash);
      if (!bytes) throw new Error("the update is not here any more");
      await this.#options.host.upload(hash, bytes);
    } catch (error) {
      console.warn("an update did not reach the host:", textOf(error));
      return { type: "upload-failed", hash, reason: textOf(error) };
    }
    await this.#pass("uploaded");
    return { type: "uploaded", hash };
  }

  async fetch({ hash, bytes, host }: Asked<"fetch">): Answer {
    const { shelf, exchange } = this.#options;
    try {
      if (!(await shelf.has(hash))) {
        await this.#pass("fetching");
        await shelf.put(hash, await exchange.fetch(hash, bytes, host));
      }
    } catch (error) {
      if (error instanceof FetchCancelled) return undefined;
      throw error;
    }
    await this.#pass("fetched");
    return { type: "fetched", hash };
  }

  async fold({ commit, opened, named }: Asked<"fold">): Answer {
    const { trainer } = this.#options;
    const { anchorHash, refused } = await trainer.fold({ commit, opened, named }, await this.#updates(commit));
    if (named) this.#counted();
    await this.#pass("folded");
    return { type: "folded", round: commit.round, anchorHash, refused };
  }

  async foldPair({ commit, pair }: Asked<"fold-pair">): Answer {
    await this.#options.trainer.foldPair({ commit, pair, blobs: await this.#updates(commit, pair) });
    if (pair.length > 0) this.#counted();
    await this.#pass("folded");
    return { type: "folded", round: commit.round, anchorHash: "", refused: [] };
  }

  #counted(): void {
    const { board } = this.#options;
    board.set({ rounds: board.get().rounds + 1 });
  }

  /** One update of a group's: on the fold worker, beside the replica. */
  async aggregate({ round, baseHash, manifest, members }: Asked<"aggregate">): Answer {
    const blobs = new Map<string, Uint8Array>();
    for (const { update, bytes } of members) blobs.set(update, await this.#bytesOf(update, bytes));
    const made = await this.#options.trainer.aggregate({ round, baseHash, members, blobs });
    if (made === undefined) return { type: "aggregated", manifest, aggregate: null };
    const { update, tokens, refused } = made;
    const name = await this.#keep(update);
    return { type: "aggregated", manifest, aggregate: { update: name, bytes: update.length, tokens, refused } };
  }

  async evaluate({ round, merge }: Asked<"evaluate">): Answer {
    const { trainer, board } = this.#options;
    const merged = merge && { commit: merge, blobs: await this.#updates(merge) };
    const result = await trainer.evaluate(round, merged).catch((error: unknown) => {
      console.warn("an evaluation failed; another peer evaluates a later anchor:", error);
      return undefined;
    });
    if (!result || !Number.isFinite(result.loss)) return undefined;
    board.evaluation({ round, step: board.get().lossHistory.at(-1)?.step ?? 0, loss: result.loss });
    await this.#pass("evaluated");
    return { type: "evaluated", round, ...result };
  }

  async makeCheckpoint({ round }: Asked<"make-checkpoint">): Answer {
    const made = await this.#options.trainer.checkpoint(round);
    if (made === undefined) return undefined;
    const blobs = [];
    for (const { name, bytes } of made.sections) {
      const hash = blobName(bytes);
      await this.#options.shelf.put(hash, bytes);
      blobs.push({ name, hash, bytes: bytes.length });
    }
    return { type: "checkpoint-made", round, anchorHash: made.anchorHash, blobs };
  }

  async forget({ hashes }: Asked<"forget">): Answer {
    this.#options.exchange.drop(hashes);
    await Promise.all(hashes.map((hash) => this.#options.shelf.delete(hash)));
    return undefined;
  }

  /** The updates that a commit names, of these peers alone where it says so. */
  async #updates({ contributors }: EntryOf<"commit">, peers?: readonly PeerId[]): Promise<Map<string, Uint8Array>> {
    const blobs = new Map<string, Uint8Array>();
    for (const { peer, update, bytes } of contributors)
      if (!peers || peers.includes(peer)) blobs.set(update, await this.#bytesOf(update, bytes));
    return blobs;
  }

  /**
   * A blob that was here a moment ago. Another tab of this browser may have deleted it from the store that they share, or the browser
   * evicted it: then it comes again. Rejects when this stretch of donating is over.
   */
  async #bytesOf(hash: string, bytes: number): Promise<Uint8Array> {
    const { shelf, exchange } = this.#options;
    return (await shelf.get(hash)) ?? (await exchange.fetch(hash, bytes));
  }

  /** Made here: in the store, and served. @returns its name */
  async #keep(update: Uint8Array): Promise<string> {
    const list = encodePieceList(update);
    const name = pieceListName(list);
    await this.#options.shelf.put(name, update);
    this.#options.exchange.hold(name, { blob: update, list });
    return name;
  }

  async #pass(phase: HoldPhase): Promise<void> {
    await this.#options.holds.pass(phase);
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
