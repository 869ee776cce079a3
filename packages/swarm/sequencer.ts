// The host's half of the protocol: orders the log. Sans-IO: outputs are effects, whose results come back as inputs.
//
//   ready peers -> open -> offers -> commit -> witness folds, peers attest -> seal -> open ...
//
// One append is in flight at a time, and everything else waits for it: nothing is decided on, or broadcast from, an entry that
// is not on the disk. Who is here is visits.ts, a round to its commit open-round.ts, to its seal sealing.ts (kept-by-peers.ts where
// the host keeps no updates). Rules [R..] are in docs/PROTOCOL.md.
import {
  type EntryBody,
  type EntryOf,
  type HostMessage,
  holdersOf,
  isGroup,
  type LogEntry,
  type Member,
  type PeerId,
  type PeerMessage,
  reasonByCode,
  type SignedOffer,
} from "#wire";
import { checkOf, type EntryCheck, followFault } from "./chain.ts";
import { KeptByPeers } from "./kept-by-peers.ts";
import { LogWriter } from "./log-writer.ts";
import type { MeshPlan } from "./mesh-plan.ts";
import { Milestones } from "./milestones.ts";
import { type Next, OpenRound } from "./open-round.ts";
import type { Millis, SequencerInput, SequencerOptions, SequencerOutput, SequencerView } from "./ports.ts";
import { Recovery } from "./recovery.ts";
import { RunState } from "./run-state.ts";
import { Sealing } from "./sealing.ts";
import { connectedPeer, type Session } from "./session.ts";
import { StandingIslands } from "./standing-islands.ts";
import { Wake } from "./timing.ts";
import { TrafficLedger } from "./traffic.ts";
import { Visits } from "./visits.ts";
import { WitnessLine } from "./witness-line.ts";

/** [R18] One refused contribution may be bad luck with memory; three in a row are a broken or hostile machine. */
const REFUSED_IN_ROW_MAX = 3;
/** Evaluations and checkpoints come one in several rounds; a queue this long is somebody repeating himself. */
const QUEUE_MAX = 64;

export class Sequencer {
  /** The log so far, folded: for the API too. Read only. */
  readonly log: RunState;
  readonly traffic = new TrafficLedger();
  private readonly visits: Visits;
  private readonly round: OpenRound;
  private readonly islands: StandingIslands;
  private readonly sealing: Sealing;
  /** Of a run whose updates its peers keep: then there is no witness here. [R35] */
  private readonly kept: KeptByPeers | undefined;
  private readonly check: EntryCheck;
  private readonly recovery: Recovery;
  private readonly line = new WitnessLine();
  private readonly writer: LogWriter;
  private readonly milestones: Milestones;
  private readonly wake = new Wake();
  private readonly queue: EntryBody[] = []; //                    evaluations and checkpoints that wait for their place
  private endOrder: string | undefined;
  private paused = false;
  private started = false;
  private out: SequencerOutput[] = [];

  constructor(options: SequencerOptions) {
    const { spec, run, genesisHash, meshSeed, log: stored, witnessBehind = false, startPeers = 1 } = options;
    const { check = checkOf(spec) } = options;
    const { wake, line } = this;
    const emit = (output: SequencerOutput): void => void this.out.push(output);
    const asides = new Map<string, Uint8Array>();
    const aside = (hash: string) => asides.get(hash) ?? options.aside?.(hash);
    const log = new RunState({ run, spec, genesisHash, aside });
    const k = holdersOf(spec);
    const visits = new Visits({
      meshSeed,
      emit,
      changed: (peer) => {
        this.round.refresh(peer);
        this.sealing.refresh(peer);
      },
      gone: (peer) => this.gone(peer),
    });
    const islands = new StandingIslands({ log, visits, wake, meshSeed });
    const round = new OpenRound({ log, visits, wake, startPeers, islandsIn: (roster) => islands.listedIn(roster) });
    this.log = log;
    this.visits = visits;
    this.islands = islands;
    this.round = round;
    this.check = check;
    this.sealing = new Sealing({ log, visits, round, wake });
    if (k !== undefined)
      this.kept = new KeptByPeers({ spec, k, log, visits, round, wake, followers: () => islands.followers() });
    this.writer = new LogWriter({ log, check, asides, emit });
    this.milestones = new Milestones({ log, visits, line, kept: this.kept, wake, emit });
    for (const entry of stored) {
      const fault = log.apply(entry);
      if (fault !== undefined)
        throw new Error(`the stored log of run ${run} is damaged: ${fault}; restore it from a backup`);
      if (entry.type === "open") round.roster = new Set(log.roster);
      this.writer.last = entry;
    }
    this.recovery = new Recovery(log);
    if (witnessBehind) this.line.restart();
  }

