// A browser's adapter in the simulator: a store and an identity that survive, a peer, a replica and links that do not.
//
//   control socket, frames, requests, timers -> peer.step -> effects -> network, replica, store -> inputs again
import { Peer, type PeerInput, type PeerOutput } from "#swarm";
import {
  type Capacity,
  type EntryOf,
  type HostMessage,
  holdersOf,
  type LogEntry,
  type Member,
  type PeerId,
  type PeerMessage,
} from "#wire";
import { BlobStore } from "./disk.ts";
import { ExchangeNode } from "./exchange-node.ts";
import { signatureOf } from "./given.ts";
import { entryCheck } from "./host-node.ts";
import { IslandEnd } from "./island-end.ts";
import { garbageFrame, type Lie, lyingMessages } from "./liar.ts";
import { LocalClock } from "./local-clock.ts";
import { HOST, type Link, type PeerSocketEnd, type Socket } from "./network.ts";
import { fakeHash } from "./random.ts";
import { RelayEnd } from "./relay-node.ts";
import { ReplicaNode } from "./replica-node.ts";
import type { Simulation } from "./simulation.ts";

/** For the trace. */
export const brief = (message: HostMessage | PeerMessage): string =>
  JSON.stringify(message, (_, value) => (typeof value === "string" && value.length > 16 ? value.slice(0, 8) : value));

const RELOAD_MS = 2_000;

/** A training effect under way. */
interface Training {
  readonly asked: Extract<PeerOutput, { type: "train" }>;
  step: number; //     since the mark
  stop: boolean;
}

export class PeerNode implements PeerSocketEnd {
  readonly id: PeerId;
  readonly name: string;
  readonly member: Member;
  readonly time: LocalClock;
  readonly blobs = new BlobStore(); //     survives a reload
  readonly refusals: string[] = [];
  readonly evidence: { readonly ours: LogEntry; readonly theirs: LogEntry }[] = [];
  stepMs: number;
  /** Its updates do not decode. */
  bad = false;
  /** The next fold comes out wrong, as from a machine with broken memory. */
  wrongFolds = 0;
  lie: Lie | undefined;
  lied = false;
  /** The model does not fit it alone: it seeks an island of so many. */
  ranksMin: number | undefined;
  /** What it says that it holds, and how fast it is. */
  capacity: Capacity | undefined;
  island: IslandEnd | undefined;
  /** The person reads why the page was sent away, and reloads it. */
  reloads = false;
  /** It has done, or does, what the swarm may send it away for. */
  tainted = false;
  peer: Peer | undefined;
  replica: ReplicaNode | undefined;
  socket: Socket | undefined;
  /** No way to the host: the network is cut, links stay. */
  offline = false;
  offersMade = 0;
  carried = 0; //                          rounds whose work was not offered
  evaluations = 0;
  foldedAlone = 0; //                      of a run in pairs: rounds without a partner
  trainedMs = 0;
  ended: string | undefined;
  readonly namedFolds: number[] = [];
  private readonly sim: Simulation;
  private readonly alarm: ReturnType<LocalClock["alarm"]>;
  exchange: ExchangeNode;
  readonly relay: RelayEnd;
  private work: Training | undefined;
  private replicaFreeAt = 0;
  private offerNonce = 0;
  private devicesLost = 0;
  private readonly made = new Set<string>(); // our own updates

  constructor(sim: Simulation, index: number, stepMs: number) {
    this.sim = sim;
    this.id = sim.peerId(index);
    this.name = `peer-${index}`;
    this.stepMs = stepMs;
    this.time = new LocalClock(sim.clock, 0);
    this.alarm = this.time.alarm();
    const adapter = { backend: "webgpu", vendor: "sim", architecture: "", description: "", isFallback: true } as const;
    this.member = { peer: this.id, name: this.name, adapter };
    this.exchange = this.newExchange();
    const frame = (from: PeerId, bytes: Uint8Array): void =>
      this.time.do(() => this.up && this.exchange.input({ type: "frame", from, bytes }));
    this.relay = new RelayEnd(this.id, sim.host.relay, this.time, {
      up: (peer) => {
        if (!this.linked.has(peer)) this.exchange.input({ type: "link-up", peer });
        this.input({ type: "relay-up", peer });
      },
      down: (peer) => this.relayEnded(peer),
      frame,
    });
    sim.network.listen(this.id, {
      frame,
      closed: (other) => this.time.do(() => this.linkClosed(other)),
    });
  }

