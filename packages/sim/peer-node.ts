// A browser's adapter in the simulator: a store and an identity that survive, a peer, a replica and links that do not.
import { type Assignment, Peer, type PeerInput, type PeerOutput } from "#swarm";
import type { LogEntry, Member, PeerId } from "#wire";
import { Socket } from "./host-node.ts";
import { fakeHash } from "./random.ts";
import type { Simulation } from "./simulation.ts";

/** As wire's chainFault, without the cost of signatures. */
function chainWithoutSignatures(run: string, hash: (entry: LogEntry) => string) {
  return (previous: LogEntry | undefined, entry: LogEntry): string | undefined =>
    entry.seq === (previous ? previous.seq + 1 : 0) && entry.prevHash === (previous ? hash(previous) : run)
      ? undefined
      : `entry ${entry.seq} does not follow`;
}

export class PeerNode {
  readonly id: PeerId;
  readonly name: string;
  readonly member: Member;
  readonly blobs = new Set<string>(); //   survives a reload
  readonly linked = new Set<PeerId>();
  readonly refusals: string[] = [];
  stepMs: number;
  /** Its updates do not decode. */
  bad = false;
  /** The next fold comes out wrong, as from a machine with broken memory. */
  wrongFolds = 0;
  peer: Peer | undefined;
  replica: { round: number; anchorHash: string } | undefined;
  socket: Socket | undefined;
  /** No new control socket: the network is cut, links stay. */
  offline = false;
  offersMade = 0;
  carried = 0; //                          rounds whose work was not offered
  evaluations = 0;
  ended: string | undefined;
  readonly namedFolds: number[] = [];
  private readonly sim: Simulation;
  private life = 0;
  private work: { assignment: Assignment; step: number; run: number } | undefined;
  private workRun = 0;
  private replicaFreeAt = 0;
  private offerNonce = 0;
  /** Our update since the last fold or restore: the replica's mark has moved with it. */
  private inFlight: string | undefined;

  constructor(sim: Simulation, index: number, stepMs: number) {
    this.sim = sim;
    this.id = sim.peerId(index);
    this.name = `peer-${index}`;
    this.stepMs = stepMs;
    const adapter = { backend: "webgpu", vendor: "sim", architecture: "", description: "", isFallback: true } as const;
    this.member = { peer: this.id, name: this.name, adapter };
  }

  get up(): boolean {
    return this.peer !== undefined;
  }

  start(): void {
    if (this.up) return;
    const { run, spec, hash } = this.sim;
    this.life += 1;
    this.peer = new Peer({ run, spec, self: this.id, chain: chainWithoutSignatures(run, hash) });
    this.input({ type: "donate" });
    this.connectHost();
  }

  /** The tab is gone from one moment to the next. */
  crash(): void {
    this.life += 1;
    this.peer = undefined;
    this.replica = undefined;
    this.work = undefined;
    this.socket?.close("tab gone");
    this.socket = undefined;
    for (const other of [...this.linked]) this.sim.unlink(this.id, other);
  }

  input(input: PeerInput): void {
    if (this.peer === undefined) return;
    const outputs = this.peer.step(this.sim.clock.now, input);
    for (const output of outputs) this.effect(output);
    this.sim.observePeer(this);
  }

  cutControl(): void {
    this.socket?.close("cut");
  }

  connectHost(): void {
    this.after(this.sim.random.between(50, 400), () => {
      if (this.socket !== undefined) return;
      if (this.offline || !this.sim.host.up) return this.connectHost();
      const socket = new Socket(this.sim, this);
      this.socket = socket;
      this.input({ type: "host-open" });
      this.sim.clock.after(this.sim.delay(), () => socket.open && this.sim.host.accept(socket));
    });
  }

  socketClosed(socket: Socket): void {
    if (this.socket !== socket) return;
    this.socket = undefined;
    this.input({ type: "host-closed" });
    if (this.up) this.connectHost();
  }

  after(delayMs: number, run: () => void): void {
    const { life } = this;
    this.sim.clock.after(delayMs, () => life === this.life && run());
  }

