// The host's half of the protocol: orders the log. Sans-IO: outputs are effects, whose results come back as inputs.
//
//   ready peers -> open -> offers -> commit -> witness folds, peers attest -> seal -> open ...
//
// One append is in flight at a time, and everything else waits for it: nothing is decided on, or broadcast from, an entry that
// is not on the disk. Rules [R..] are in docs/PROTOCOL.md.
import {
  ATTESTERS_LISTED_MAX,
  type Attesters,
  blobName,
  CONTRIBUTORS_MAX,
  type Contribution,
  type EntryBody,
  type EntryOf,
  encodeRoster,
  type HostMessage,
  holdersOf,
  isGroup,
  type LogEntry,
  type Member,
  offersIn,
  PAGE_CLOSED,
  type PeerId,
  type PeerMessage,
  ROSTER_LISTED_MAX,
  ROSTER_MAX,
  type SignedOffer,
} from "#wire";
import { assert } from "./assert.ts";
import { checkOf, type EntryCheck, followFault } from "./chain.ts";
import { CheckpointVote } from "./checkpoint-vote.ts";
import { Groups, type Reduce, reducesOf } from "./groups.ts";
import { Holders } from "./holders.ts";
import { type MeshChange, MeshPlan } from "./mesh-plan.ts";
import { byPeer, Offers } from "./offers.ts";
import type { Aside, Millis, SequencerInput, SequencerOptions, SequencerOutput, SequencerView } from "./ports.ts";
import { Recovery } from "./recovery.ts";
import { mixText, RunState } from "./run-state.ts";
import { SealVote } from "./seal-vote.ts";
import { connectedPeer, newSession, type Session } from "./session.ts";
import { ATTEST_WAIT_MS, END_WAIT_MS, GATHER_REST_MS, gatherMs, Pace, RECONNECT_GRACE_MS, Wake } from "./timing.ts";
import { TrafficLedger } from "./traffic.ts";
import { WitnessLine } from "./witness-line.ts";

/** [R18] One refused contribution may be bad luck with memory; three in a row are a broken or hostile machine. */
const REFUSED_IN_ROW_MAX = 3;
/** [R19] Messages that no honest peer sends; a few may come from races that we have not thought of. */
const FAULTS_MAX = 16;
/** [R25] Signals to no neighbour in one round: an attempt that a restart or a newcomer cut off sends some twenty, a few of them may end so. */
const SIGNALS_REFUSED_MAX = 100;
/** Evaluations and checkpoints come one in several rounds; a queue this long is somebody repeating himself. */
const QUEUE_MAX = 64;

interface Witness {
  readonly anchorHash: string;
  readonly refused: readonly { peer: PeerId; reason: string }[];
  readonly at: Millis;
}

export class Sequencer {
  /** The log so far, folded: for the API too. Read only. */
  readonly log: RunState;
  readonly traffic = new TrafficLedger();
  /** Read only. */
  readonly mesh: MeshPlan;
  private readonly sessions = new Map<PeerId, Session>();
  private readonly offers: Offers;
  private readonly attested = new Map<PeerId, string>(); //      anchor hash, for the pending commit
  private readonly pace = new Pace();
  private readonly check: EntryCheck;
  private readonly recovery: Recovery;
  private readonly line = new WitnessLine();
  private last: LogEntry | undefined; //                          of the log
  /** Of a run whose updates its peers keep: then there is no witness here. [R35] */
  private readonly kept: { holders: Holders; vote: SealVote; checkpoint: CheckpointVote } | undefined;
  private readonly wake = new Wake();
  private readonly queue: EntryBody[] = []; //                    evaluations and checkpoints that wait for their place
  private appending: EntryBody | LogEntry | undefined;
  private witness: Witness | undefined;
  private groups: Groups | undefined; //                          more offers than a commit may name: they are made into fewer
  private reduces: { readonly commit: EntryOf<"commit">; readonly byPeer: ReadonlyMap<PeerId, Reduce> } | undefined;
  private readonly asides = new Map<string, Uint8Array>(); //     of the newest round, so that the log can be read
  private roster: readonly PeerId[] = []; //                      of the current round, or of the last one
  private endOrder: string | undefined;
  private paused = false;
  private started = false;
  private openedAt: Millis = 0;
  private deadlineAt: Millis = 0;
  private lostAt: Millis = 0; //                                  when a rostered peer last vanished without a word
  private idleSince: Millis | undefined; //                       waiting to open; undefined: nobody was ready yet
  private resting = true; //                                      the last round did not lead here
  private checkpointAsked = 0; //                                 round
  private endWaitUntil: Millis | undefined;
  private out: SequencerOutput[] = [];