  step(now: Millis, input: SequencerInput): SequencerOutput[] {
    this.out = [];
    if (!this.started) this.start(now);
    if (input.type === "tick") this.wake.rung();
    this.take(now, input);
    this.advance(now);
    const at = this.wake.take(now);
    if (at !== undefined) this.out.push({ type: "wake", at });
    return this.out;
  }

  view(): SequencerView {
    const { open, commit, ended } = this.log;
    const { offers } = this.round;
    const { here } = this.visits;
    return {
      state: ended !== undefined ? "ended" : this.paused ? "paused" : here.willing.size > 0 ? "running" : "resting",
      phase: ended !== undefined ? "ended" : commit ? "folding" : open ? "training" : "waiting",
      roster: this.log.roster,
      offered: (commit ? commit.contributors.flatMap((c) => this.log.offersOf(c)) : offers.counted()).map(
        ({ peer }) => peer,
      ),
      ...this.head(),
      peersAwaited: this.round.peersAwaited,
      islands: this.islands.standing(),
      peers: [...here.all.values()].map((session) =>
        connectedPeer(session, this.log, offers.has(session.member.peer), this.traffic.of(session.member.peer)),
      ),
    };
  }

  /** The last entry that was synced. For welcome: without a view of everybody. */
  head(): Pick<SequencerView, "headSeq" | "headHash"> {
    return this.writer.head();
  }

  /** How many are connected. */
  get peerCount(): number {
    return this.visits.here.all.size;
  }

  /** Read only. */
  get mesh(): MeshPlan {
    return this.visits.mesh;
  }

  /** Who a peer is to be linked with, also one that is about to connect: for welcome. */
  neighbours(peer: PeerId): Member[] {
    return this.visits.neighbours(peer);
  }

  /** Whether the open round may still need that upload. */
  isOffered(hash: string): boolean {
    return this.round.isOffered(hash);
  }

  /** [R24] After a restart the stored log says where the run is; what was asked of the witness is asked again. */
  private start(now: Millis): void {
    this.started = true;
    this.round.start(now);
    const { commit, spec } = this.log;
    if (spec.checkpoint.retain === "window") this.forget(this.log.unretained);
    this.milestones.checkpointIfDue();
    if (commit) this.fold(commit);
  }

  /** The witness folds it; without one, peers do, and it matters who holds what it names. */
  private fold(commit: EntryOf<"commit">): void {
    if (this.kept === undefined) this.line.add({ type: "fold", commit, opened: this.log.openedAt(commit.round) });
    else this.kept.committed(commit);
  }

