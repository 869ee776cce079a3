// A donating peer's half of the protocol. Sans-IO: outputs are effects, whose results come back as inputs.
//
//   log -> restore (checkpoint or genesis) -> fetch, fold each commit up to the head -> ready
//   open names us -> train -> encode -> upload -> offer -> commit -> fetch, fold -> attest -> seal -> open ...
//
// Effects on the replica (restore, encode, fold, evaluate) are carried out in the order in which they are given; training runs beside
// them, and they take hold of the parameters between two of its steps.
// Rules [R..] are in docs/PROTOCOL.md.
import {
  type BlobRef,
  type EntryOf,
  type HostMessage,
  holdersOf,
  isGroup,
  type LogEntry,
  type PeerId,
  type PeerMessage,
} from "#wire";
import { assert } from "./assert.ts";
import type { HostUse } from "./exchange/wanted.ts";
import { Fetches, type WantedBlob } from "./fetches.ts";
import { Keeping, type KeptBlob } from "./keeping.ts";
import { Links } from "./links.ts";
import { LogReader } from "./log-reader.ts";
import type { Millis, PeerInput, PeerOptions, PeerOutput, PeerPhase, PeerView } from "./ports.ts";
import { Reduction } from "./reduction.ts";
import type { RunState } from "./run-state.ts";
import { Wake } from "./timing.ts";
import { Work } from "./work.ts";

/** Further behind than this, a checkpoint costs less than the updates of the rounds between. */
const FOLD_ROUNDS_MAX = 8;
/** Two more commits' updates under way: enough that a fetch of several turns hides behind the fold before it, few enough to fit in memory. */
const FETCH_AHEAD_ROUNDS = 2;
/** So many failed fetches of one blob, and a newer checkpoint is taken when there is one. */
const FETCH_FAILURES_MAX = 4;
/** [R17] A fold that comes out wrong again and again is a broken machine or build, not an accident. */
const HEALS_MAX = 3;
/** Progress is for people: two lines a second per peer would be noise and, with many peers, load. */
const PROGRESS_EVERY_MS = 1_000;
/** [R22] The last anchor is worth waiting for after `end`, but not forever: so long at least, else as long as a round of the run may take. */
const LAST_FOLD_MS = 30_000;

type Busy =
  | { type: "restoring"; round: number; anchorHash: string | undefined; blobs: readonly BlobRef[] }
  | { type: "folding"; commit: EntryOf<"commit"> };

export class Peer {
  /** The log so far, folded. Read only. */
  readonly log: RunState;
  private readonly self: PeerId;
  private readonly reader: LogReader;
  private readonly links: Links;
  private readonly fetches = new Fetches();
  private readonly keeping = new Keeping();
  /** The host keeps no update and no checkpoint: nothing goes up, and nothing comes from there. [R35] */
  private readonly peersKeep: boolean;
  private readonly wake = new Wake();
  private readonly work: Work;
  private readonly reduction: Reduction;
  private replica: { round: number; anchorHash: string } | undefined;
  private busy: Busy | undefined;
  private restoreFrom: EntryOf<"checkpoint"> | undefined; // the checkpoint that is being fetched
  private forgetLater: readonly string[] = [];
  /** Our update since the last fold or restore: the replica's mark has moved with it. */
  private inFlight: string | undefined;
  private refusedInFold: readonly { readonly peer: PeerId; readonly reason: string }[] = [];
  private final: "refused" | "ended" | "stopped" | undefined;
  private endedAt: Millis | undefined;
  private welcomed = false;
  private welcomeSeq = -1; // the log's head when this connection began
  private donating = false;
  private pauseReason: string | undefined;
  private desyncs = 0;
  private healsInRow = 0;
  private stepMs: number | null = null;
  // What this connection has been told already:
  private readyRound = -1;
  private attestedRound = -1;
  private pauseTold = false;
  private repeated = true; // our update and offer, for this connection
  private evaluatedRound = 0;
  private progressAt: Millis = Number.NEGATIVE_INFINITY;
  private out: PeerOutput[] = [];

  constructor(options: PeerOptions) {
    this.self = options.self;
    this.reader = new LogReader(options);
    this.log = this.reader.state;
    this.links = new Links(options.self);
    this.work = new Work(options.self, this.log);
    this.peersKeep = holdersOf(options.spec) !== undefined;
    this.reduction = new Reduction(this.log);
  }

