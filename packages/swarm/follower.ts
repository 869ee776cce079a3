// The replica follows the log: from a checkpoint (or genesis), commit by commit to the head, and back when it came out wrong. [R15] [R17]
//
//   log -> want -> restore -> restored -> want -> fold -> folded -> the seal says the same | restore again
import { type BlobRef, type EntryOf, isGroup, type PeerId } from "#wire";
import type { Holdings } from "./holdings.ts";
import type { LogReader } from "./log-reader.ts";
import type { Pairing } from "./pairing.ts";
import type { Millis, PeerInput, PeerOutput } from "./ports.ts";
import type { Reduction } from "./reduction.ts";
import type { RunState } from "./run-state.ts";
import type { Wake } from "./timing.ts";
import type { Work } from "./work.ts";

/** Further behind than this, a checkpoint costs less than the updates of the rounds between. */
const FOLD_ROUNDS_MAX = 8;
/** Two more commits' updates under way: enough that a fetch of several turns hides behind the fold before it, few enough to fit in memory. */
const FETCH_AHEAD_ROUNDS = 2;
/** So many failed fetches of one blob, and a newer checkpoint is taken when there is one. */
const FETCH_FAILURES_MAX = 4;
/** [R17] A fold that comes out wrong again and again is a broken machine or build, not an accident. */
const HEALS_MAX = 3;

export interface Replica {
  readonly round: number; //      rounds folded
  readonly anchorHash: string; // of a replica of our own: what the seal says; "" before it
}

type Busy =
  | { type: "restoring"; round: number; anchorHash: string | undefined; blobs: readonly BlobRef[] }
  /** named: of a pair, whether the commit names us; undefined: the fold of all. */
  | { type: "folding"; commit: EntryOf<"commit">; named?: boolean };

export interface FollowerOptions {
  readonly reader: LogReader;
  readonly holdings: Holdings;
  readonly reduction: Reduction;
  readonly work: Work;
  readonly pairing: Pairing;
  readonly emit: (...outputs: readonly PeerOutput[]) => void;
  /** There is no replica any more: the next one is another, whatever was said of this one. */
  readonly dropped: () => void;
  /** This machine cannot take part. */
  readonly gaveUp: (message: string) => void;
}

export class Follower {
  desyncs = 0;
  replica: Replica | undefined;
  /** Our update since the last fold or restore: the replica's mark has moved with it. */
  inFlight: string | undefined;
  /** Of the last fold. */
  refusedInFold: readonly { readonly peer: PeerId; readonly reason: string }[] = [];
  private readonly options: FollowerOptions;
  private readonly log: RunState;
  private busy: Busy | undefined;
  private restoreFrom: EntryOf<"checkpoint"> | undefined; // the checkpoint that is being fetched
  private healsInRow = 0;

  constructor(options: FollowerOptions) {
    this.options = options;
    this.log = options.reader.state;
  }

  /** A restore or a fold is under way. */
  get isBusy(): boolean {
    return this.busy !== undefined;
  }

  /** Blobs that it reads, or that the next fold will. */
  inUse(): ReadonlySet<string> {
    if (this.busy?.type === "restoring") return new Set(this.busy.blobs.map(({ hash }) => hash));
    const commits = [this.busy?.commit, this.nextCommit()];
    return new Set(commits.flatMap((commit) => commit?.contributors ?? []).map(({ update }) => update));
  }

  /** [R48] It folds in a pair, or waits for its partner's update: the seal of that round does not wait for it. */
  get meets(): boolean {
    if (this.busy?.type === "folding") return this.busy.named === true;
    const commit = this.log.pairs ? this.nextCommit() : undefined;
    return commit !== undefined && this.ownIsNamed(commit) === true;
  }

  /** The commit that is next for our replica: sealed, or pending. */
  nextCommit(): EntryOf<"commit"> | undefined {
    return this.replica === undefined ? undefined : this.commitOf(this.replica.round);
  }

  // ---- what happened ----------------------------------------------------------------------------------------------------

  restored(round: number, anchorHash: string): void {
    if (this.busy?.type !== "restoring" || this.busy.round !== round) return;
    const expected = this.busy.anchorHash;
    this.release();
    if (anchorHash === "" || (expected !== undefined && expected !== anchorHash)) return this.desynced();
    this.replica = { round, anchorHash };
    this.options.pairing.restored();
  }