  get up(): boolean {
    return this.peer !== undefined;
  }

  /** Peers with an open link to this one. */
  get linked(): ReadonlyMap<PeerId, Link> {
    return this.sim.network.linksOf(this.id);
  }

  start(): void {
    if (this.up) return;
    const { run, spec, random } = this.sim;
    this.sim.tell(() => `${this.name} starts`);
    this.time.restart(random.between(0, 10_000));
    this.replicaFreeAt = 0;
    this.exchange = this.newExchange();
    this.peer = new Peer({ run, spec, self: this.id, check: entryCheck });
    this.sim.plant.peer?.(this.peer);
    if (this.ranksMin === undefined) this.input({ type: "donate" });
    else this.island = this.newIsland(this.ranksMin, this.capacity);
    this.connectHost();
  }

  private newIsland(ranksMin: number, capacity: Capacity | undefined): IslandEnd {
    const { sim, id, name, time } = this;
    const node = this;
    return new IslandEnd(
      sim,
      {
        ...{ id, name },
        get linked() {
          return node.linked;
        },
        after: (delayMs, run) => time.after(delayMs, run),
        send: (message) => this.send(message),
        report: (links) => this.input({ type: "links", links, bytesFromHost: 0, bytesToHost: 0 }),
        donate: () => this.input({ type: "donate" }),
        loseDevice: () => this.loseDevice(),
      },
      { ranksMin, ...(capacity && { capacity }) },
    );
  }

  /** At the end of a simulation: to see what they weighed. */
  dropCores(): void {
    this.peer = undefined;
    this.exchange = undefined as never;
  }

  /** The tab is gone from one moment to the next. */
  crash(): void {
    this.sim.tell(() => `${this.name} gone`);
    this.time.restart(0);
    this.blobs.crash(this.sim.random, () => this.sim.strike("peer-write-lost"));
    this.peer = undefined;
    this.island = undefined;
    this.replica = undefined;
    this.work = undefined;
    this.socket?.close("tab gone");
    this.socket = undefined;
    for (const other of [...this.linked.keys()]) this.sim.network.unlink(this.id, other);
    this.relay.stop();
  }

  /** As a page does at the end: it says goodbye, lets go of everything, and only shows what it has. */
  private leave(): void {
    this.input({ type: "stop" });
    this.exchange = this.newExchange();
    this.socket?.close("the run has ended");
    this.socket = undefined;
  }

  input(input: PeerInput): void {
    if (this.peer === undefined) return;
    const outputs = this.peer.step(this.time.now, input);
    for (const output of outputs) this.effect(output);
    this.sim.observePeer(this);
  }

  // ---- control socket and links -------------------------------------------------------------------------------------------

  cutControl(): void {
    this.socket?.close("cut");
  }

  connectHost(): void {
    const { sim } = this;
    this.time.after(sim.random.between(50, 400), () => {
      if (this.socket !== undefined || this.ended !== undefined) return;
      if (this.offline || !sim.host.up || sim.network.parted(this.id, HOST)) return this.connectHost();
      const socket = sim.network.socket(this, sim.host, this.id);
      this.socket = socket;
      this.input({ type: "host-open" });
      sim.host.dial(socket, this.member);
    });
  }

  hostMessage(socket: Socket, message: HostMessage): void {
    this.time.do(() => {
      if (this.socket !== socket) return;
      this.input({ type: "message", message });
      this.island?.input({ type: "message", message });
    });
  }

