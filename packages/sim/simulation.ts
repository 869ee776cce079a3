// A whole swarm in one process from one seed: N peers and a host under a virtual clock, over a network that delays, cuts and
// forgets. The protocol core is the real one; tensors are hashes. A failure names its seed.

import { RunState } from "#swarm";
import type {
  EntryOf,
  HostMessage,
  hostMessageSchema,
  LogEntry,
  Offer,
  PeerId,
  PeerMessage,
  peerMessageSchema,
  RunSpec,
} from "#wire";
import { Clock } from "./clock.ts";
import {
  Arithmetic,
  genesisHash,
  peerIdOfIndex,
  refold,
  type SpecChange,
  simulatedRun,
  simulatedSpec,
} from "./given.ts";
import { HostNode, hashOf } from "./host-node.ts";
import { PeerNode } from "./peer-node.ts";
import { fakeHash, Random } from "./random.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly peers: number;
  readonly spec?: SpecChange;
  readonly stepMs?: readonly [number, number];
  readonly delayMs?: readonly [number, number];
  /** Share of fetches from peers that fail. */
  readonly fetchLoss?: number;
  /** Share of links that never come up, as between two strict NATs. */
  readonly unlinkable?: number;
  /** Parse every message with wire's schemas, as the adapters do: for stories; a fuzz run has no time for it. */
  readonly validate?: boolean;
}

interface Trigger {
  readonly when: (sim: Simulation) => boolean;
  readonly then: (sim: Simulation) => void;
}

