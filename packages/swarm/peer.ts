// A donating peer's half of the protocol. Sans-IO: outputs are effects, whose results come back as inputs.
//
//   log -> restore (checkpoint or genesis) -> fetch, fold each commit up to the head -> ready
//   open names us -> train -> encode -> upload -> offer -> commit -> fetch, fold -> attest -> seal -> open ...
//
// Effects on the replica (restore, encode, fold, evaluate) are carried out in the order in which they are given; training runs beside
// them, and they take hold of the parameters between two of its steps.
// Rules [R..] are in docs/PROTOCOL.md.
import { type EntryOf, type HostMessage, holdersOf, type LogEntry, type PeerId, type PeerMessage } from "#wire";
import { assert } from "./assert.ts";
import { Follower, type Replica } from "./follower.ts";
import { Holdings } from "./holdings.ts";
import { Links } from "./links.ts";
import { LogReader } from "./log-reader.ts";
import { Pairing } from "./pairing.ts";
import type { Millis, PeerInput, PeerOptions, PeerOutput, PeerPhase, PeerView } from "./ports.ts";
import { Reduction } from "./reduction.ts";
import type { RunState } from "./run-state.ts";
import { Wake } from "./timing.ts";
import { Work } from "./work.ts";

/** Progress is for people: two lines a second per peer would be noise and, with many peers, load. */
const PROGRESS_EVERY_MS = 1_000;
/** [R22] The last anchor is worth waiting for after `end`, but not forever: so long at least, else as long as a round of the run may take. */
const LAST_FOLD_MS = 30_000;

