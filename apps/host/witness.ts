// The witness: the host's own fold of the log, on its CPU. Its hash settles ties, and it makes the checkpoints.
//
//   start(log): newest checkpoint or genesis, then every sealed commit after it -> fold, fold, …     one call at a time, in order
//
// In a host it runs in a thread (witness-thread.ts), so that a large outer step never stops a heartbeat; replay uses it directly.
import {
  anchorHashBy,
  applyCommit,
  BaseError,
  blankState,
  type Digest,
  encodeCheckpointSection,
  genesisState,
  type OpenedAt,
  type SharedState,
  sectionsOf,
  startsFromBase,
  stateFrom,
} from "#outer";
import type { BlobStore } from "#store";
import { openedAt } from "#swarm";
import { type BlobRef, blobName, type EntryOf, type LogEntry, type PeerId, type RunSpec } from "#wire";
import { readBase } from "./whole-model.ts";

export interface Folded {
  readonly round: number; // that was folded: the state is now after round + 1 rounds
  readonly anchorHash: string;
  readonly refused: readonly { peer: PeerId; reason: string }[];
}

export interface WitnessStart {
  readonly genesisHash: string;
  readonly round: number; // rounds folded
  readonly anchorHash: string;
  /** The round of the checkpoint that it began with; 0: genesis. */
  readonly fromRound: number;
  /** Commits that were folded again and arrived at their sealed hash. */
  readonly verified: number;
}

/** A blob that a commit or a checkpoint names is not on the disk, or is damaged there. */
export class BlobLostError extends Error {
  override readonly name: string = "BlobLostError";
}

/** It is there, with other bytes: somebody or something changed it. */
export class BlobDamagedError extends BlobLostError {
  override readonly name: string = "BlobDamagedError";
}

const digest: Digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

/** The log says one thing and its blobs another. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError";
}

export interface WitnessPort {
  /** @throws DivergenceError, BlobLostError */
  start(log: readonly LogEntry[]): Promise<WitnessStart>;
  /** @throws BlobLostError, and then the state is as before */
  fold(commit: EntryOf<"commit">, opened: OpenedAt): Promise<Folded>;
  /** Stores the sections of the state after `round` rounds. @throws Error when the state is at another round */
  checkpoint(round: number): Promise<{ anchorHash: string; blobs: BlobRef[] }>;
  /** The parameters as they are now, after `round` rounds: a checkpoint's section, which is not stored. */
  anchor(): Promise<{ round: number; anchorHash: string; bytes: Uint8Array }>;
  close(): Promise<void>;
}

export class Witness implements WitnessPort {
  readonly #spec: RunSpec;
  readonly #blobs: BlobStore;
  #state: SharedState;
  #round = 0;
  #anchorHash = "";

  constructor(spec: RunSpec, blobs: BlobStore) {
    this.#spec = spec;
    this.#blobs = blobs;
    this.#state = blankState(spec);
  }