export class Simulation {
  readonly seed: number;
  readonly clock = new Clock();
  readonly random: Random;
  readonly arithmetic = new Arithmetic();
  readonly spec: RunSpec;
  readonly run: string;
  readonly genesisHash = genesisHash;
  readonly host: HostNode;
  readonly peers: PeerNode[];
  readonly hash = hashOf;
  messages = 0;
  lost = 0; //             messages under way when their socket was cut
  peerFetches = 0;
  linksMade = 0;
  private readonly delayMs: readonly [number, number];
  private readonly fetchLoss: number;
  private readonly unlinkable: number;
  private readonly validate: boolean;
  private readonly peerById = new Map<PeerId, PeerNode>();
  private triggers: Trigger[] = [];
  private readonly judge: RunState;
  private readonly anchorByRound = [genesisHash];
  private readonly updates = new Set<string>();
  private pending: EntryOf<"commit"> | undefined;
  /** Stories may lose a blob from the host's disk; then, and only then, a void is right. */
  blobsLost = 0;

  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.random = new Random(options.seed);
    this.spec = simulatedSpec(options.spec);
    this.run = simulatedRun(this.spec);
    this.delayMs = options.delayMs ?? [5, 60];
    this.fetchLoss = options.fetchLoss ?? 0;
    this.unlinkable = options.unlinkable ?? 0;
    this.validate = options.validate ?? true;
    this.judge = new RunState({ run: this.run, spec: this.spec, genesisHash });
    this.host = new HostNode(this);
    const [slow, fast] = options.stepMs ?? [80, 150];
    this.peers = Array.from(
      { length: options.peers },
      (_, index) => new PeerNode(this, index, this.random.between(slow, fast)),
    );
    for (const peer of this.peers) this.peerById.set(peer.id, peer);
  }

  /** Host first, then every peer, within a second. */
  startAll(): this {
    this.host.start();
    for (const peer of this.peers) this.clock.after(this.random.between(0, 1_000), () => peer.start());
    return this;
  }

  /** As soon as it is so, once. */
  when(when: Trigger["when"], then: Trigger["then"]): void {
    this.triggers.push({ when, then });
  }

  /** @param limitMs of virtual time, from now: not reaching `until` within it is a failure of liveness */
  runUntil(until: (sim: Simulation) => boolean, limitMs: number, what = "the goal"): void {
    const limit = this.clock.now + limitMs;
    while (!until(this)) {
      if (this.clock.now > limit || !this.clock.next()) this.fail(`${what} was not reached within ${limitMs} ms`);
    }
  }

  runRounds(rounds: number, limitMs = rounds * 60_000): void {
    const goal = this.round + rounds;
    this.runUntil(() => this.round >= goal, limitMs, `round ${goal}`);
  }

  runFor(ms: number): void {
    const end = this.clock.now + ms;
    let over = false;
    this.clock.at(end, () => {
      over = true;
    });
    while (!over && this.clock.next());
  }

  /** Rounds sealed on the host's disk. */
  get round(): number {
    return this.judge.round;
  }

  get state(): RunState {
    return this.judge;
  }

  commits(): EntryOf<"commit">[] {
    return this.host.log.filter((entry) => entry.type === "commit");
  }

  peer(id: PeerId): PeerNode | undefined {
    return this.peerById.get(id);
  }

  peerId(index: number): PeerId {
    return peerIdOfIndex(index);
  }

  // ---- checkers ---------------------------------------------------------------------------------------------------------

  check(holds: boolean, what: string): void {
    if (!holds) this.fail(what);
  }

  fail(what: string): never {
    const peers = this.peers.map((peer) => {
      const view = peer.peer?.view();
      return `${peer.name} ${view ? `${view.phase} round ${view.round} log ${peer.peer?.log.seq}` : "down"}`;
    });
    const host = this.host.sequencer?.view();
    throw new Error(
      `seed ${this.seed} at ${Math.round(this.clock.now)} ms: ${what}\n  host ${host ? `${host.phase} round ${this.round} log ${host.headSeq}` : "down"}\n  ${peers.join("\n  ")}`,
    );
  }

  /** Every entry on its way to the disk: it follows, and what it says is what an independent fold says. */
  judgeEntry(entry: LogEntry): void {
    const fault = this.judge.apply(entry);
    this.check(fault === undefined, `the log breaks its own rules: ${fault}`);
    if (entry.type === "commit") {
      this.pending = entry;
      for (const { update } of entry.contributors) {
        this.updates.add(update);
        this.check(this.host.blobs.has(update), "a commit names only what is on the host's disk");
      }
    }
    if (entry.type === "seal") {
      const anchor = this.arithmetic.fold(this.anchorByRound[this.anchorByRound.length - 1], this.pending!);
      this.anchorByRound.push(anchor);
      this.check(entry.anchorHash === anchor, "a seal is the fold of its commit");
    }
  }

  pendingIsLost(): void {
    this.check(this.blobsLost > 0, "the witness folds what is on the disk");
  }

  /** A peer that trains or waits is at an anchor that everybody else has, or will have. */
  observePeer(node: PeerNode): void {
    const { peer, replica } = node;
    if (peer !== undefined && replica !== undefined) {
      const phase = peer.view().phase;
      if ((phase === "training" || phase === "waiting") && peer.log.round === replica.round)
        this.check(replica.anchorHash === this.anchorByRound[replica.round], `${node.name} trains from a wrong anchor`);
    }
    this.observe();
  }

  observe(): void {
    if (this.triggers.length === 0) return;
    const due = this.triggers.filter(({ when }) => when(this));
    if (due.length === 0) return;
    this.triggers = this.triggers.filter((trigger) => !due.includes(trigger));
    for (const { then } of due) this.clock.after(0, () => then(this));
  }

  /** At the end of every story. */
  checkAll(): void {
    const { log, acknowledged } = this.host;
    for (const [seq, hash] of acknowledged.entries())
      this.check(
        hash === undefined || (log[seq] !== undefined && hashOf(log[seq]) === hash),
        `entry ${seq} was told, and is lost`,
      );
    let previous: LogEntry | undefined;
    for (const entry of log) {
      this.check(entry.prevHash === (previous ? hashOf(previous) : this.run), `entry ${entry.seq} breaks the chain`);
      previous = entry;
    }
    const refolded = refold(this.arithmetic, log);
    this.check(refolded.at(-1) === (this.judge.anchorHash ?? genesisHash), "the log refolds to its head");
    for (const commit of this.commits())
      for (const { signature, ...offer } of commit.contributors)
        this.check(signature === this.signature(offer), "a contribution is what its peer signed");
  }

  checkMessage(schema: typeof hostMessageSchema | typeof peerMessageSchema, message: HostMessage | PeerMessage): void {
    if (!this.validate) return;
    const parsed = schema.safeParse(message);
    this.check(parsed.success, `${message.type} breaks its schema: ${parsed.error?.message}`);
  }

  // ---- network ------------------------------------------------------------------------------------------------------------

  delay(): number {
    return this.random.between(this.delayMs[0], this.delayMs[1]);
  }

  /** Real timers ring up to a millisecond early, and late when the machine is busy. */
  timer(at: number): number {
    return at - this.clock.now + this.random.between(-1, 8);
  }

  fetchFails(): boolean {
    return this.fetchLoss > 0 && this.random.chance(this.fetchLoss);
  }

  isUpdate(hash: string): boolean {
    return this.updates.has(hash);
  }

  signature(offer: Offer): string {
    const { peer, openSeq, update, tokens, steps } = offer;
    return fakeHash("offer", peer, openSeq, update, tokens, steps) + fakeHash("second half", peer, openSeq, update);
  }

  /** The initiator calls through the host; the answer comes back the same way; then both ends are up. */
  connect(node: PeerNode, other: PeerId, initiator: boolean): void {
    if (initiator) node.socket?.toHost({ type: "signal", to: other, data: "call" });
  }

  signalled(node: PeerNode, from: PeerId, data: string): void {
    if (data === "call") node.socket?.toHost({ type: "signal", to: from, data: "answer" });
    else if (!this.pairIsUnlinkable(node.id, from))
      this.clock.after(this.delay(), () => {
        const other = this.peer(from);
        if (node.up && other?.up) this.link(node, other);
      });
  }

  link(a: PeerNode, b: PeerNode): void {
    this.linksMade += 1;
    a.linked.add(b.id);
    b.linked.add(a.id);
    a.input({ type: "link-up", peer: b.id });
    b.input({ type: "link-up", peer: a.id });
  }

  unlink(a: PeerId, b: PeerId): void {
    const [one, other] = [this.peer(a)!, this.peer(b)!];
    if (!one.linked.delete(b)) return;
    other.linked.delete(a);
    this.clock.after(this.delay(), () => one.input({ type: "link-down", peer: b }));
    this.clock.after(this.delay(), () => other.input({ type: "link-down", peer: a }));
  }

  private pairIsUnlinkable(a: PeerId, b: PeerId): boolean {
    if (this.unlinkable === 0) return false;
    const [low, high] = a < b ? [a, b] : [b, a];
    return Number.parseInt(fakeHash("nat", low, high).slice(0, 8), 16) / 2 ** 32 < this.unlinkable;
  }
}