  step(now: Millis, input: PeerInput): PeerOutput[] {
    this.out = [];
    if (this.final === "refused" || this.final === "stopped") return [];
    if (input.type === "tick") this.wake.rung();
    this.take(now, input);
    if (this.final === undefined || this.final === "ended") this.advance(now);
    const at = this.wake.take(now);
    if (at !== undefined) this.out.push({ type: "wake", at });
    return this.out;
  }

  view(): PeerView {
    return {
      phase: this.phase(),
      round: this.replica?.round ?? 0,
      anchorHash: this.replica?.anchorHash ?? null,
      step: this.work.stepsDone,
      steps: this.log.spec.inner.steps,
      members: this.links.known(),
      desyncs: this.desyncs,
    };
  }

  private phase(): PeerPhase {
    if (this.final === "refused") return "refused";
    if (this.final !== undefined) return "ended";
    if (!this.donating && this.pauseReason !== undefined) return "paused"; // it follows the run, but that is not what people ask
    if (this.replica === undefined) return this.welcomed || this.busy !== undefined ? "catch-up" : "connecting";
    if (this.replica.round < this.log.round) return "catch-up";
    if (this.busy !== undefined) return "folding";
    if (this.nextCommit() !== undefined) return "exchange";
    if (!this.donating) return "paused";
    if (this.work.training) return "training";
    return this.work.update !== undefined ? "exchange" : "waiting";
  }

  // ---- inputs -----------------------------------------------------------------------------------------------------------

  private take(now: Millis, input: PeerInput): void {
    switch (input.type) {
      case "tick":
      case "host-open": // the adapter says hello; the host's welcome begins the connection
        return;
      case "host-closed":
        this.welcomed = false;
        this.reader.close();
        return;
      case "message":
        return this.message(now, input.message);
      case "log":
        return this.followed(this.reader.answer(now, input.entries, (entry) => this.entry(now, entry)));
      case "link-up":
        return this.links.linkUp(input.peer);
      case "link-down":
        return this.links.linkDown(now, input.peer);
      case "relay-up":
        return this.links.relayUp(input.peer);
      case "relay-down":
        return this.links.relayDown(now, input.peer);
      case "links":
        return this.tell({
          type: "links",
          links: [...input.links],
          bytesFromHost: input.bytesFromHost,
          bytesToHost: input.bytesToHost,
        });
      case "progress":
        return this.progress(now, input);
      case "trained":
        if (!this.work.trained(now, input)) this.heal("its training diverged");
        return;
      case "encoded":
        this.fetches.hold(input.update);
        this.emit(...this.work.encoded(input));
        this.inFlight = this.work.update;
        return;
      case "encode-failed":
        if (this.work.encodeFailed(input.round)) this.heal(input.reason);
        return;
      case "uploaded":
        return this.work.uploaded(input.hash);
      case "upload-failed":
        return this.work.uploadFailed(now, input.hash);
      case "fetched":
        this.fetches.hold(input.hash);
        if (this.keeping.arrived(input.hash)) this.tell({ type: "kept", hash: input.hash });
        return;
      case "checkpoint-made":
        return this.checkpointMade(input);
      case "fetch-failed":
        return this.fetches.failed(input.hash);
      case "restored":
        return this.restored(input.round, input.anchorHash);
      case "folded":
        this.refusedInFold = input.refused;
        return this.folded(input.round, input.anchorHash);
      case "evaluated":
        return this.tell({
          type: "evaluation",
          round: input.round,
          anchorHash: input.anchorHash,
          setHash: input.setHash,
          loss: input.loss,
        });
      case "aggregated": {
        if (input.aggregate !== null) this.fetches.hold(input.aggregate.update);
        const vote = this.reduction.aggregated(input);
        if (vote !== undefined) this.tell(vote);
        else if (input.aggregate !== null) this.forget([input.aggregate.update]);
        return;
      }
      case "donate":
        this.donating = true;
        this.readyRound = -1;
        return;
      case "pause":
        this.donating = false;
        this.pauseReason = input.reason;
        this.pauseTold = false;
        if (input.lost) this.work.lost();
        return;
      case "stop":
        this.tell({ type: "bye", reason: "stopped" });
        this.emit(...this.work.stop(), ...this.links.close());
        this.final = "stopped";
        return;
    }
  }