  private effect(output: PeerOutput): void {
    const { sim } = this;
    switch (output.type) {
      case "send":
        return this.socket?.toHost(output.message);
      case "offer":
        this.offersMade += 1;
        return this.socket?.toHost({
          type: "offer",
          offer: { ...output.offer, signature: sim.signature(output.offer) },
        });
      case "fetch-log":
        return this.request(() => {
          const entries = sim.host.up ? sim.host.log.slice(output.from, output.from + 10) : [];
          return () => this.input({ type: "log", entries });
        });
      case "connect":
        return sim.connect(this, output.peer, output.initiator);
      case "disconnect":
        return sim.unlink(this.id, output.peer);
      case "probe":
        return; // the simulated network tells of a dead link by itself
      case "signal":
        return sim.signalled(this, output.from, output.data);
      case "restore":
        return this.replicaWork(sim.random.between(5, 100), () => {
          const missing = output.blobs.some(({ hash }) => !this.blobs.has(hash));
          sim.check(!missing, "a peer restores from blobs that it holds");
          const anchorHash = output.round === 0 ? sim.genesisHash : output.anchorHash;
          this.replica = { round: output.round, anchorHash };
          this.inFlight = undefined;
          this.input({ type: "restored", round: output.round, anchorHash });
        });
      case "train":
        return this.train(output.assignment);
      case "finish-training":
        return this.finish();
      case "stop-training":
        if (this.work !== undefined) this.carried += 1; // else its `trained` is on the way, and too late
        this.work = undefined;
        return;
      case "encode":
        return this.replicaWork(sim.random.between(5, 50), () => {
          const update = fakeHash("update", this.id, output.round, output.baseHash, this.offerNonce++);
          sim.check(this.replica?.anchorHash === output.baseHash, "an update starts from the replica's anchor");
          sim.check(this.inFlight === undefined, "one offer in flight at most");
          this.inFlight = update;
          if (this.bad) sim.arithmetic.badUpdates.add(update);
          this.blobs.add(update);
          this.input({ type: "encoded", round: output.round, update, bytes: 1_000 });
        });
      case "upload":
        return this.request(() => {
          const stored = this.socket?.open === true && sim.host.store(output.hash, 1_000);
          return () =>
            this.input(
              stored
                ? { type: "uploaded", hash: output.hash }
                : { type: "upload-failed", hash: output.hash, reason: "host away" },
            );
        });
      case "fetch":
        return this.fetch(output.hash, [...output.sources], output.host, sim.isUpdate(output.hash));
      case "fold": {
        const { commit } = output;
        const all = commit.contributors.every(({ update }) => this.blobs.has(update));
        sim.check(all, "a peer folds what it holds");
        return this.replicaWork(sim.random.between(5, 100), () => {
          sim.check(this.replica?.round === commit.round, "a peer folds in order");
          const named = commit.contributors.some(({ update }) => update === this.inFlight);
          sim.check(output.named === named, "the mark rule hears whether our own update counts");
          if (named) this.namedFolds.push(commit.round);
          this.inFlight = undefined;
          let anchorHash = sim.arithmetic.fold(this.replica!.anchorHash, commit);
          if (this.wrongFolds > 0) {
            this.wrongFolds -= 1;
            anchorHash = fakeHash("wrong", anchorHash);
          }
          this.replica = { round: commit.round + 1, anchorHash };
          const refused = sim.arithmetic.refusedOf(commit);
          this.input({ type: "folded", round: commit.round, anchorHash, refused });
        });
      }
      case "evaluate":
        return this.replicaWork(sim.random.between(20, 200), () => {
          this.evaluations += 1;
          const { round, anchorHash } = this.replica!;
          sim.check(round === output.round, "the anchor to evaluate is the replica's");
          this.input({ type: "evaluated", round, anchorHash, setHash: fakeHash("set"), loss: 3 });
        });
      case "forget":
        for (const hash of output.hashes) this.blobs.delete(hash);
        return;
      case "refused":
        this.refusals.push(`${output.code}: ${output.message}`);
        this.peer = undefined;
        return this.crash();
      case "ended":
        this.ended = output.reason;
        return;
      case "wake":
        return this.after(sim.timer(output.at), () => this.input({ type: "tick" }));
    }
  }

  /** A request over HTTP: there, and back with what `at` found. */
  private request(at: () => () => void): void {
    this.after(this.sim.delay(), () => {
      const answer = at();
      this.after(this.sim.delay(), answer);
    });
  }

  /** Effects on the replica, one after the other. */
  private replicaWork(workMs: number, run: () => void): void {
    this.replicaFreeAt = Math.max(this.replicaFreeAt, this.sim.clock.now) + workMs;
    this.after(this.replicaFreeAt - this.sim.clock.now, run);
  }

  private train(assignment: Assignment): void {
    this.sim.check(this.work === undefined, "one training at a time");
    this.sim.check(this.replica?.round === assignment.round, "training starts at the round's anchor");
    this.workRun += 1;
    this.work = { assignment, step: 0, run: this.workRun };
    this.trainStep(this.workRun);
  }

  private trainStep(run: number): void {
    this.after(this.stepMs * this.sim.random.between(0.8, 1.3), () => {
      const { work } = this;
      if (work?.run !== run) return;
      work.step += 1;
      if (work.step >= work.assignment.steps) return this.finish();
      const { round } = work.assignment;
      this.input({ type: "progress", round, step: work.step, loss: 4, tokensPerSecond: 1, stepMs: this.stepMs });
      this.trainStep(run);
    });
  }

  private finish(): void {
    const { work } = this;
    if (work === undefined) return;
    this.work = undefined;
    const { round, openSeq, windowsPerStep } = work.assignment;
    const tokens = work.step * windowsPerStep * this.sim.spec.model.contextLength;
    this.after(1, () => this.input({ type: "trained", round, openSeq, steps: work.step, tokens, loss: 3.5 }));
  }

  private fetch(hash: string, sources: PeerId[], host: boolean, update: boolean): void {
    if (this.blobs.has(hash)) return this.after(1, () => this.input({ type: "fetched", hash }));
    const [source, ...others] = sources;
    if (source === undefined && !host)
      return this.after(1, () => this.input({ type: "fetch-failed", hash, reason: "nobody has it" }));
    this.after(2 * this.sim.delay() + this.sim.random.between(1, 60), () => {
      if (source !== undefined) {
        const other = this.sim.peer(source);
        if (!this.linked.has(source) || !other?.blobs.has(hash) || this.sim.fetchFails())
          return this.fetch(hash, others, host, update);
        this.sim.peerFetches += 1;
      } else {
        if (!this.sim.host.up || !this.sim.host.blobs.has(hash))
          return this.input({ type: "fetch-failed", hash, reason: "the host does not have it" });
        if (update) this.sim.host.updateFetches += 1;
      }
      this.blobs.add(hash);
      this.input({ type: "fetched", hash });
    });
  }
}