  socketClosed(socket: Socket): void {
    this.time.do(() => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      this.input({ type: "host-closed" });
      this.island?.input({ type: "host-closed" });
      if (this.up) this.connectHost();
    });
  }

  private linkClosed(other: PeerId): void {
    if (!this.up || this.linked.has(other)) return; // a new one is there already
    this.exchange.input({ type: this.relay.up.has(other) ? "link-up" : "link-down", peer: other });
    this.input({ type: "link-down", peer: other });
    this.island?.linkClosed(other);
  }

  private relayEnded(peer: PeerId): void {
    if (this.relay.up.delete(peer) && !this.linked.has(peer)) this.exchange.input({ type: "link-down", peer });
    this.input({ type: "relay-down", peer });
  }

  linkOpened(other: PeerId): void {
    this.exchange.input({ type: "link-up", peer: other });
    this.input({ type: "link-up", peer: other });
    this.island?.linkOpened();
  }

  // ---- effects ------------------------------------------------------------------------------------------------------------

  private effect(output: PeerOutput): void {
    const { sim } = this;
    switch (output.type) {
      case "send":
        return this.send(output.message);
      case "offer":
        this.offersMade += 1;
        sim.check(
          output.offer.steps <= (sim.arithmetic.workByUpdate.get(output.offer.update) ?? 0),
          `${this.name} offers steps that its update does not hold`,
        );
        return this.send({ type: "offer", offer: { ...output.offer, signature: signatureOf(output.offer) } });
      case "fetch-log":
        return this.fetchLog(output.from);
      case "connect":
        this.exchange.input({ type: "link-coming", peer: output.peer });
        return sim.connect(this, output.peer, output.initiator);
      case "disconnect":
        return sim.network.unlink(this.id, output.peer);
      case "ask-relay":
        return this.relay.ask(output.peer);
      case "leave-relay":
        if (this.relay.leave(output.peer) && !this.linked.has(output.peer))
          this.exchange.input({ type: "link-down", peer: output.peer });
        return;
      case "probe":
        return; // the simulated network tells of a dead link by itself
      case "signal":
        return sim.signalled(this, output.from, output.data);
      case "restore":
        return this.restore(output);
      case "train":
        return this.train(output);
      case "stop-training":
        if (this.work !== undefined) this.work.stop = true; // after the step in flight
        if (this.replica !== undefined) this.replica.training = false;
        return;
      case "encode":
        return this.encode(output);
      case "upload":
        return this.upload(output.hash);
      case "fetch":
        return this.fetch(output);
      case "cancel-fetch":
        return this.exchange.input({ type: "unwant", name: output.hash });
      case "fold":
        return this.fold(output);
      case "fold-pair":
        return this.foldPair(output);
      case "aggregate":
        return this.aggregate(output);
      case "evaluate":
        return this.replicaWork([20, 200], () => {
          this.evaluations += 1;
          const { round, anchorHash } = output.merge ? this.merged(output.merge) : this.replica!;
          sim.check(round === output.round, "the anchor to evaluate is the replica's");
          if (anchorHash === "") return; // the commit merges to nothing
          this.input({ type: "evaluated", round, anchorHash, setHash: fakeHash("set"), loss: 3 });
        });
      case "make-checkpoint":
        return this.replicaWork([5, 50], () => {
          if (this.replica?.round !== output.round) return;
          const { anchorHash, round } = this.replica;
          const hash = fakeHash("checkpoint", anchorHash);
          this.blobs.add(hash, sim.checkpointBytes);
          this.syncLater(hash);
          const blobs = [{ name: "anchor", hash, bytes: sim.checkpointBytes }];
          this.input({ type: "checkpoint-made", round, anchorHash, blobs });
        });
      case "forget":
        this.exchange.input({ type: "drop", names: output.hashes });
        for (const hash of output.hashes) this.blobs.delete(hash);
        return;
      case "evidence":
        this.evidence.push(output);
        return;
      case "refused":
        this.refusals.push(`${output.code}: ${output.message}`);
        sim.judge.refused(this, output);
        this.crash();
        if (this.reloads) sim.clock.after(RELOAD_MS, () => this.start());
        return;
      case "ended":
        this.ended = output.reason;
        return this.leave();
      case "wake":
        return this.alarm(sim.timer(output.at - this.time.now), () => this.input({ type: "tick" }));
    }
  }

  private send(message: Extract<PeerOutput, { type: "send" }>["message"]): void {
    this.sim.checkPeerMessage(message);
    this.sim.tell(() => `message ${this.name} to host: ${brief(message)}`);
    if (this.lie === undefined) return this.socket?.toHost(message);
    for (const said of lyingMessages(this.lie, message, this.sim.random)) {
      if (said.lie) this.sim.lies.set(said.message, this.lie);
      this.socket?.toHost(said.message);
    }
    if (this.lie === "garbage-frame")
      for (const other of this.linked.keys()) {
        this.sim.strike("garbage-frame");
        this.sim.network.frame(this.id, other, garbageFrame(this.sim.random));
      }
  }

  /** Its GPU goes, in the middle of a step: no `trained` comes of that. Another one when the person donates again. */
  loseDevice(): void {
    this.devicesLost += 1;
    this.work = undefined;
    if (this.replica !== undefined) this.replica.training = false;
    this.replica?.loseDevice();
    this.input({ type: "pause", reason: "its GPU was lost", lost: true });
  }

  /** By its person. */
  pause(): void {
    const reason = "the person asked";
    this.island?.input({ type: "stop", reason });
    this.input({ type: "pause", reason });
  }

  resume(): void {
    if (this.ranksMin === undefined) this.input({ type: "donate" });
    else this.island?.seekAgain();
  }

  private fetchLog(from: number): void {
    const { host } = this.sim;
    this.request(
      `log from ${from}`,
      0,
      (answer) => {
        const entries = host.served(from);
        answer(entries.length * 500, () => this.input({ type: "log", entries }));
      },
      () => this.input({ type: "log", entries: [] }),
    );
  }

  private upload(hash: string): void {
    const failed = (): void => this.input({ type: "upload-failed", hash, reason: "host away" });
    if (!this.blobs.has(hash)) return this.time.after(1, failed);
    this.request(
      `upload of ${hash}`,
      this.sim.updateBytes,
      (answer, refuse) => {
        if (this.socket?.open !== true) return refuse(); // its session is over
        if (this.sim.host.full) {
          this.sim.strike("disk-full");
          return refuse();
        }
        this.sim.host.store(hash, this.sim.updateBytes, () => answer(0, () => this.input({ type: "uploaded", hash })));
      },
      failed,
    );
  }

  private fetch({ hash, bytes, host }: Extract<PeerOutput, { type: "fetch" }>): void {
    if (this.blobs.has(hash)) return this.time.after(1, () => this.input({ type: "fetched", hash }));
    this.exchange.input({ type: "want", name: hash, bytes, host, urgency: "round" });
  }

  private fetched(hash: string, bytes: number): void {
    this.blobs.add(hash, bytes);
    this.syncLater(hash);
    this.input({ type: "fetched", hash });
  }

  /** The browser's store writes when it likes; where peers keep the updates it has written before anybody counts on it. [R35] (seed 500299) */
  private syncLater(hash: string): void {
    if (holdersOf(this.sim.spec) !== undefined) return this.blobs.sync(hash);
    this.time.after(this.sim.random.between(5, 200), () => this.blobs.sync(hash));
  }

  private newExchange(): ExchangeNode {
    const { sim, time, blobs } = this;
    const exchange = new ExchangeNode(sim.random.int(2 ** 32), sim.pieces, {
      now: () => time.now,
      blobs: { has: (name) => blobs.has(name) && !this.withholds(name), bytesOf: (name) => blobs.bytesOf(name) },
      frame: (to, bytes) => (this.linked.has(to) ? sim.network.frame(this.id, to, bytes) : this.relay.send(to, bytes)),
      close: (peer) => {
        if (this.linked.has(peer)) return sim.network.unlink(this.id, peer);
        this.relay.leave(peer);
        this.input({ type: "relay-down", peer });
      },
      after: (delayMs, run) => time.after(delayMs, run),
      alarm: time.alarm(),
      timer: (waitMs) => sim.timer(waitMs),
      askHost: (name, first, bytes, done) =>
        this.request(
          `piece ${first} of ${name}`,
          0,
          (answer, refuse) => {
            const blobBytes = sim.host.serveBlob(name);
            if (blobBytes === undefined) refuse();
            else answer(bytes, () => done(blobBytes));
          },
          () => done(undefined),
        ),
      fetched: (name, bytes, fromHost) => {
        if (!fromHost) sim.peerFetches += 1;
        if (!fromHost && bytes > sim.pieces.pieceBytes) sim.strike("blob-in-pieces");
        this.fetched(name, bytes);
      },
      failed: (hash, reason) => this.input({ type: "fetch-failed", hash, reason }),
    });
    sim.plant.exchange?.(exchange.core);
    return exchange;
  }

  /** Offered to the host, served to nobody. */
  private withholds(name: string): boolean {
    if (this.lie !== "withheld-blob" || !this.made.has(name)) return false;
    this.sim.strike("withheld-blob");
    return true;
  }

  /** HTTP, to the host. Its answer is for this life only. */
  private request(
    what: string,
    bytesUp: number,
    serve: Parameters<Simulation["network"]["request"]>[3],
    failed: () => void,
  ): void {
    this.sim.judge.asked(this.name, what);
    const here = this.time.thisLife();
    const { network, host } = this.sim;
    if (this.offline) return this.time.after(1, failed);
    network.request(
      this.id,
      HOST,
      bytesUp,
      (answer, refuse) =>
        host.time.do(() => (host.up ? serve((bytes, run) => answer(bytes, () => here(run)), refuse) : refuse())),
      () => here(failed),
    );
  }

  // ---- the replica --------------------------------------------------------------------------------------------------------

  /** Effects on the replica, one after the other. */
  private replicaWork([min, max]: readonly [number, number], run: () => void): void {
    const { now } = this.sim.clock;
    this.replicaFreeAt = Math.max(this.replicaFreeAt, now) + this.sim.random.between(min, max);
    this.time.after(this.replicaFreeAt - now, run);
  }

  private restore({ round, anchorHash, blobs }: Extract<PeerOutput, { type: "restore" }>): void {
    const { sim } = this;
    this.replicaWork([5, 100], () => {
      sim.check(!blobs.some(({ hash }) => !this.blobs.has(hash)), "a peer restores from blobs that it holds");
      const anchor = round === 0 ? sim.genesisHash : anchorHash;
      this.replica = new ReplicaNode(sim.arithmetic, round, anchor, sim.spec.outer.extract === "gradient");
      sim.plant.replica?.(this.replica);
      this.input({ type: "restored", round, anchorHash: anchor });
    });
  }

  private encode({ round, baseHash }: Extract<PeerOutput, { type: "encode" }>): void {
    const { sim } = this;
    const snapshot = this.replica!.snapshot();
    const { devicesLost } = this;
    this.replicaWork([5, 50], () => {
      const { replica } = this;
      if (devicesLost !== this.devicesLost) {
        if (sim.random.chance(0.5)) return this.input({ type: "encode-failed", round, reason: "the device was lost" });
        replica!.loseDevice(snapshot); // it had been read by then
      }
      const update = fakeHash("update", this.id, round, baseHash, this.offerNonce++);
      sim.check(replica?.own || replica?.anchorHash === baseHash, "an update starts from the replica's anchor");
      sim.check(replica!.inFlight === undefined, "one offer in flight at most");
      sim.check(replica!.isCurrent, "a gradient is offered from the anchor that it is of");
      replica!.encoded(update, snapshot);
      if (this.bad) {
        sim.strike("bad-update");
        this.tainted = true;
        sim.arithmetic.badUpdates.add(update);
      }
      this.made.add(update);
      this.blobs.add(update, this.sim.updateBytes);
      this.syncLater(update);
      this.exchange.input({ type: "hold", name: update, bytes: this.sim.updateBytes });
      this.input({ type: "encoded", round, update, bytes: this.sim.updateBytes });
    });
  }

  private aggregate({ manifest, members }: Extract<PeerOutput, { type: "aggregate" }>): void {
    const { sim } = this;
    const all = members.every(({ update }) => this.blobs.has(update));
    sim.check(all, "a peer aggregates what it holds");
    this.time.after(sim.random.between(5, 50), () => {
      const made = sim.arithmetic.aggregate(members);
      if (made === undefined) return this.input({ type: "aggregated", manifest, aggregate: null });
      const { update } = made;
      this.blobs.add(update, sim.updateBytes);
      this.syncLater(update);
      this.exchange.input({ type: "hold", name: update, bytes: sim.updateBytes });
      this.input({ type: "aggregated", manifest, aggregate: { ...made, bytes: sim.updateBytes } });
    });
  }

  private fold({ commit, named }: Extract<PeerOutput, { type: "fold" }>): void {
    const { sim } = this;
    const all = commit.contributors.every(({ update }) => this.blobs.has(update));
    sim.check(all, "a peer folds what it holds");
    this.replicaWork([5, 100], () => {
      const replica = this.replica!;
      sim.check(replica.round === commit.round, "a peer folds in order");
      const ours = replica.inFlight !== undefined && sim.judge.updatesBehind(commit).has(replica.inFlight);
      sim.check(named === ours, "the mark rule hears whether our own update counts");
      if (named) this.namedFolds.push(commit.round);
      if (replica.inFlight === undefined && replica.kept > 0) this.carried += 1;
      let anchorHash = sim.arithmetic.fold(replica.anchorHash, commit);
      if (this.wrongFolds === 0) sim.judge.folded(this.id, anchorHash);
      if (this.wrongFolds > 0) {
        this.wrongFolds -= 1;
        sim.strike("wrong-fold");
        this.tainted = true;
        anchorHash = fakeHash("wrong", anchorHash);
      }
      if (sim.arithmetic.isEmpty(commit)) replica.foldPair(commit, []);
      else replica.fold(commit, named, anchorHash);
      sim.check(replica.unaccounted === 0, `${this.name} lost or doubled ${replica.unaccounted} inner steps`);
      this.input({ type: "folded", round: commit.round, anchorHash, refused: sim.arithmetic.refusedOf(commit) });
    });
  }

  /** [R48] Its own update, and its partner's if that is here. */
  private foldPair({ commit, pair }: Extract<PeerOutput, { type: "fold-pair" }>): void {
    const { sim } = this;
    const updates = pair.map((peer) => commit.contributors.find((each) => each.peer === peer)!.update);
    sim.check(
      updates.every((update) => this.blobs.has(update)),
      "a peer folds what it holds",
    );
    this.replicaWork([5, 100], () => {
      const replica = this.replica!;
      sim.check(replica.round === commit.round, "a peer folds in order");
      const named = replica.inFlight !== undefined && sim.judge.updatesBehind(commit).has(replica.inFlight);
      sim.check(named === pair.length > 0, "a pair is of those whom the commit names");
      if (named) sim.judge.paired(this, commit, pair);
      if (named) this.namedFolds.push(commit.round);
      if (pair.length === 1) this.foldedAlone += 1;
      replica.foldPair(commit, updates);
      sim.check(replica.unaccounted === 0, `${this.name} lost or doubled ${replica.unaccounted} inner steps`);
      this.input({ type: "folded", round: commit.round, anchorHash: "", refused: [] });
    });
  }

  private merged(commit: EntryOf<"commit">): { round: number; anchorHash: string } {
    const { sim } = this;
    sim.check(
      commit.contributors.every(({ update }) => this.blobs.has(update)),
      "a peer merges what it holds",
    );
    return { round: commit.round + 1, anchorHash: sim.arithmetic.fold("", commit) };
  }

  private train(asked: Extract<PeerOutput, { type: "train" }>): void {
    this.sim.check(this.work === undefined || this.work.stop, "one training at a time");
    this.sim.check(this.replica !== undefined, "training has a replica to start from");
    this.replica!.training = true;
    this.work = { asked, step: asked.firstStep, stop: false };
    this.trainStep(this.work);
  }

  private trainStep(work: Training): void {
    const { job, assignment, until } = work.asked;
    const tookMs = this.stepMs * this.sim.random.between(...this.sim.stepSpread);
    const begunAt = this.replica!.round;
    this.time.after(tookMs, () => {
      if (this.work !== work) return; // the replica was restored, and trains again
      if (this.island?.isWhole === false) return; // it waits for who is gone, until its port ends
      this.trainedMs += tookMs;
      work.step += 1;
      this.replica?.step(begunAt);
      const { round } = assignment;
      this.input({ type: "progress", job, round, step: work.step, loss: 4, tokensPerSecond: 1, stepMs: this.stepMs });
      if (work.stop || work.step >= until) this.trained(work);
      else this.trainStep(work);
    });
  }

  private trained(work: Training): void {
    const { job, assignment, firstStep } = work.asked;
    this.work = undefined;
    if (this.replica !== undefined) this.replica.training = false;
    const steps = work.step - firstStep;
    const tokens = steps * assignment.windowsPerStep * this.sim.spec.model.contextLength;
    this.time.after(1, () => this.input({ type: "trained", job, steps, tokens, loss: 3.5 }));
  }
}