  private message(now: Millis, message: HostMessage): void {
    switch (message.type) {
      case "challenge":
      case "ice":
        return; // handshake and connections are the adapter's
      case "welcome": {
        const fault = this.reader.welcome(now, message.headSeq, message.headHash);
        if (fault !== undefined) return this.refused("log", fault);
        this.welcomed = true;
        this.welcomeSeq = message.headSeq;
        if (this.reader.agrees) this.tell({ type: "head", ...this.reader.head });
        this.readyRound = -1;
        this.attestedRound = -1;
        this.pauseTold = false;
        this.links.setMembers(message.members);
        this.links.setRelay(message.relay);
        const vote = this.reduction.reconnected();
        if (vote !== undefined) this.tell(vote);
        this.repeated = false;
        return;
      }
      case "refuse":
        return this.refused(message.code, message.message);
      case "joined":
        return this.links.join(message.member);
      case "left":
        return this.emit(...this.links.leave(message.peer));
      case "parted":
        return this.links.part(message.peer);
      case "signal": {
        const open = this.links.signalled(now, message.from);
        if (open !== undefined) this.emit(...open, { type: "signal", from: message.from, data: message.data });
        return;
      }
      case "entries":
        return this.followed(this.reader.live(now, message.entries, (entry) => this.entry(now, entry)));
      case "keep":
        return this.keep(message.blob);
      case "make-checkpoint":
        if (this.replica?.round === message.round && this.busy === undefined)
          this.emit({ type: "make-checkpoint", round: message.round });
        return; // else somebody else makes it
      case "give-back":
        return this.tell({ type: "given-back", entries: this.reader.giveBack(message.from) });
      case "give-blobs":
        return this.giveBlobs(message.hashes);
      case "offer-refused":
        return this.work.offerRefused(message.openSeq);
      case "seat":
        this.log.seat = message;
        return;
      case "reduce":
        return this.forgetGroup(this.reduction.reduce(message));
      case "send-up":
        if (this.reduction.mayUpload(message.hash)) this.emit({ type: "upload", hash: message.hash });
        return;
      case "fold-refused":
        return; // the seal says so too, to everybody
    }
  }

  private progress(
    now: Millis,
    { job, round, step, loss, tokensPerSecond, stepMs }: PeerInput & { type: "progress" },
  ): void {
    this.work.progress(job, step, stepMs);
    this.stepMs = stepMs;
    if (now < this.progressAt + PROGRESS_EVERY_MS || (loss !== null && !Number.isFinite(loss))) return;
    this.progressAt = now;
    this.tell({ type: "progress", round, step, loss, tokensPerSecond });
  }

  // ---- the log ----------------------------------------------------------------------------------------------------------

  /** The log has one more entry. */
  private entry(now: Millis, entry: LogEntry): void {
    switch (entry.type) {
      case "open":
        return this.work.opened(entry);
      case "commit":
        return;
      case "seal": {
        const { replica } = this;
        if (replica?.round === this.log.round) this.judge(replica.anchorHash, entry.anchorHash);
        this.forgetGroup(this.reduction.close());
        const own = this.work.close();
        if (own !== undefined && !this.namedInLog(entry.round, own)) this.forget([own]);
        if (this.peersKeep) this.forget(this.keeping.over((hash) => this.isNamed(hash)));
        return;
      }
      case "void":
        this.forgetGroup(this.reduction.close());
        this.restoreAgain(); // the one way that is right in every phase: some have folded it, some had an offer in flight
        return;
      case "checkpoint":
        return this.forget(this.log.unretained);
      case "eval":
        return;
      case "end":
        this.endedAt = now;
        return;
    }
  }

  /** What only a group needed, and no commit that we still fold or serve. */
  private forgetGroup(hashes: readonly string[]): void {
    const { commit, round } = this.log;
    const own = this.work.update;
    const named = new Set((commit?.contributors ?? []).map(({ update }) => update));
    for (const hash of hashes)
      if (hash !== own && !named.has(hash) && !this.namedInLog(round - 1, hash)) this.forget([hash]);
  }

  private namedInLog(round: number, update: string): boolean {
    return this.log.sealedByRound.get(round)?.commit.contributors.some((c) => c.update === update) ?? false;
  }

  private followed(fault: string | undefined): void {
    const { forked } = this.reader;
    if (forked !== undefined) this.emit({ type: "evidence", ...forked });
    if (fault !== undefined) this.refused(forked ? "fork" : "log", `the host's log cannot be followed: ${fault}`);
  }