  /** [R17] What we folded must be what the log says: at once when it is sealed, else when the seal comes. */
  folded({ round, anchorHash, refused }: PeerInput & { type: "folded" }): void {
    this.refusedInFold = refused;
    if (this.busy?.type !== "folding" || this.busy.commit.round !== round) return;
    const { commit } = this.busy;
    // A commit of which nothing counts merges to what was before, and whoever has passed commits by does not have that.
    const empty = this.log.pairs && refused.length === commit.contributors.length;
    const named = empty ? (this.busy.named ?? false) : this.busy.named;
    const healing = this.replica === undefined; // begun meanwhile
    const sealed = this.log.sealedByRound.get(round)?.anchorHash;
    if (!healing) this.replica = { round: round + 1, anchorHash: named === undefined ? anchorHash : (sealed ?? "") };
    this.release();
    if (healing) return;
    const { pairing } = this.options;
    if (named === undefined) {
      pairing.merged();
      if (sealed !== undefined) this.judge(anchorHash, sealed);
    } else if (named) {
      pairing.met();
      this.healsInRow = 0;
    } else pairing.stayed();
  }

  sealed(anchorHash: string): void {
    const { replica } = this;
    if (replica?.round !== this.log.round) return;
    if (this.options.pairing.isOwn) this.replica = { ...replica, anchorHash };
    else this.judge(replica.anchorHash, anchorHash);
  }

  heal(reason: string): void {
    this.healsInRow += 1;
    if (this.healsInRow > HEALS_MAX)
      return this.options.gaveUp(
        `this machine cannot take part: ${reason}, ${this.healsInRow} times in a row; update the browser`,
      );
    this.restoreAgain();
  }

  /** Everything of our own is dropped; the newest checkpoint and the commits after it are the truth. */
  restoreAgain(): void {
    this.options.emit(...this.options.work.reset());
    this.replica = undefined;
    this.restoreFrom = undefined;
    this.inFlight = undefined;
    this.options.dropped();
  }

  private release(): void {
    this.busy = undefined;
    this.options.holdings.released();
  }

  private judge(ours: string, sealed: string): void {
    if (ours === sealed) this.healsInRow = 0;
    else this.desynced();
  }

  private desynced(): void {
    this.desyncs += 1;
    this.heal("it computed another anchor than the swarm");
  }

  // ---- what comes next --------------------------------------------------------------------------------------------------

  /** @returns the replica, when it has folded all that is known */
  advance(now: Millis, wake: Wake): Replica | undefined {
    if (this.busy !== undefined) return undefined;
    if (this.replica === undefined || this.tooFarBehind()) this.advanceRestore();
    else {
      const commit = this.nextCommit();
      if (commit === undefined) return this.replica;
      const named = this.ownIsNamed(commit);
      const isNewest = this.commitOf(commit.round + 1) === undefined;
      if (this.log.pairs && isNewest && !this.options.reader.caughtUp) return undefined; // there may be a newer one
      const choice = this.log.pairs ? this.choose(commit, named === true, isNewest) : "merge";
      if (choice === "merge") this.advanceFold(commit, named);
      else this.advancePair(now, commit, choice === "meet", wake);
    }
    return undefined;
  }

  private choose({ round }: EntryOf<"commit">, named: boolean, isNewest: boolean): ReturnType<Pairing["choose"]> {
    return this.options.pairing.choose(named, isNewest, this.log.openedAt(round).rosterSize);
  }

  /** The open that we are at stands on another anchor: another genesis. */
  checkBase({ round, baseHash }: EntryOf<"open">): void {
    if (round === this.replica?.round && baseHash !== this.replica.anchorHash) this.desynced();
  }

  private commitOf(round: number): EntryOf<"commit"> | undefined {
    if (round < this.log.round) return this.log.sealedByRound.get(round)?.commit;
    return this.log.commit?.round === round ? this.log.commit : undefined;
  }

  private tooFarBehind(): boolean {
    const { round } = this.replica!;
    const checkpoint = this.log.checkpoint;
    if (round < this.log.round && !this.log.sealedByRound.has(round)) return true; // nobody keeps those updates any more
    if (this.log.pairs) return false; // rounds are passed by, whose updates nobody asks for [R50]
    if (this.isForgotten(round)) return true;
    if (checkpoint === undefined || checkpoint.round <= round) return false;
    return this.log.round - round > FOLD_ROUNDS_MAX || this.options.holdings.failures() >= FETCH_FAILURES_MAX;
  }