  constructor(options: SequencerOptions) {
    const { spec, run, genesisHash, meshSeed, log, witnessBehind = false, check = checkOf(spec) } = options;
    this.mesh = new MeshPlan(meshSeed);
    this.log = new RunState({
      run,
      spec,
      genesisHash,
      aside: (hash) => this.asides.get(hash) ?? options.aside?.(hash),
    });
    this.check = check;
    this.offers = new Offers(this.log);
    for (const entry of log) {
      const fault = this.log.apply(entry);
      if (fault !== undefined)
        throw new Error(`the stored log of run ${run} is damaged: ${fault}; restore it from a backup`);
      if (entry.type === "open") this.roster = this.log.roster;
      this.last = entry;
    }
    this.recovery = new Recovery(this.log);
    const k = holdersOf(spec);
    if (k !== undefined)
      this.kept = {
        holders: new Holders(k, spec.seed),
        vote: new SealVote(),
        checkpoint: new CheckpointVote(k, spec.seed),
      };
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
    const someoneWilling = [...this.sessions.values()].some((session) => session.willing);
    return {
      state: ended !== undefined ? "ended" : this.paused ? "paused" : someoneWilling ? "running" : "resting",
      phase: ended !== undefined ? "ended" : commit ? "folding" : open ? "training" : "waiting",
      roster: this.log.roster,
      offered: (commit ? commit.contributors.flatMap((c) => this.log.offersOf(c)) : this.offers.counted()).map(
        ({ peer }) => peer,
      ),
      headSeq: this.log.seq,
      headHash: this.last === undefined ? this.log.run : this.check.hashOf(this.last),
      peers: [...this.sessions.values()].map((session) =>
        connectedPeer(session, this.log, this.offers.has(session.member.peer), this.traffic.of(session.member.peer)),
      ),
    };
  }

  /** Who a peer is to be linked with, also one that is about to connect: for welcome. */
  neighbours(peer: PeerId): Member[] {
    return this.mesh.neighbours(peer).flatMap((other) => this.sessions.get(other)?.member ?? []);
  }

  /** Whether the open round may still need that upload. */
  isOffered(hash: string): boolean {
    return this.offers.names(hash) || (this.groups?.names(hash) ?? false);
  }

  /** [R24] After a restart the stored log says where the run is; what was asked of the witness is asked again. */
  private start(now: Millis): void {
    this.started = true;
    const { open, commit, spec } = this.log;
    this.openedAt = now;
    this.lostAt = now;
    if (open) this.deadlineAt = now + open.deadlineMs;
    if (spec.checkpoint.retain === "window") this.forget(this.log.unretained);
    this.checkpointIfDue();
    if (commit) this.fold(commit);
  }

  /** The witness folds it; without one, peers do, and it matters who holds what it names. */
  private fold(commit: EntryOf<"commit">): void {
    if (this.kept === undefined) return this.line.add({ type: "fold", commit });
    this.kept.holders.track(offersIn(commit)); // groups are made where the host keeps updates
    this.kept.vote.clear();
  }