  /** The host's disk has lost them; what we hold goes up again. [R34] */
  private giveBlobs(hashes: readonly string[]): void {
    const lacking = hashes.filter((hash) => !this.fetches.has(hash));
    for (const hash of hashes) if (!lacking.includes(hash)) this.emit({ type: "upload", hash });
    if (lacking.length > 0) this.tell({ type: "lacks", hashes: lacking });
  }

  /** [R35] */
  private keep(blob: KeptBlob): void {
    this.keeping.want(blob);
    if (!this.fetches.has(blob.hash)) return;
    this.keeping.arrived(blob.hash);
    this.tell({ type: "kept", hash: blob.hash });
  }

  /** [R37] Sections that no checkpoint entry came to name go when the next ones are made. */
  private checkpointMade({ round, anchorHash, blobs }: PeerInput & { type: "checkpoint-made" }): void {
    const hashes = blobs.map(({ hash }) => hash);
    for (const hash of hashes) this.fetches.hold(hash);
    this.forget(this.keeping.made(hashes, (hash) => this.isNamed(hash)));
    this.tell({ type: "checkpoint-made", round, anchorHash, blobs: [...blobs] });
  }

  private isNamed(hash: string): boolean {
    const { checkpoint, previousCheckpoint, sealedByRound, commit } = this.log;
    if ([checkpoint, previousCheckpoint].some((entry) => entry?.blobs.some((blob) => blob.hash === hash))) return true;
    const commits = [...[...sealedByRound.values()].map((sealed) => sealed.commit), ...(commit ? [commit] : [])];
    return commits.some(({ contributors }) => contributors.some(({ update }) => update === hash));
  }

  private want(blobs: readonly WantedBlob[], host: HostUse): void {
    this.emit(...this.fetches.wantOnly([...blobs, ...this.keeping.wanted()], host));
  }

  private refused(code: string, message: string): void {
    this.final = "refused";
    this.emit(...this.work.stop(), ...this.links.close(), { type: "refused", code, message });
  }

  // ---- the replica ------------------------------------------------------------------------------------------------------

  private restored(round: number, anchorHash: string): void {
    if (this.busy?.type !== "restoring" || this.busy.round !== round) return;
    const expected = this.busy.anchorHash;
    this.release();
    if (anchorHash === "" || (expected !== undefined && expected !== anchorHash)) return this.desynced();
    this.replica = { round, anchorHash };
  }

  private release(): void {
    this.busy = undefined;
    this.forget(this.forgetLater);
  }

  /** [R17] What we folded must be what the log says: at once when it is sealed, else when the seal comes. */
  private folded(round: number, anchorHash: string): void {
    if (this.busy?.type !== "folding" || this.busy.commit.round !== round) return;
    const healing = this.replica === undefined; // begun meanwhile
    if (!healing) this.replica = { round: round + 1, anchorHash };
    this.release();
    if (healing) return;
    const sealed = this.log.sealedByRound.get(round)?.anchorHash;
    if (sealed !== undefined) this.judge(anchorHash, sealed);
  }

  private judge(ours: string, sealed: string): void {
    if (ours === sealed) this.healsInRow = 0;
    else this.desynced();
  }

  private desynced(): void {
    this.desyncs += 1;
    this.heal("it computed another anchor than the swarm");
  }

  private heal(reason: string): void {
    this.healsInRow += 1;
    if (this.healsInRow > HEALS_MAX) {
      const message = `this machine cannot take part: ${reason}, ${this.healsInRow} times in a row; update the browser`;
      return this.refused("desync", message);
    }
    this.restoreAgain();
  }

  /** Everything of our own is dropped; the newest checkpoint and the commits after it are the truth. */
  private restoreAgain(): void {
    this.emit(...this.work.reset());
    this.replica = undefined;
    this.restoreFrom = undefined;
    this.inFlight = undefined;
    this.readyRound = -1;
    this.attestedRound = -1;
  }

  /** The commit that is next for our replica: sealed, or pending. */
  private nextCommit(): EntryOf<"commit"> | undefined {
    return this.replica === undefined ? undefined : this.commitOf(this.replica.round);
  }