  /** [R20] Retention has let go of that round's updates, and we have not all of them: to ask for the others would be in vain. */
  private isForgotten(round: number): boolean {
    const { spec, previousCheckpoint } = this.log;
    if (spec.checkpoint.retain === "all" || round >= (previousCheckpoint?.round ?? 0)) return false;
    return !this.nextCommit()?.contributors.every(({ update }) => this.options.holdings.has(update));
  }

  /** [R15] From the newest checkpoint, or from genesis while there is none; after failures from an older one, too. */
  private advanceRestore(): void {
    const { reader, holdings, emit } = this.options;
    if (!reader.caughtUp) return;
    const { checkpoint, previousCheckpoint } = this.log;
    const older = this.healsInRow >= 2 ? previousCheckpoint : undefined;
    if (this.replica !== undefined) this.restoreAgain();
    // Over a slow line a newer one may come before this one is here: as long as it is kept, what was begun is finished.
    const begun = holdings.failures() < FETCH_FAILURES_MAX ? this.restoreFrom : undefined;
    const from = older ?? (begun !== undefined && begun === previousCheckpoint ? begun : checkpoint);
    this.restoreFrom = from;
    const blobs = from?.blobs ?? [];
    // The host made it, so nobody else is sure to have it.
    holdings.want(blobs, "at-once");
    if (!blobs.every(({ hash }) => holdings.has(hash))) return;
    const round = from?.round ?? 0;
    const anchorHash = from?.anchorHash ?? this.log.anchorAt(0);
    this.busy = { type: "restoring", round, anchorHash, blobs };
    emit({ type: "restore", round, anchorHash: anchorHash ?? "", blobs });
  }

  private advanceFold(commit: EntryOf<"commit">, named: boolean | "unknown"): void {
    const { reader, holdings, emit } = this.options;
    // [R15] Those of the next commits come meanwhile: else who is behind on a slow line gains nothing on rounds that do not wait for it.
    const ahead = Array.from({ length: FETCH_AHEAD_ROUNDS }, (_, i) => this.commitOf(commit.round + 1 + i));
    const updates = [commit, ...ahead].flatMap((each) => each?.contributors ?? []);
    const wanted = updates.map(({ update, bytes }) => ({ hash: update, bytes }));
    holdings.want(wanted, "last");
    if (!commit.contributors.every(({ update }) => holdings.has(update))) return;
    if (named === "unknown") return reader.caughtUp ? this.restoreAgain() : undefined;
    this.busy = { type: "folding", commit };
    this.inFlight = undefined;
    emit({ type: "fold", commit, opened: this.log.openedAt(commit.round), named });
  }

  /** [R48] [R50] */
  private advancePair(now: Millis, commit: EntryOf<"commit">, named: boolean, wake: Wake): void {
    const { holdings, pairing, emit } = this.options;
    const own = named ? commit.contributors.filter(({ update }) => update === this.inFlight) : [];
    const partner = named ? pairing.partner(commit) : undefined;
    holdings.want(partner === undefined ? [] : [{ hash: partner.update, bytes: partner.bytes }], "last");
    const met = partner !== undefined && holdings.has(partner.update) ? [partner] : [];
    if (partner !== undefined && met.length === 0 && !pairing.isLate(now, commit, wake)) return;
    this.busy = { type: "folding", commit, named };
    this.inFlight = undefined;
    emit({ type: "fold-pair", commit, pair: [...own, ...met].map(({ peer }) => peer) });
  }

  /**
   * [R27] A commit that names groups does not say whom they hold: the host does, before the commit, and after each welcome for the newest
   * one. Who was away longer cannot know whether his work counts: "unknown", and it is dropped rather than counted twice.
   */
  private ownIsNamed(commit: EntryOf<"commit">): boolean | "unknown" {
    const { reader, reduction } = this.options;
    const own = this.inFlight;
    if (own === undefined) return false;
    if (commit.contributors.some(({ update }) => update === own)) return true;
    if (!commit.contributors.some(isGroup)) return false;
    const told = reduction.isNamed(commit, own);
    if (told !== undefined) return told;
    const newest = this.log.commit ?? this.log.sealedByRound.get(this.log.round - 1)?.commit;
    return commit.seq > reader.welcomeSeq || (reader.caughtUp && commit === newest) ? false : "unknown";
  }
}