  private take(now: Millis, input: SequencerInput): void {
    switch (input.type) {
      case "tick":
        return;
      case "connected":
        this.recovery.connected(now, input.member.peer);
        this.islands.gone(input.member.peer); // an earlier visit's
        this.visits.connect(now, input.member);
        return this.round.tellPlace(input.member.peer);
      case "disconnected": {
        const session = this.visits.leave(input.peer, input.reason);
        if (session !== undefined) this.round.left(now, input.peer, session);
        return;
      }
      case "message":
        return this.message(now, input.from, input.message);
      case "fault":
        return this.visits.fault(input.peer, input.reason);
      case "blob-stored":
        this.round.stored(input.hash, input.bytes);
        this.line.stored(input.hash);
        return;
      case "blob-dropped":
        return this.round.dropped(input.hash);
      case "appended":
        return this.appended(now, input.entry);
      case "folded":
        return this.folded(now, input);
      case "blob-lost":
        return this.line.blobsLost(now, input.round, input.reason, input.hashes);
      case "witness-restarted":
        return this.line.restarted(input.round);
      case "checkpointed":
        this.line.done("checkpoint", input.round);
        this.queue.push({
          type: "checkpoint",
          round: input.round,
          anchorHash: input.anchorHash,
          blobs: [...input.blobs],
        });
        return;
      case "evaluated": // the host speaks as slot 0 of its own key
        this.queue.push({ ...evaluation(input), peer: `${this.log.spec.hostKey}00` });
        return;
      case "pause":
        this.paused = true;
        return;
      case "resume":
        this.paused = false;
        return;
      case "end":
        this.endOrder ??= input.reason;
        return;
    }
  }

  /** A visit is over. */
  private gone(peer: PeerId): void {
    this.islands.gone(peer);
    this.recovery.gone(peer);
    this.line.gone(peer);
    this.kept?.gone(peer);
  }

  // ---- what peers say ---------------------------------------------------------------------------------------------------

  private message(now: Millis, from: PeerId, message: PeerMessage): void {
    const { here } = this.visits;
    const session = here.get(from);
    if (session === undefined) return; // sent before we closed
    switch (message.type) {
      case "hello":
        return this.visits.fault(from, "hello twice");
      case "signal":
        return this.visits.signal(from, session, message.to, message.data);
      case "ready":
        this.islands.ready(now, from);
        return this.ready(from, session, message);
      case "pause":
        if (!session.paused)
          this.out.push({ type: "event", event: { kind: "paused", peer: from, reason: message.reason } });
        this.islands.paused(now, from, message.reason);
        return here.change(session, { willing: false, paused: true });
      case "progress":
        session.step = message.step;
        session.loss = message.loss ?? session.loss;
        session.tokensPerSecond = message.tokensPerSecond;
        return;
      case "offer":
        return this.offer(now, from, session, message.offer);
      case "attest":
        return this.attest(from, session, message.round, message.anchorHash, message.refused);
      case "kept":
        if (this.kept === undefined) this.visits.fault(from, "the host keeps the updates of this run");
        else this.kept.kept(from, message.hash);
        return;
      case "checkpoint-made": {
        if (this.kept === undefined) return this.visits.fault(from, "the host makes the checkpoints of this run");
        const body = this.kept.checkpointMade(from, message);
        if (body !== undefined) this.queue.push(body);
        return;
      }
      case "attest-group": {
        const fault = this.round.voteOfGroup(from, message);
        if (fault !== undefined) this.visits.fault(from, fault);
        return;
      }
      case "evaluation": {
        const named = this.log.sealedByRound.get(message.round - 1)?.evaluators.includes(from) ?? false;
        if (named && this.queue.length < QUEUE_MAX) this.queue.push({ ...evaluation(message), peer: from });
        else if (named || message.round > this.log.round) this.visits.fault(from, "an evaluation too many");
        return; // else it comes after the second chance was taken: no fault
      }
      case "links":
        session.links = message.links;
        this.islands.measured(from, message.links);
        this.traffic.report(from, message);
        return;
      case "seek-island":
        return this.islands.seek(now, from, message.ranksMin, message.capacity);
      case "leave-island":
        return this.islands.leave(now, from, message.island, message.reason);
      case "head":
        return this.recovery.head(from, message.seq);
      case "given-back":
        return this.givenBack(from, message.entries);
      case "lacks":
        return this.line.lacks(now, from);
      case "bye":
        this.islands.gone(from);
        return here.change(session, {
          willing: false,
          bye: message.reason === "" ? reasonByCode["said-bye"] : message.reason,
        });
    }
  }

  /** [R33] */
  private givenBack(from: PeerId, entries: readonly LogEntry[]): void {
    const fault = this.recovery.take(from, entries, this.writer.last, (previous, entry) =>
      followFault(this.check, this.log.run, previous, entry, true),
    );
    if (fault !== undefined) this.visits.fault(from, fault);
  }