  private commitOf(round: number): EntryOf<"commit"> | undefined {
    if (round < this.log.round) return this.log.sealedByRound.get(round)?.commit;
    return this.log.commit?.round === round ? this.log.commit : undefined;
  }

  // ---- what comes next --------------------------------------------------------------------------------------------------

  private advance(now: Millis): void {
    this.emit(...this.links.advance(now, this.welcomed && this.final === undefined, this.wake));
    if (this.final !== undefined) return;
    this.emit(...this.reader.advance(now, this.wake));
    this.followed(this.reader.takenBack(now, this.wake));
    if (this.final !== undefined) return;
    // A host that lacks the open which we answer could only refuse our offer, and drop our update with an older round's. [R33]
    const connected = this.welcomed && !this.reader.hostIsBehind;
    if (connected && !this.repeated) {
      this.repeated = true;
      this.emit(...this.work.reconnected());
    }
    if (this.busy === undefined) this.advanceReplica();
    if (this.final !== undefined) return; // it cannot take part
    const { donating } = this;
    const situation = { round: this.replica?.round, donating, connected, caughtUp: this.reader.caughtUp };
    this.emit(...this.work.advance(now, situation, this.wake));
    this.advanceEnd(now);
    if (this.welcomed && !this.donating && this.pauseReason !== undefined && !this.pauseTold) {
      this.pauseTold = true;
      this.tell({ type: "pause", reason: this.pauseReason });
    }
  }

  private advanceReplica(): void {
    if (this.replica === undefined || this.tooFarBehind()) return this.advanceRestore();
    const commit = this.nextCommit();
    if (commit !== undefined) return this.advanceFold(commit);
    assert(this.replica.round >= this.log.round, "a replica behind the head has a commit to fold");
    this.want(this.reduction.wanted(), "last");
    this.emit(...this.reduction.advance((hash) => this.fetches.has(hash)));
    if (!this.reader.caughtUp) return;
    this.tellWhereWeAre();
    const { open, ended } = this.log;
    if (this.log.commit !== undefined || ended !== undefined) return;
    this.evaluateIfNamed();
    if (open?.round === this.replica.round && open.baseHash !== this.replica.anchorHash) this.desynced(); // another genesis
  }

  private tooFarBehind(): boolean {
    const { round } = this.replica!;
    const checkpoint = this.log.checkpoint;
    if (round < this.log.round && !this.log.sealedByRound.has(round)) return true; // nobody keeps those updates any more
    if (this.isForgotten(round)) return true;
    if (checkpoint === undefined || checkpoint.round <= round) return false;
    return this.log.round - round > FOLD_ROUNDS_MAX || this.fetches.failures() >= FETCH_FAILURES_MAX;
  }

  /** [R20] Retention has let go of that round's updates, and we have not all of them: to ask for the others would be in vain. */
  private isForgotten(round: number): boolean {
    const { spec, previousCheckpoint } = this.log;
    if (spec.checkpoint.retain === "all" || round >= (previousCheckpoint?.round ?? 0)) return false;
    return !this.nextCommit()?.contributors.every(({ update }) => this.fetches.has(update));
  }

  /** [R15] From the newest checkpoint, or from genesis while there is none; after failures from an older one, too. */
  private advanceRestore(): void {
    if (!this.reader.caughtUp) return;
    const { checkpoint, previousCheckpoint } = this.log;
    const older = this.healsInRow >= 2 ? previousCheckpoint : undefined;
    if (this.replica !== undefined) this.restoreAgain();
    // Over a slow line a newer one may come before this one is here: as long as it is kept, what was begun is finished.
    const begun = this.fetches.failures() < FETCH_FAILURES_MAX ? this.restoreFrom : undefined;
    const from = older ?? (begun !== undefined && begun === previousCheckpoint ? begun : checkpoint);
    this.restoreFrom = from;
    const blobs = from?.blobs ?? [];
    // The host made it, so nobody else is sure to have it.
    this.want(blobs, "at-once");
    if (!blobs.every(({ hash }) => this.fetches.has(hash))) return;
    const round = from?.round ?? 0;
    const anchorHash = from?.anchorHash ?? this.log.anchorAt(0);
    this.busy = { type: "restoring", round, anchorHash, blobs };
    this.emit({ type: "restore", round, anchorHash: anchorHash ?? "", blobs });
  }