  /**
   * @param from which checkpoint to begin with: the newest for speed, the oldest retained (or genesis) for proof
   * @param visit sees the parameters after each number of rounds that is passed; not a copy
   */
  async start(
    log: readonly LogEntry[],
    from: "newest" | "oldest" = "newest",
    visit: (round: number, parameters: Float32Array) => Promise<void> = async () => {},
  ): Promise<WitnessStart> {
    this.#state = await this.#genesis(); // a second start begins anew
    this.#round = 0;
    const genesisHash = await anchorHashBy(digest, this.#state);
    this.#anchorHash = genesisHash;
    const fromRound = await this.#restore(log, from);
    let verified = 0;
    await visit(fromRound, this.#state.parameters);
    for (const { commit, opened, seal } of sealedCommits(log)) {
      if (commit.round < fromRound) continue;
      const { anchorHash } = await this.fold(commit, opened);
      if (anchorHash !== seal.anchorHash)
        throw new DivergenceError(
          `round ${commit.round} folds to anchor ${anchorHash}, but its seal (entry ${seal.seq}) says ${seal.anchorHash}`,
        );
      verified++;
      await visit(this.#round, this.#state.parameters);
    }
    return { genesisHash, round: this.#round, anchorHash: this.#anchorHash, fromRound, verified };
  }

  /** A run that starts from its base begins with that; of adapters the witness needs no base. @throws BlobDamagedError */
  async #genesis(): Promise<SharedState> {
    if (!startsFromBase(this.#spec)) return genesisState(this.#spec);
    try {
      return genesisState(this.#spec, await readBase(this.#spec, this.#blobs));
    } catch (error) {
      throw error instanceof BaseError ? new BlobDamagedError(error.message) : error;
    }
  }

  /** @returns the round of the checkpoint that was loaded, 0 for genesis */
  async #restore(log: readonly LogEntry[], from: "newest" | "oldest"): Promise<number> {
    const checkpoints = log.filter((entry) => entry.type === "checkpoint");
    if (from === "newest") checkpoints.reverse();
    else if (await this.#keepsEverySince(log, 0)) return 0;
    for (const checkpoint of checkpoints) {
      if (!(await this.#keepsEverySince(log, checkpoint.round))) continue;
      const state = await this.#load(checkpoint);
      if (state === undefined) continue;
      this.#state = state;
      this.#round = checkpoint.round;
      this.#anchorHash = checkpoint.anchorHash;
      return checkpoint.round;
    }
    return 0;
  }

  /** Whether every update from that round on is still stored. */
  async #keepsEverySince(log: readonly LogEntry[], round: number): Promise<boolean> {
    for (const { commit } of sealedCommits(log)) {
      if (commit.round < round) continue;
      for (const { update } of commit.contributors) if (!(await this.#blobs.has(update))) return false;
    }
    return true;
  }

  /** Undefined when a blob of it is gone: another checkpoint may do. */
  async #load(checkpoint: EntryOf<"checkpoint">): Promise<SharedState | undefined> {
    const blobs: Uint8Array[] = [];
    for (const { hash } of checkpoint.blobs) {
      const bytes = await this.#blobs.get(hash);
      if (bytes === undefined || blobName(bytes) !== hash) return undefined;
      blobs.push(bytes);
    }
    const state = stateFrom(this.#spec, checkpoint.round, blobs);
    if (typeof state === "string")
      throw new DivergenceError(`the checkpoint of round ${checkpoint.round} is none of this run: ${state}`);
    const found = await anchorHashBy(digest, state);
    if (found !== checkpoint.anchorHash)
      throw new DivergenceError(
        `the checkpoint of round ${checkpoint.round} holds anchor ${found}, not ${checkpoint.anchorHash}`,
      );
    return state;
  }

  async fold(commit: EntryOf<"commit">, opened: OpenedAt): Promise<Folded> {
    if (commit.round !== this.#round)
      throw new Error(`commit of round ${commit.round}, but the witness stands before round ${this.#round}`);
    // A commit has at most 32 updates; the fold asks for each twice, so they are read beforehand.
    const bytesByHash = new Map<string, Uint8Array>();
    for (const { update } of commit.contributors) {
      const bytes = await this.#blobs.get(update);
      if (bytes === undefined) throw new BlobLostError(`update ${update} of round ${commit.round} is not stored`);
      if (blobName(bytes) !== update)
        throw new BlobDamagedError(`update ${update} of round ${commit.round} is damaged on the disk`);
      bytesByHash.set(update, bytes);
    }
    const refused = applyCommit(this.#state, this.#spec, commit, (hash) => bytesByHash.get(hash), opened);
    const anchorHash = await anchorHashBy(digest, this.#state);
    this.#round += 1;
    this.#anchorHash = anchorHash;
    return { round: commit.round, anchorHash, refused };
  }

  async checkpoint(round: number): Promise<{ anchorHash: string; blobs: BlobRef[] }> {
    if (round !== this.#round)
      throw new Error(`no checkpoint of round ${round}: the witness is at round ${this.#round}`);
    const blobs: BlobRef[] = [];
    for (const { name, values } of sectionsOf(this.#state)) {
      const bytes = encodeCheckpointSection(name, round, values);
      const hash = blobName(bytes);
      await this.#blobs.put(hash, bytes);
      blobs.push({ name, hash, bytes: bytes.length });
    }
    return { anchorHash: this.#anchorHash, blobs };
  }

  async anchor(): Promise<{ round: number; anchorHash: string; bytes: Uint8Array }> {
    const bytes = encodeCheckpointSection("parameters", this.#round, this.#state.parameters);
    return { round: this.#round, anchorHash: this.#anchorHash, bytes };
  }

  async close(): Promise<void> {}
}

interface SealedCommit {
  readonly commit: EntryOf<"commit">;
  readonly opened: OpenedAt;
  readonly seal: EntryOf<"seal">;
}

/** Each commit that a seal answers, with that seal; voided ones moved nobody's anchor. */
export function sealedCommits(log: readonly LogEntry[]): SealedCommit[] {
  const pairs: SealedCommit[] = [];
  let open: EntryOf<"open"> | undefined;
  let commit: EntryOf<"commit"> | undefined;
  for (const entry of log) {
    if (entry.type === "open") open = entry;
    else if (entry.type === "commit") commit = entry;
    else if (entry.type === "void") commit = undefined;
    else if (entry.type === "seal" && commit !== undefined && open !== undefined) {
      pairs.push({ commit, opened: openedAt(open), seal: entry });
      commit = undefined;
    }
  }
  return pairs;
}