  /** [R5] A peer that has folded what we have folded may be named by the next open. */
  private ready(from: PeerId, session: Session, message: Extract<PeerMessage, { type: "ready" }>): void {
    if (session.bye !== undefined) return;
    if (session.paused) this.out.push({ type: "event", event: { kind: "resumed", peer: from, reason: "" } });
    session.stepMs = message.stepMs ?? session.stepMs;
    this.visits.here.change(session, { willing: true, paused: false });
    const { round, anchorHash } = this.log;
    if (message.round === round && message.anchorHash === anchorHash)
      this.visits.here.change(session, { foldedRound: round });
    else if (message.round === round + 1) this.attest(from, session, round, message.anchorHash);
    else if (message.round === round) this.visits.fault(from, `another anchor after round ${round}`);
    else if (message.round > round + 1) this.visits.fault(from, `round ${message.round} where the head is ${round}`);
  }

  /** [R12] Before the seal it waits for the witness's word; after it, it makes a late peer ready. */
  private attest(
    from: PeerId,
    session: Session,
    round: number,
    anchorHash: string,
    refused: readonly { peer: PeerId; reason: string }[] = [],
  ): void {
    if (this.log.pairs) return this.visits.fault(from, "an attest, where peers fold in pairs"); // [R49]
    if (round === this.log.round && this.log.commit !== undefined) {
      this.sealing.attest(from, anchorHash);
      this.kept?.attest(from, anchorHash, refused);
    } else if (round === this.log.round - 1 && anchorHash === this.log.anchorHash)
      this.visits.here.change(session, { foldedRound: this.log.round });
    else if (round >= this.log.round) this.visits.fault(from, "an attest of a round that has no commit");
  }

  /** [R10] */
  private offer(now: Millis, from: PeerId, session: Session, offer: SignedOffer): void {
    const taken = this.round.offer(now, from, session, offer);
    if (taken === "repeated" || taken === "first") return;
    if (taken.hostile) this.visits.fault(from, taken.refused);
    session.refused += 1;
    this.send(from, { type: "offer-refused", openSeq: offer.openSeq, message: taken.refused });
  }

  // ---- the log ----------------------------------------------------------------------------------------------------------

  private appended(now: Millis, entry: LogEntry): void {
    const pending = this.log.commit;
    const givenBack = this.writer.appended(entry);
    if (entry.type === "open" && "size" in entry.roster) for (const peer of this.log.roster) this.round.tellSeat(peer);
    this.out.push({ type: "broadcast", message: { type: "entries", entries: [entry] } });
    switch (entry.type) {
      case "open":
        this.round.opened(now, entry);
        return this.visits.opened();
      case "commit":
        this.sealing.clear();
        this.round.committed(now);
        return this.fold(entry);
      case "seal":
        return this.afterSeal(now, entry, givenBack);
      case "void": {
        if (this.kept === undefined) this.line.drop(entry.round);
        const unneeded = this.round.voided(now, pending);
        if (this.log.spec.checkpoint.retain === "window") this.forget(unneeded);
        return this.sealing.clear();
      }
      case "checkpoint":
        if (this.log.spec.checkpoint.retain === "window")
          this.line.add({ type: "forget", hashes: this.log.unretained }); // after the folds that read them
        return;
      case "eval":
      case "end":
        return;
    }
  }

  private afterSeal(now: Millis, seal: EntryOf<"seal">, givenBack: boolean): void {
    for (const peer of this.sealing.attestersOf(seal.anchorHash)) {
      const session = this.visits.here.get(peer);
      if (session !== undefined) this.visits.here.change(session, { foldedRound: this.log.round });
    }
    const unneeded = this.round.sealed(now);
    if (this.log.spec.checkpoint.retain === "window") this.forget(unneeded);
    this.sealing.clear();
    this.milestones.checkpointIfDue();
    if (givenBack) return; // what it punishes was punished then
    for (const { peer, reason } of seal.refused) this.punish(seal.round, peer, reason);
    for (const contribution of this.log.sealedByRound.get(seal.round)?.commit.contributors ?? [])
      if (isGroup(contribution))
        for (const peer of contribution.refused) this.punish(seal.round, peer, "its group could not decode the update");
  }