  private take(now: Millis, input: SequencerInput): void {
    switch (input.type) {
      case "tick":
        return;
      case "connected":
        return this.connected(now, input.member);
      case "disconnected":
        return this.disconnected(now, input.peer, input.reason);
      case "message":
        return this.message(now, input.from, input.message);
      case "fault": {
        const session = this.sessions.get(input.peer);
        if (session !== undefined) this.fault(input.peer, session, input.reason);
        return;
      }
      case "blob-stored":
        this.offers.stored(input.hash, input.bytes);
        this.line.stored(input.hash);
        return;
      case "blob-dropped":
        this.offers.dropped(input.hash);
        return;
      case "appended":
        return this.appended(now, input.entry);
      case "folded":
        return this.folded(now, input);
      case "blob-lost":
        this.line.blobsLost(now, input.round, input.reason, input.hashes);
        return;
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

  // ---- who is here ----------------------------------------------------------------------------------------------------

  private connected(now: Millis, member: Member): void {
    this.sessions.set(member.peer, newSession(member, now));
    this.recovery.connected(now, member.peer);
    this.meshChanged(this.mesh.join(member.peer), member.peer); // its own neighbours stand in its welcome
    for (const to of this.mesh.neighbours(member.peer)) this.send(to, { type: "joined", member });
    this.tellPlace(member.peer);
    this.out.push({ type: "event", event: { kind: "joined", peer: member.peer, reason: "" } });
  }

  private disconnected(now: Millis, peer: PeerId, reason: string): void {
    const session = this.sessions.get(peer);
    if (session === undefined) return; // we sent it away ourselves
    this.sessions.delete(peer);
    this.forgetPeer(peer);
    // A reload looks like a closed page, so it is waited for like a crash.
    if (session.bye === undefined && this.roster.includes(peer)) this.lostAt = now;
    const kind = session.bye === undefined && reason !== PAGE_CLOSED ? "crashed" : "left";
    this.meshChanged(this.mesh.leave(peer), peer, session.bye ?? reason);
    this.out.push({ type: "event", event: { kind, peer, reason: session.bye ?? reason } });
  }

  private forgetPeer(peer: PeerId): void {
    this.recovery.gone(peer);
    this.line.gone(peer);
    this.kept?.holders.gone(peer);
    this.kept?.checkpoint.gone(peer);
  }

  private sendAway(peer: PeerId, code: string, message: string): void {
    if (!this.sessions.delete(peer)) return;
    this.forgetPeer(peer);
    this.out.push({ type: "disconnect", peer, code, message });
    this.meshChanged(this.mesh.leave(peer), peer, message);
    this.out.push({ type: "event", event: { kind: "refused", peer, reason: message } });
  }

  /** [R26] [R27] What a peer cannot read in the log; said before the entries that it is about, and again when it comes back. */
  private tellPlace(peer: PeerId): void {
    const { open } = this.log;
    const position = this.log.positionOf(peer);
    if (open !== undefined && "size" in open.roster && position >= 0)
      this.send(peer, { type: "seat", openSeq: open.seq, position });
    const reduce = this.groups?.reduceFor(peer) ?? this.lastReduce(peer);
    if (reduce !== undefined) this.send(peer, { type: "reduce", ...reduce, members: [...reduce.members] });
  }

  /** From the newest commit: who was away when it came must know whether it names his group. */
  private lastReduce(peer: PeerId): Reduce | undefined {
    const commit = this.log.commit ?? this.log.sealedByRound.get(this.log.round - 1)?.commit;
    if (commit === undefined) return undefined;
    if (this.reduces?.commit !== commit)
      this.reduces = { commit, byPeer: reducesOf(commit, (contribution) => this.log.offersOf(contribution)) };
    return this.reduces.byPeer.get(peer);
  }

  /** [R25] Everybody hears what changes among his own neighbours. @param about has come, or has left for that reason */
  private meshChanged(changes: readonly MeshChange[], about: PeerId, reason = ""): void {
    for (const { pair, linked } of changes)
      for (const [to, other] of [pair, [pair[1], pair[0]]]) {
        if (to === about || (linked && other === about)) continue;
        const member = this.sessions.get(other)?.member;
        if (member === undefined) this.send(to, { type: "left", peer: other, reason });
        else this.send(to, linked ? { type: "joined", member } : { type: "parted", peer: other });
      }
  }

  private message(now: Millis, from: PeerId, message: PeerMessage): void {
    const session = this.sessions.get(from);
    if (session === undefined) return; // sent before we closed
    switch (message.type) {
      case "hello":
        return this.fault(from, session, "hello twice");
      case "signal":
        if (this.mesh.areNeighbours(from, message.to))
          return this.send(message.to, { type: "signal", from, data: message.data });
        session.signalsRefused += 1; // the other just left or parted, and word of it is on the way; or it was never for us to reach
        if (session.signalsRefused > SIGNALS_REFUSED_MAX)
          this.fault(from, session, "signals to peers that are no neighbours");
        return;
      case "ready":
        return this.ready(from, session, message);
      case "pause":
        session.willing = false;
        if (!session.paused)
          this.out.push({ type: "event", event: { kind: "paused", peer: from, reason: message.reason } });
        session.paused = true;
        return;
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
        if (!this.kept?.holders.kept(from, message.hash) && this.kept === undefined)
          this.fault(from, session, "the host keeps the updates of this run");
        return; // else the round is over: it was asked for
      case "checkpoint-made":
        return this.checkpointMade(from, session, message);
      case "attest-group": {
        if (this.groups === undefined || message.openSeq !== this.log.open?.seq) return; // the round is over, or the host began again
        const fault = this.groups.vote(from, message);
        if (fault !== undefined) this.fault(from, session, fault);
        return;
      }
      case "evaluation": {
        const named = this.log.sealedByRound.get(message.round - 1)?.evaluators.includes(from) ?? false;
        if (named && this.queue.length < QUEUE_MAX) this.queue.push({ ...evaluation(message), peer: from });
        else if (named || message.round > this.log.round) this.fault(from, session, "an evaluation too many");
        return; // else it comes after the second chance was taken: no fault
      }
      case "links":
        session.links = message.links;
        this.traffic.report(from, message);
        return;
      case "head":
        return this.recovery.head(from, message.seq);
      case "given-back":
        return this.givenBack(from, session, message.entries);
      case "lacks":
        return this.line.lacks(now, from);
      case "bye":
        session.bye = message.reason === "" ? "closed" : message.reason;
        session.willing = false;
        return;
    }
  }

  /** [R33] */
  private givenBack(from: PeerId, session: Session, entries: readonly LogEntry[]): void {
    const fault = this.recovery.take(from, entries, this.last, (previous, entry) =>
      followFault(this.check, this.log.run, previous, entry, true),
    );
    if (fault !== undefined) this.fault(from, session, fault);
  }

  /** [R5] A peer that has folded what we have folded may be named by the next open. */
  private ready(from: PeerId, session: Session, message: Extract<PeerMessage, { type: "ready" }>): void {
    if (session.bye !== undefined) return;
    if (session.paused) this.out.push({ type: "event", event: { kind: "resumed", peer: from, reason: "" } });
    session.willing = true;
    session.paused = false;
    session.stepMs = message.stepMs ?? session.stepMs;
    const { round, anchorHash } = this.log;
    if (message.round === round && message.anchorHash === anchorHash) session.foldedRound = round;
    else if (message.round === round + 1) this.attest(from, session, round, message.anchorHash);
    else if (message.round === round) this.fault(from, session, `another anchor after round ${round}`);
    else if (message.round > round + 1) this.fault(from, session, `round ${message.round} where the head is ${round}`);
  }

  /** [R12] Before the seal it waits for the witness's word; after it, it makes a late peer ready. */
  private attest(
    from: PeerId,
    session: Session,
    round: number,
    anchorHash: string,
    refused: readonly { peer: PeerId; reason: string }[] = [],
  ): void {
    if (round === this.log.round && this.log.commit !== undefined) {
      this.attested.set(from, anchorHash);
      this.kept?.holders.attested(from);
      this.kept?.vote.take(from, anchorHash, refused);
    } else if (round === this.log.round - 1 && anchorHash === this.log.anchorHash) session.foldedRound = this.log.round;
    else if (round >= this.log.round) this.fault(from, session, "an attest of a round that has no commit");
  }

  /** [R37] */
  private checkpointMade(
    from: PeerId,
    session: Session,
    made: Extract<PeerMessage, { type: "checkpoint-made" }>,
  ): void {
    const { round, anchorHash, blobs } = made;
    const agreed = this.kept?.checkpoint.take(from, { round, anchorHash, blobs });
    if (this.kept === undefined) this.fault(from, session, "the host makes the checkpoints of this run");
    else if (agreed !== undefined && agreed !== "unasked")
      this.queue.push({ type: "checkpoint", round, anchorHash, blobs: [...agreed.blobs] });
  }

  /** [R10] The first offer of a peer for an open counts, once its blob is here. */
  private offer(now: Millis, from: PeerId, session: Session, offer: SignedOffer): void {
    const taken = this.offers.take(from, offer);
    if (taken === "repeated") return;
    if (taken === "first") {
      // A peer that came after the open measured something else than a round.
      if (session.connectedAt <= this.openedAt) this.pace.record(from, this.roundMs(now, session, offer.steps));
      return;
    }
    if (taken.hostile) this.fault(from, session, taken.refused);
    this.refuse(from, session, offer, taken.refused);
  }

  /** [R32] Who had steps done before the open offers soon after it, and still needs H steps for a round from its beginning. */
  private roundMs(now: Millis, { stepMs }: Session, steps: number): Millis {
    const H = this.log.spec.inner.steps;
    return Math.max(((now - this.openedAt) * H) / steps, H * (stepMs ?? 0));
  }

  private refuse(from: PeerId, session: Session, offer: SignedOffer, message: string): void {
    session.refused += 1;
    this.send(from, { type: "offer-refused", openSeq: offer.openSeq, message });
  }

  private fault(from: PeerId, session: Session, reason: string): void {
    session.faults += 1;
    if (session.faults >= FAULTS_MAX)
      this.sendAway(from, "invalid", `${session.faults} messages out of place, last: ${reason}`);
  }

  // ---- the log ----------------------------------------------------------------------------------------------------------

  private append(body: EntryBody, asides: readonly Aside[] = []): void {
    assert(this.appending === undefined, "one append at a time");
    if (body.type === "open") this.asides.clear();
    for (const { name, bytes } of asides) this.asides.set(name, bytes);
    const fault = this.log.mayAppend(body);
    assert(fault === undefined, `appending ${body.type}: ${fault}`);
    this.appending = body;
    this.out.push({ type: "append", body, asides });
  }

  /** [R33] What a peer gave back is ours already: signed, and in its place. */
  private appendSigned(entry: LogEntry): void {
    const fault = this.log.mayAppend(entry);
    assert(fault === undefined, `taking back ${entry.type}: ${fault}`);
    this.appending = entry;
    this.out.push({ type: "append-signed", entry });
  }

  private appended(now: Millis, entry: LogEntry): void {
    assert(this.appending?.type === entry.type, `appended ${entry.type} without having been asked`);
    this.appending = undefined;
    const pending = this.log.commit;
    const fault = this.log.apply(entry);
    assert(fault === undefined, fault ?? "");
    this.last = entry;
    if (entry.type === "open" && "size" in entry.roster) for (const peer of this.log.roster) this.tellPlace(peer);
    this.out.push({ type: "broadcast", message: { type: "entries", entries: [entry] } });
    switch (entry.type) {
      case "open":
        return this.afterOpen(now, entry);
      case "commit":
        return this.afterCommit(now, entry);
      case "seal":
        return this.afterSeal(now, entry);
      case "void":
        this.line.drop(entry.round);
        this.forgetVoided(pending);
        this.witness = undefined;
        this.attested.clear();
        this.offers.clear();
        this.idleSince = now;
        return;
      case "checkpoint":
        if (this.log.spec.checkpoint.retain === "window")
          this.line.add({ type: "forget", hashes: this.log.unretained }); // after the folds that read them
        return;
      case "eval":
      case "end":
        return;
    }
  }

  /** [R20] What the voided commit named is of no use to anybody any more. */
  private forgetVoided(voided: EntryOf<"commit"> | undefined): void {
    if (this.log.spec.checkpoint.retain !== "window") return;
    this.offers.clear();
    for (const { update, bytes } of voided?.contributors ?? []) this.offers.stored(update, bytes);
    this.forget(this.offers.uncommitted()); // unless the run needs it for something else
  }

  private afterOpen(now: Millis, open: EntryOf<"open">): void {
    this.offers.reopen();
    this.groups = undefined;
    this.roster = this.log.roster;
    this.openedAt = now;
    this.deadlineAt = now + open.deadlineMs;
    for (const session of this.sessions.values()) Object.assign(session, { step: 0, signalsRefused: 0 });
  }

  private afterCommit(now: Millis, commit: EntryOf<"commit">): void {
    this.attested.clear();
    if (this.groups !== undefined) this.judgeGroups(this.groups);
    this.witness = undefined;
    for (const peer of this.roster) {
      const session = this.sessions.get(peer);
      // It was late: its round takes longer than this one did, we do not know how much.
      if (session?.willing && !this.offers.has(peer) && session.connectedAt <= this.openedAt)
        this.pace.record(peer, 1.5 * (now - this.openedAt));
    }
    this.fold(commit);
  }

  /** [R27] A lie costs no more than itself once; the third in a row ends the visit. Who was refused by his group is told. */
  private judgeGroups(groups: Groups): void {
    const liars = new Set(groups.liars());
    for (const peer of groups.members()) {
      const session = this.sessions.get(peer);
      if (session === undefined) continue;
      session.liedInRow = liars.has(peer) ? session.liedInRow + 1 : 0;
      if (session.liedInRow >= REFUSED_IN_ROW_MAX)
        this.sendAway(
          peer,
          "invalid",
          `${session.liedInRow} aggregates in a row were not what the group computed; reload the page`,
        );
    }
  }

  private afterSeal(now: Millis, seal: EntryOf<"seal">): void {
    for (const [peer, anchorHash] of this.attested) {
      const session = this.sessions.get(peer);
      if (session !== undefined && anchorHash === seal.anchorHash) session.foldedRound = this.log.round;
    }
    if (this.log.spec.checkpoint.retain === "window") this.forget(this.offers.uncommitted());
    this.offers.clear();
    this.attested.clear();
    this.witness = undefined;
    this.idleSince = now;
    this.resting = false;
    for (const { peer, reason } of seal.refused) this.punish(seal.round, peer, reason);
    for (const contribution of this.log.sealedByRound.get(seal.round)?.commit.contributors ?? [])
      if (isGroup(contribution))
        for (const peer of contribution.refused) this.punish(seal.round, peer, "its group could not decode the update");
    this.checkpointIfDue();
  }

  /** [R18] */
  private punish(round: number, peer: PeerId, reason: string): void {
    if (!this.sessions.has(peer)) return;
    this.send(peer, { type: "fold-refused", round, peers: [peer], message: reason });
    const inRow = this.log.contributions.get(peer)?.refusedInRow ?? 0;
    if (inRow >= REFUSED_IN_ROW_MAX)
      this.sendAway(peer, "invalid", `${inRow} updates in a row could not be used, last: ${reason}; reload the page`);
  }

  /** [R20] Also of the last anchor. The witness folds in order, so it is still at this anchor when it reads this. */
  private checkpointIfDue(): void {
    const { round, checkpoint, spec, endReached, ended } = this.log;
    if (round === 0 || ended !== undefined || (checkpoint?.round ?? 0) >= round || this.checkpointAsked === round)
      return;
    if (this.kept !== undefined) return this.askCheckpoint();
    if (round % spec.checkpoint.everyRounds !== 0 && endReached === undefined) return;
    this.checkpointAsked = round;
    this.line.add({ type: "checkpoint", round });
  }

  /** [R37] When too few answered alike, after the next round again. */
  private askCheckpoint(): void {
    const { round, checkpoint, spec, endReached, anchorHash } = this.log;
    if (round - (checkpoint?.round ?? 0) < spec.checkpoint.everyRounds && endReached === undefined) return;
    const at = [...this.sessions].filter(([, { foldedRound }]) => foldedRound === round).map(([peer]) => peer);
    if (at.length === 0) return;
    this.checkpointAsked = round;
    this.out.push(...this.kept!.checkpoint.ask(round, anchorHash!, at));
  }

  private folded(now: Millis, { round, anchorHash, refused }: Extract<SequencerInput, { type: "folded" }>): void {
    this.line.done("fold", round);
    if (this.log.commit !== undefined && round === this.log.round) {
      this.witness = { anchorHash, refused, at: now };
      return;
    }
    // It was sealed before our log was lost, and came back: the same arithmetic gives the same anchor, or our disk lies.
    const sealed = this.log.sealedByRound.get(round)?.anchorHash;
    if (sealed !== undefined && sealed !== anchorHash)
      throw new Error(`round ${round} folds to anchor ${anchorHash}, but its seal says ${sealed}`);
  }

  // ---- what comes next --------------------------------------------------------------------------------------------------

  private advance(now: Millis): void {
    const { log } = this;
    this.advanceWitness(now);
    if (this.kept !== undefined) this.advanceKept(now, this.kept.holders);
    if (this.appending !== undefined || log.ended !== undefined) return;
    const given = this.recovery.next();
    if (given !== undefined) return this.appendSigned(given);
    this.out.push(...this.recovery.advance(now, this.wake));
    if (this.recovery.holds(now, this.roster, this.wake)) return;
    for (let body = this.queue.shift(); body !== undefined; body = this.queue.shift())
      if (log.mayAppend(body) === undefined) return this.append(body); // else it is about a round long past: no harm
    if (log.commit !== undefined) return this.advanceFolding(now, log.commit);
    if (this.endOrder !== undefined) return this.append({ type: "end", reason: this.endOrder });
    if (log.open !== undefined && this.groups !== undefined) return this.advanceGroups(now, log.open, this.groups);
    if (log.open !== undefined) return this.advanceTraining(now, log.open);
    if (log.endReached !== undefined) return this.advanceEnding(now, log.endReached);
    return this.advanceWaiting(now);
  }

  /** [R3] [R34] Its work in order; a pending commit that nobody can mend is void, a sealed one is passed by. */
  private advanceWitness(now: Millis): void {
    const { line, log } = this;
    const peers = [...this.sessions.keys()];
    const awaited = this.roster.some((peer) => !this.sessions.has(peer));
    const lost = line.lostForGood(now, peers, awaited, this.wake);
    if (lost !== undefined) {
      if (log.commit === undefined || lost.round < log.round) line.restart();
      else if (!this.queue.some(({ type }) => type === "void"))
        this.queue.unshift({ type: "void", round: lost.round, reason: lost.reason });
    }
    this.out.push(...line.advance(now, peers, this.recovery.settled, this.wake));
  }

  /** [R6] Nobody who was at the last base is left out for being a little late. */
  private advanceWaiting(now: Millis): void {
    const ready = this.readyPeers();
    if (ready.length === 0 || this.paused) {
      this.idleSince = undefined;
      this.resting = true;
      return;
    }
    this.idleSince ??= now;
    const until = this.idleSince + (this.resting ? GATHER_REST_MS : gatherMs(this.idleSince - this.openedAt));
    const awaited = [...this.sessions.values()].some((session) =>
      session.foldedRound === this.log.round
        ? false
        : this.resting
          ? !session.paused && session.bye === undefined
          : session.willing && session.foldedRound === this.log.round - 1,
    );
    if (awaited && now < until) return this.wake.want(until);
    this.appendOpen(ready);
  }

  private appendOpen(roster: PeerId[]): void {
    const { round, anchorHash, cursor, tokens, spec } = this.log;
    assert(anchorHash !== undefined, "the sequencer knows genesis");
    const named = roster.sort().slice(0, ROSTER_MAX);
    const announcedMs = new Map<PeerId, number>();
    for (const peer of named) {
      const stepMs = this.sessions.get(peer)?.stepMs;
      if (stepMs) announcedMs.set(peer, stepMs * spec.inner.steps);
    }
    const { deadlineMinMs, deadlineMaxMs } = spec.rounds;
    const deadlineMs = this.pace.deadlineMs(named, announcedMs, deadlineMinMs, deadlineMaxMs);
    this.idleSince = undefined;
    const listed = named.length <= ROSTER_LISTED_MAX;
    const bytes = encodeRoster(named);
    const name = blobName(bytes);
    const body = {
      type: "open" as const,
      round,
      roster: listed ? named : { size: named.length, blob: name },
      baseHash: anchorHash,
      cursor,
      tokensBefore: tokens,
      deadlineMs,
    };
    this.append(body, listed ? [] : [{ name, bytes }]);
  }

  /** [R7] */
  private advanceTraining(now: Millis, open: EntryOf<"open">): void {
    const counted = this.offers.counted();
    const offered = new Set(counted.map(({ peer }) => peer));
    const missing = this.roster.filter((peer) => this.sessions.get(peer)?.willing && !offered.has(peer));
    const late = now >= this.deadlineAt;
    const graceUntil = this.lostAt + RECONNECT_GRACE_MS;
    if (counted.length > 0) {
      if (late) return this.closeOffers(now, open);
      this.wake.want(this.deadlineAt);
      if (missing.length > 0) return;
      // Who paused or said goodbye is not waited for; who vanished may be back in a moment.
      const gone = this.roster.filter((peer) => {
        const session = this.sessions.get(peer);
        return session !== undefined && !session.willing && (session.paused || session.bye !== undefined);
      }).length;
      const quorum = Math.min(this.log.spec.rounds.quorum, this.roster.length - gone);
      if (counted.length >= quorum || now >= graceUntil) return this.closeOffers(now, open);
      return this.wake.want(graceUntil);
    }
    const newcomers = this.readyPeers().filter((peer) => this.log.positionOf(peer) < 0);
    // Offered, but the blob never came (a liar, or the host made room): such an offer is in the way of another.
    const hollow = missing.some((peer) => this.offers.has(peer));
    if ((newcomers.length === 0 && !hollow) || this.paused) return; // the round stays open until an offer arrives, or rests
    const from = missing.length === 0 ? Math.min(graceUntil, this.deadlineAt) : this.deadlineAt;
    if (now < from) return this.wake.want(from);
    this.appendOpen([...newcomers, ...missing]); // supersedes: nobody who could train is left out
  }

  /** What is there counts. More than a commit may name are made into groups first: of neighbours, so that their updates go one hop. [R27] */
  private closeOffers(now: Millis, open: EntryOf<"open">): void {
    const most = this.contributorsMax;
    const offers = this.offers.drawn(this.kept === undefined ? most * most : most); // an aggregate needs a host that keeps it
    if (offers.length <= most) return this.appendCommit(open, offers);
    const offerByPeer = new Map(offers.map((offer) => [offer.peer, offer]));
    const ordered = this.mesh.inOrder([...offerByPeer.keys()]).map((peer) => offerByPeer.get(peer)!);
    this.groups = new Groups(open.seq, ordered, most, now, now + open.deadlineMs);
    for (const peer of this.groups.members()) this.tellPlace(peer);
    this.advanceGroups(now, open, this.groups);
  }

  private advanceGroups(now: Millis, open: EntryOf<"open">, groups: Groups): void {
    const { over, wakeAt, ask } = groups.advance(
      now,
      (peer) => this.sessions.has(peer),
      (hash, bytes) => this.offers.isStored(hash, bytes),
    );
    for (const { peer, hash } of ask) this.send(peer, { type: "send-up", hash });
    if (!over) return this.wake.want(wakeAt);
    const done = groups.done();
    const contributors = [...groups.singles, ...done.map(({ contribution }) => contribution)].sort(byPeer);
    if (contributors.length === 0) return this.appendCommit(open, this.offers.drawn(this.contributorsMax)); // as if there were no groups
    const asides = done.map(({ contribution, manifest }) => ({ name: contribution.manifest, bytes: manifest }));
    this.appendCommit(open, contributors, asides);
  }

  private appendCommit(
    { round, seq, baseHash }: EntryOf<"open">,
    contributors: Contribution[],
    asides: readonly Aside[] = [],
  ): void {
    this.append({ type: "commit", round, openSeq: seq, baseHash, contributors }, asides);
  }

  private get contributorsMax(): number {
    return Math.min(CONTRIBUTORS_MAX, this.log.spec.rounds.maxContributors);
  }

  /** [R12] */
  private advanceFolding(now: Millis, { round, contributors }: EntryOf<"commit">): void {
    if (this.kept !== undefined) return this.advanceVote(now, this.kept, round);
    const { witness } = this;
    if (witness === undefined) return; // it folds, or reads what it needs to: the commit is final either way
    // Everybody who was at the base, joiners included: else one that folds a little slower than the witness never gets in. But not
    // who let the deadline pass, and may be asleep: one that is merely slow has the time in which the next open gathers.
    const silent = (peer: PeerId): boolean =>
      this.roster.includes(peer) && !this.offers.has(peer) && !contributors.some((c) => c.peer === peer);
    // After a restart those of the roster who are back, and fold, have not said so yet. [R24]
    const back = this.recovery.releasedAt! >= this.openedAt;
    const waiting = [...this.sessions].some(
      ([peer, { willing, foldedRound, paused }]) =>
        !this.attested.has(peer) &&
        !silent(peer) &&
        ((willing && foldedRound === round) || (back && !paused && this.roster.includes(peer))),
    );
    const until = Math.max(witness.at, this.recovery.releasedAt!) + ATTEST_WAIT_MS;
    if (waiting && now < until) return this.wake.want(until);
    const attesters = [...this.attested].filter(([, hash]) => hash === witness.anchorHash).map(([peer]) => peer);
    const refused = [...witness.refused].sort(byPeer);
    this.append({
      type: "seal",
      round,
      anchorHash: witness.anchorHash,
      attesters: this.sampleOf(attesters),
      refused,
    });
  }

  /** [R36] The hash of most of those who were at the base; a commit whose blob nobody has is void. */
  private advanceVote(now: Millis, { holders, vote }: NonNullable<Sequencer["kept"]>, round: number): void {
    const atBase = [...this.sessions].filter(([, s]) => s.willing && s.foldedRound === round).map(([peer]) => peer);
    const tokensOf = (peer: PeerId): number => this.log.contributions.get(peer)?.tokens ?? 0;
    const verdict = vote.verdict(now, atBase, tokensOf, this.wake);
    if (verdict !== undefined) {
      const { anchorHash, refused, attesters } = verdict;
      const { commit } = this.log;
      const named = refused.filter(({ peer }) => commit?.contributors.some((c) => c.peer === peer)).sort(byPeer);
      const unique = named.filter(({ peer }, i) => i === 0 || named[i - 1].peer !== peer);
      return this.append({
        type: "seal",
        round,
        anchorHash,
        attesters: [...attesters].slice(0, ROSTER_MAX),
        refused: unique,
      });
    }
    const here = this.present();
    const lost = holders.lost(now, here, this.wake);
    if (lost !== undefined) {
      const reason = `nobody who is here holds update ${lost.hash} of ${lost.maker.slice(0, 8)}`;
      return this.append({ type: "void", round, reason });
    }
    if (vote.isHopeless(now, here.size, this.wake))
      this.append({ type: "void", round, reason: "nobody who is here could fetch and fold it" });
  }

  /** [R35] Offers are safe before they count: enough peers hold what they name. */
  private advanceKept(now: Millis, holders: Holders): void {
    if (this.log.ended !== undefined) return;
    if (this.log.commit === undefined) holders.track(this.offers.all());
    const here = this.present();
    const linked = (a: PeerId, b: PeerId): boolean =>
      this.sessions.get(a)?.links.some(({ peer }) => peer === b) ?? this.mesh.neighbours(a).includes(b);
    this.out.push(...holders.advance(now, here, linked, this.wake));
    for (const { update, bytes } of this.offers.all())
      if (holders.isSafe(update, here)) this.offers.stored(update, bytes);
      else this.offers.dropped(update);
  }

  /** Who can hold something. */
  private present(): ReadonlySet<PeerId> {
    return new Set(
      [...this.sessions].filter(([, { willing, bye }]) => willing && bye === undefined).map(([peer]) => peer),
    );
  }

  /** [R22] The goal is reached: the last evaluation and the last checkpoint, then `end`. */
  private advanceEnding(now: Millis, reason: string): void {
    const { round, evals, checkpoint } = this.log;
    const done = evals.at(-1)?.round === round && checkpoint?.round === round;
    this.endWaitUntil ??= now + END_WAIT_MS;
    if (!done && now < this.endWaitUntil) return this.wake.want(this.endWaitUntil);
    this.append({ type: "end", reason });
  }

  // ---- small answers ----------------------------------------------------------------------------------------------------

  private readyPeers(): PeerId[] {
    return [...this.sessions].filter(([, s]) => s.willing && s.foldedRound === this.log.round).map(([peer]) => peer);
  }

  /** Few are named, many are counted and (seed, round) draws those who may evaluate. [R26] */
  private sampleOf(attesters: readonly PeerId[]): Attesters {
    if (attesters.length <= ATTESTERS_LISTED_MAX) return [...attesters].sort();
    const salt = this.log.spec.seed ^ (this.log.round + 1);
    const able = attesters.filter((peer) => this.log.positionOf(peer) >= 0);
    const drawn = [...(able.length > 0 ? able : attesters)].sort((a, b) => mixText(salt, a) - mixText(salt, b));
    return { count: attesters.length, sample: drawn.slice(0, ATTESTERS_LISTED_MAX).sort() };
  }

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
