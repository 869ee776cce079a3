// A whole swarm in one process from one seed: N peers and a host under a virtual clock, over a network that delays, cuts and
// forgets. The protocol core is the real one; tensors are hashes. A failure names its seed.
import type { PieceRules, RunState } from "#swarm";
import {
  type EntryOf,
  type HostMessage,
  hostMessageSchema,
  type PeerId,
  type PeerMessage,
  peerMessageSchema,
  type RunSpec,
} from "#wire";
import { simulatedPieces } from "./blobs.ts";
import type { Plant } from "./bugs.ts";
import { Clock } from "./clock.ts";
import { Arithmetic, genesisHash, peerIdOfIndex, type SpecChange, simulatedRun, simulatedSpec } from "./given.ts";
import { HostNode } from "./host-node.ts";
import { Judge } from "./judge.ts";
import type { Lie } from "./liar.ts";
import { Network, type NetworkOptions } from "./network.ts";
import { PeerNode } from "./peer-node.ts";
import { fakeHash, Random } from "./random.ts";
import { type FaultKind, noneStruck, type Struck } from "./struck.ts";

export interface SimulationOptions {
  readonly seed: number;
  readonly peers: number;
  readonly spec?: SpecChange;
  readonly stepMs?: readonly [number, number];
  readonly network?: Partial<NetworkOptions>;
  /** A step takes a peer's stepMs times a number between these. */
  readonly stepSpread?: readonly [number, number];
  readonly updateBytes?: number;
  readonly checkpointBytes?: number;
  /** Of a piece, and of a chunk; an update is one piece unless this says otherwise. */
  readonly pieceBytes?: readonly [number, number];
  /** Share of links that never come up, as between two strict NATs. */
  readonly unlinkable?: number;
  /** The host relays for pairs that no link reaches. */
  readonly relay?: boolean;
  /** The host waits for so many before it opens the first round. */
  readonly startPeers?: number;
  /** Parse every message with wire's schemas, as the adapters do: for stories; a fuzz run has no time for it. */
  readonly validate?: boolean;
  /** Hears of everything of note, as it happens. */
  readonly trace?: (atMs: number, what: string) => void;
  /** A bug to find. */
  readonly plant?: Plant;
}

/** A hundred updates: far more than a real one, so that a narrow line feels it. */
const CHECKPOINT_BYTES = 100_000;

interface Trigger {
  readonly when: (sim: Simulation) => boolean;
  readonly then: (sim: Simulation) => void;
}

export class Simulation {
  readonly seed: number;
  readonly clock = new Clock();
  readonly random: Random;
  readonly arithmetic: Arithmetic;
  readonly pieces: PieceRules;
  readonly network: Network;
  readonly spec: RunSpec;
  readonly run: string;
  readonly genesisHash = genesisHash;
  readonly judge: Judge;
  readonly host: HostNode;
  readonly peers: PeerNode[];
  readonly struck: Struck = noneStruck();
  readonly strike = (kind: FaultKind): void => {
    this.struck[kind] += 1;
    this.tell(() => `fault ${kind}`);
  };
  /** Messages under way that are none that an honest peer sends. */
  readonly lies = new WeakMap<PeerMessage, Lie>();
  /** Of which some tab had a part. */
  readonly islandsFormed = new Set<string>();
  peerFetches = 0;
  /** Where peers keep the updates: the fewest that held one when a commit named it, its maker among them. */
  heldByFewest = Number.POSITIVE_INFINITY;
  readonly stepSpread: readonly [number, number];
  readonly updateBytes: number;
  readonly checkpointBytes: number;
  readonly relay: boolean;
  readonly startPeers: number;
  readonly plant: Plant;
  private readonly unlinkable: number;
  private readonly validate: boolean;
  private readonly trace: SimulationOptions["trace"];
  private readonly peerById = new Map<PeerId, PeerNode>();
  private triggers: Trigger[] = [];

  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.random = new Random(options.seed);
    this.spec = simulatedSpec(options.spec);
    this.run = simulatedRun(this.spec);
    this.arithmetic = new Arithmetic(this.spec);
    this.network = new Network(this.clock, this.random, this.strike, { delayMs: [5, 60], ...options.network });
    this.pieces = simulatedPieces(...(options.pieceBytes ?? [16_000, 4_000]));
    this.stepSpread = options.stepSpread ?? [0.8, 1.3];
    this.updateBytes = options.updateBytes ?? 1_000;
    this.checkpointBytes = options.checkpointBytes ?? CHECKPOINT_BYTES;
    this.unlinkable = options.unlinkable ?? 0;
    this.validate = options.validate ?? true;
    this.trace = options.trace;
    this.relay = options.relay ?? false;
    this.startPeers = options.startPeers ?? 1;
    this.plant = options.plant ?? {};
    this.judge = new Judge(this);
    this.host = new HostNode(this);
    const [fast, slow] = options.stepMs ?? [80, 150];
    this.peers = Array.from(
      { length: options.peers },
      (_, index) => new PeerNode(this, index, this.random.between(fast, slow)),
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
    return this.judge.state.round;
  }

  get state(): RunState {
    return this.judge.state;
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

  /** For the trace: the words are made when somebody listens. */
  tell(what: () => string): void {
    this.trace?.(this.clock.now, what());
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

  observePeer(node: PeerNode): void {
    this.judge.observe(node);
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
    this.judge.end(this.host.log);
  }

  checkHostMessage(message: HostMessage): void {
    if (!this.validate) return;
    const parsed = hostMessageSchema.safeParse(message);
    this.check(parsed.success, `${message.type} breaks its schema: ${parsed.error?.message}`);
  }

  checkPeerMessage(message: PeerMessage): void {
    if (!this.validate) return;
    const parsed = peerMessageSchema.safeParse(message);
    this.check(parsed.success, `${message.type} breaks its schema: ${parsed.error?.message}`);
  }

  /** How long a timer waits: real ones ring up to a millisecond early, and late when the machine is busy. */
  timer(waitMs: number): number {
    return waitMs + this.random.between(-1, 8);
  }

  // ---- links ----------------------------------------------------------------------------------------------------------------

  /** The initiator calls through the host; the answer comes back the same way; then both ends are up. */
  connect(node: PeerNode, other: PeerId, initiator: boolean): void {
    if (initiator) node.socket?.toHost({ type: "signal", to: other, data: "call" });
  }

  signalled(node: PeerNode, from: PeerId, data: string): void {
    if (data === "call") node.socket?.toHost({ type: "signal", to: from, data: "answer" });
    else if (!this.pairIsUnlinkable(node.id, from))
      this.network.later(() => {
        const other = this.peer(from);
        if (!node.up || !other?.up || node.time.stopped || other.time.stopped) return;
        if (this.network.parted(node.id, from)) return;
        this.network.link(node.id, from);
        node.linkOpened(from);
        other.linkOpened(node.id);
      });
  }

  private pairIsUnlinkable(a: PeerId, b: PeerId): boolean {
    if (this.unlinkable === 0) return false;
    const [low, high] = a < b ? [a, b] : [b, a];
    return Number.parseInt(fakeHash("nat", low, high).slice(0, 8), 16) / 2 ** 32 < this.unlinkable;
  }
}