  private advanceFold(commit: EntryOf<"commit">): void {
    // [R15] Those of the next commits come meanwhile: else who is behind on a slow line gains nothing on rounds that do not wait for it.
    const ahead = Array.from({ length: FETCH_AHEAD_ROUNDS }, (_, i) => this.commitOf(commit.round + 1 + i));
    const updates = [commit, ...ahead].flatMap((each) => each?.contributors ?? []);
    const wanted = updates.map(({ update, bytes }) => ({ hash: update, bytes }));
    this.want(wanted, "last");
    if (!commit.contributors.every(({ update }) => this.fetches.has(update))) return;
    const named = this.ownIsNamed(commit);
    if (named === "unknown") return this.reader.caughtUp ? this.restoreAgain() : undefined;
    this.busy = { type: "folding", commit };
    this.inFlight = undefined;
    this.emit({ type: "fold", commit, named });
  }

  /**
   * [R27] A commit that names groups does not say whom they hold: the host does, before the commit, and after each welcome for the newest
   * one. Who was away longer cannot know whether his work counts: "unknown", and it is dropped rather than counted twice.
   */
  private ownIsNamed(commit: EntryOf<"commit">): boolean | "unknown" {
    const own = this.inFlight;
    if (own === undefined) return false;
    if (commit.contributors.some(({ update }) => update === own)) return true;
    if (!commit.contributors.some(isGroup)) return false;
    const told = this.reduction.isNamed(commit, own);
    if (told !== undefined) return told;
    const newest = this.log.commit ?? this.log.sealedByRound.get(this.log.round - 1)?.commit;
    return commit.seq > this.welcomeSeq || (this.reader.caughtUp && commit === newest) ? false : "unknown";
  }

  /** [R5] [R12] Once per connection and round. */
  private tellWhereWeAre(): void {
    const { round, anchorHash } = this.replica!;
    if (!this.welcomed) return;
    if (this.log.commit !== undefined && round === this.log.round + 1 && this.attestedRound !== round) {
      this.attestedRound = round;
      const refused = this.peersKeep ? { refused: [...this.refusedInFold] } : {};
      this.tell({ type: "attest", round: round - 1, anchorHash, ...refused });
    }
    if (this.donating && this.readyRound !== round && this.log.ended === undefined) {
      this.readyRound = round;
      this.tell({ type: "ready", round, anchorHash, stepMs: this.stepMs });
    }
  }

  /** [R21] Before the next round's training, while the replica holds this anchor. */
  private evaluateIfNamed(): void {
    const { round } = this.replica!;
    if (round !== this.log.round || this.evaluatedRound === round || !this.donating) return;
    if (!this.log.sealedByRound.get(round - 1)?.evaluators.includes(this.self)) return;
    if ((this.log.evals.at(-1)?.round ?? 0) >= round) return;
    this.evaluatedRound = round;
    this.emit({ type: "evaluate", round });
  }

  /** [R22] */
  private advanceEnd(now: Millis): void {
    if (this.endedAt === undefined || this.log.ended === undefined) return;
    const until = this.endedAt + Math.max(LAST_FOLD_MS, this.log.spec.rounds.deadlineMaxMs);
    if (this.replica?.round !== this.log.round && now < until) return this.wake.want(until);
    this.final = "ended";
    this.emit({ type: "ended", reason: this.log.ended });
  }

  /** What a restore or fold under way reads stays until it is done. */
  private forget(hashes: readonly string[]): void {
    const inUse = new Set(
      this.busy?.type === "restoring"
        ? this.busy.blobs.map(({ hash }) => hash)
        : [this.busy?.commit, this.nextCommit()].flatMap((commit) => commit?.contributors ?? []).map((c) => c.update),
    );
    this.forgetLater = [...this.forgetLater, ...hashes].filter((hash) => inUse.has(hash));
    const held = this.fetches.drop(hashes.filter((hash) => !inUse.has(hash)));
    if (held.length > 0) this.emit({ type: "forget", hashes: held });
  }

  private tell(message: PeerMessage): void {
    if (this.welcomed) this.emit({ type: "send", message });
  }

  private emit(...outputs: readonly PeerOutput[]): void {
    for (const output of outputs) {
      if (this.peersKeep && output.type === "upload")
        this.work.uploaded(output.hash); // it lies here, and that is where it stays
      else if (this.peersKeep && output.type === "fetch") this.out.push({ ...output, host: "never" });
      else this.out.push(output);
    }
  }
}