export class Peer {
  /** The log so far, folded. Read only. */
  readonly log: RunState;
  private readonly self: PeerId;
  private readonly reader: LogReader;
  private readonly links: Links;
  private readonly holdings: Holdings;
  private readonly follower: Follower;
  /** The host keeps no update and no checkpoint: nothing goes up, and nothing comes from there. [R35] */
  private readonly peersKeep: boolean;
  private readonly wake = new Wake();
  private readonly work: Work;
  private readonly reduction: Reduction;
  private readonly pairing: Pairing;
  private final: "refused" | "ended" | "stopped" | undefined;
  private endedAt: Millis | undefined;
  private welcomed = false;
  private donating = false;
  private pauseReason: string | undefined;
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
    this.pairing = new Pairing(options.self, options.spec);
    const emit = (...outputs: readonly PeerOutput[]): void => this.emit(...outputs);
    this.holdings = new Holdings({
      ...{ log: this.log, emit },
      tell: (message) => this.tell(message),
      inUse: () => this.follower.inUse(),
    });
    this.follower = new Follower({
      ...{
        reader: this.reader,
        holdings: this.holdings,
        reduction: this.reduction,
        work: this.work,
        pairing: this.pairing,
        emit,
      },
      dropped: () => {
        this.readyRound = -1;
        this.attestedRound = -1;
      },
      gaveUp: (message) => this.refused("desync", message),
    });
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
      round: this.follower.replica?.round ?? 0,
      anchorHash: this.follower.replica?.anchorHash || null, // "": not sealed yet
      step: this.work.stepsDone,
      steps: this.log.spec.inner.steps,
      members: this.links.known(),
      desyncs: this.follower.desyncs,
    };
  }

  private phase(): PeerPhase {
    if (this.final === "refused") return "refused";
    if (this.final !== undefined) return "ended";
    if (!this.donating && this.pauseReason !== undefined) return "paused"; // it follows the run, but that is not what people ask
    const { replica, isBusy } = this.follower;
    if (replica === undefined) return this.welcomed || isBusy ? "catch-up" : "connecting";
    if (replica.round < this.log.round && !this.follower.meets) return "catch-up";
    if (isBusy) return "folding";
    if (this.follower.nextCommit() !== undefined) return "exchange";
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
        if (!this.work.trained(now, input)) this.follower.heal("its training diverged");
        return;
      case "encoded":
        this.holdings.hold(input.update);
        this.emit(...this.work.encoded(input));
        this.follower.inFlight = this.work.update;
        return;
      case "encode-failed":
        if (this.work.encodeFailed(input.round)) this.follower.heal(input.reason);
        return;
      case "uploaded":
        return this.work.uploaded(input.hash);
      case "upload-failed":
        return this.work.uploadFailed(now, input.hash);
      case "fetched":
        return this.holdings.fetched(input.hash);
      case "checkpoint-made":
        return this.holdings.checkpointMade(input);
      case "fetch-failed":
        return this.holdings.failed(input.hash);
      case "restored":
        return this.follower.restored(input.round, input.anchorHash);
      case "folded":
        return this.follower.folded(input);
      case "evaluated":
        return this.tell({
          type: "evaluation",
          round: input.round,
          anchorHash: input.anchorHash,
          setHash: input.setHash,
          loss: input.loss,
        });
      case "aggregated": {
        if (input.aggregate !== null) this.holdings.hold(input.aggregate.update);
        const vote = this.reduction.aggregated(input);
        if (vote !== undefined) this.tell(vote);
        else if (input.aggregate !== null) this.holdings.forget([input.aggregate.update]);
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
        return this.holdings.keep(message.blob);
      case "make-checkpoint":
        if (this.follower.replica?.round === message.round && !this.follower.isBusy)
          this.emit({ type: "make-checkpoint", round: message.round });
        return; // else somebody else makes it
      case "give-back":
        return this.tell({ type: "given-back", entries: this.reader.giveBack(message.from) });
      case "give-blobs":
        return this.holdings.give(message.hashes);
      case "offer-refused":
        return this.work.offerRefused(message.openSeq);
      case "seat":
        this.log.seat = message;
        return;
      case "reduce":
        return this.holdings.groupOver(this.reduction.reduce(message), this.work.update);
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
        this.follower.sealed(entry.anchorHash);
        this.holdings.groupOver(this.reduction.close(), this.work.update);
        return this.holdings.sealed(entry.round, this.work.close());
      }
      case "void":
        this.holdings.groupOver(this.reduction.close(), this.work.update);
        this.follower.restoreAgain(); // the one way that is right in every phase: some have folded it, some had an offer in flight
        return;
      case "checkpoint":
        return this.holdings.forget(this.log.unretained);
      case "eval":
        return;
      case "end":
        this.endedAt = now;
        return;
    }
  }

  private followed(fault: string | undefined): void {
    const { forked } = this.reader;
    if (forked !== undefined) this.emit({ type: "evidence", ...forked });
    if (fault !== undefined) this.refused(forked ? "fork" : "log", `the host's log cannot be followed: ${fault}`);
  }

  private refused(code: string, message: string): void {
    this.final = "refused";
    this.emit(...this.work.stop(), ...this.links.close(), { type: "refused", code, message });
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
    const replica = this.follower.advance(now, this.wake);
    if (replica !== undefined) this.advanceAtHead(replica);
    if (this.final !== undefined) return; // it cannot take part
    const { donating } = this;
    const situation = { round: this.follower.replica?.round, donating, connected, caughtUp: this.reader.caughtUp };
    this.emit(...this.work.advance(now, situation, this.wake));
    this.advanceEnd(now);
    if (this.welcomed && !this.donating && this.pauseReason !== undefined && !this.pauseTold) {
      this.pauseTold = true;
      this.tell({ type: "pause", reason: this.pauseReason });
    }
  }

  /** Everything that is known is folded. */
  private advanceAtHead(replica: Replica): void {
    assert(replica.round >= this.log.round, "a replica behind the head has a commit to fold");
    const merge = this.toMerge(replica.round);
    this.holdings.want(
      merge?.contributors.map(({ update, bytes }) => ({ hash: update, bytes })) ?? this.reduction.wanted(),
      "last",
    );
    this.emit(...this.reduction.advance((hash) => this.holdings.has(hash)));
    if (!this.reader.caughtUp) return;
    this.tellWhereWeAre(replica);
    const { open, commit, ended } = this.log;
    if (commit !== undefined || ended !== undefined) return;
    this.evaluateIfNamed(replica.round, merge);
    if (open !== undefined) this.follower.checkBase(open);
  }

  /** [R5] [R12] Once per connection and round. */
  private tellWhereWeAre({ round, anchorHash }: Replica): void {
    if (!this.welcomed) return;
    const { pairs } = this.log;
    if (pairs && anchorHash === "") return; // ready once the seal says where [R49]
    if (!pairs && this.log.commit !== undefined && round === this.log.round + 1 && this.attestedRound !== round) {
      this.attestedRound = round;
      const refused = this.peersKeep ? { refused: [...this.follower.refusedInFold] } : {};
      this.tell({ type: "attest", round: round - 1, anchorHash, ...refused });
    }
    if (this.donating && this.readyRound !== round && this.log.ended === undefined) {
      this.readyRound = round;
      this.tell({ type: "ready", round, anchorHash, stepMs: this.stepMs });
    }
  }

  /** [R21] Before the next round's training, while the replica holds this anchor; one that is no anchor merges it when all updates are here. [R49] */
  private evaluateIfNamed(round: number, merge: EntryOf<"commit"> | undefined): void {
    if (!this.isToEvaluate(round)) return;
    if (merge !== undefined && !merge.contributors.every(({ update }) => this.holdings.has(update))) return;
    this.evaluatedRound = round;
    this.emit({ type: "evaluate", round, ...(merge && { merge }) });
  }

  private isToEvaluate(round: number): boolean {
    if (round !== this.log.round || this.evaluatedRound === round || !this.donating) return false;
    if (!this.log.sealedByRound.get(round - 1)?.evaluators.includes(this.self)) return false;
    return (this.log.evals.at(-1)?.round ?? 0) < round;
  }

  /** The commit whose anchor we are to evaluate and do not have. */
  private toMerge(round: number): EntryOf<"commit"> | undefined {
    if (!this.pairing.isOwn || !this.isToEvaluate(round)) return undefined;
    return this.log.sealedByRound.get(round - 1)?.commit;
  }

  /** [R22] */
  private advanceEnd(now: Millis): void {
    if (this.endedAt === undefined || this.log.ended === undefined) return;
    const until = this.endedAt + Math.max(LAST_FOLD_MS, this.log.spec.rounds.deadlineMaxMs);
    if (this.follower.replica?.round !== this.log.round && now < until) return this.wake.want(until);
    this.final = "ended";
    this.emit({ type: "ended", reason: this.log.ended });
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