  /** [R18] */
  private punish(round: number, peer: PeerId, reason: string): void {
    if (!this.visits.here.has(peer)) return;
    this.send(peer, { type: "fold-refused", round, peers: [peer], message: reason });
    const inRow = this.log.contributions.get(peer)?.refusedInRow ?? 0;
    if (inRow >= REFUSED_IN_ROW_MAX)
      this.visits.sendAway(peer, `${inRow} updates in a row could not be used, last: ${reason}; reload the page`);
  }

  private folded(now: Millis, { round, anchorHash, refused }: Extract<SequencerInput, { type: "folded" }>): void {
    if (!this.line.done("fold", round)) return;
    if (this.log.commit !== undefined && round === this.log.round) return this.sealing.folded(now, anchorHash, refused);
    // It was sealed before our log was lost, and came back: the same arithmetic gives the same anchor, or our disk lies.
    const sealed = this.log.sealedByRound.get(round)?.anchorHash;
    if (sealed !== undefined && sealed !== anchorHash)
      throw new Error(`round ${round} folds to anchor ${anchorHash}, but its seal says ${sealed}`);
  }

  // ---- what comes next --------------------------------------------------------------------------------------------------

  private advance(now: Millis): void {
    const { log, recovery, wake } = this;
    this.islands.advance(now);
    this.advanceWitness(now);
    if (this.kept !== undefined && log.ended === undefined) this.out.push(...this.kept.advance(now));
    if (this.writer.isBusy || log.ended !== undefined) return;
    const given = recovery.next();
    if (given !== undefined) return this.writer.appendSigned(given);
    this.out.push(...recovery.advance(now, wake));
    if (recovery.holds(now, this.round.someoneAway, wake)) return;
    const next = this.next(now);
    if (next !== undefined) this.writer.append(next);
  }

  private next(now: Millis): Next | undefined {
    const { log } = this;
    for (let body = this.queue.shift(); body !== undefined; body = this.queue.shift())
      if (log.mayAppend(body) === undefined) return { body }; // else it is about a round long past: no harm
    if (log.commit !== undefined && this.kept !== undefined) return this.kept.decide(now, log.commit);
    if (log.commit !== undefined) return this.sealing.advance(now, log.commit, this.recovery.releasedAt!);
    if (this.endOrder !== undefined) return this.milestones.ending(now, this.endOrder, true);
    if (log.open !== undefined) return this.round.advance(now, log.open, this.paused);
    if (log.endReached !== undefined) return this.milestones.ending(now, log.endReached, false);
    return this.round.gather(now, this.paused);
  }

  /** [R3] [R34] Its work in order; a pending commit that nobody can mend is void, a sealed one is passed by. */
  private advanceWitness(now: Millis): void {
    const { line, log } = this;
    const peers = this.visits.here.all;
    const lost = line.lostForGood(now, peers, this.round.someoneAway, this.wake);
    if (lost !== undefined) {
      if (log.commit === undefined || lost.round < log.round) line.restart();
      else if (!this.queue.some(({ type }) => type === "void"))
        this.queue.unshift({ type: "void", round: lost.round, reason: lost.reason });
    }
    this.out.push(...line.advance(now, peers, this.recovery.settled, this.wake));
  }

  // ---- small answers ----------------------------------------------------------------------------------------------------

  private forget(hashes: readonly string[]): void {
    if (hashes.length > 0) this.out.push({ type: "forget", hashes });
  }

  private send(to: PeerId, message: HostMessage): void {
    this.out.push({ type: "send", to, message });
  }
}

const evaluation = (from: { round: number; anchorHash: string; setHash: string; loss: number }) => ({
  type: "eval" as const,
  round: from.round,
  anchorHash: from.anchorHash,
  setHash: from.setHash,
  loss: from.loss,
});
