// The host's adapter in the simulator: a disk that survives, a sequencer and a witness that do not.
import { Sequencer, type SequencerInput, type SequencerOutput } from "#swarm";
import {
  type BlobRef,
  type EntryBody,
  entryHash,
  type HostMessage,
  hostMessageSchema,
  LOG_VERSION,
  type LogEntry,
  type PeerId,
  type PeerMessage,
  peerMessageSchema,
  type UnsignedEntry,
} from "#wire";
import { genesisHash } from "./given.ts";
import type { PeerNode } from "./peer-node.ts";
import { fakeHash } from "./random.ts";
import type { Simulation } from "./simulation.ts";

const hashByEntry = new WeakMap<LogEntry, string>();
export function hashOf(entry: LogEntry): string {
  const known = hashByEntry.get(entry);
  if (known !== undefined) return known;
  const hash = entryHash(entry);
  hashByEntry.set(entry, hash);
  return hash;
}

/** One control socket: messages in order, none after a cut. */
export class Socket {
  open = true;
  private upAt = 0;
  private downAt = 0;
  private readonly sim: Simulation;
  readonly peer: PeerNode;

  constructor(sim: Simulation, peer: PeerNode) {
    this.sim = sim;
    this.peer = peer;
  }

  toPeer(message: HostMessage): void {
    this.sim.checkMessage(hostMessageSchema, message);
    this.downAt = Math.max(this.downAt, this.sim.clock.now + this.sim.delay());
    this.sim.messages += 1;
    this.sim.clock.at(this.downAt, () => {
      if (this.open) this.peer.input({ type: "message", message });
      else this.sim.lost += 1;
    });
  }

  toHost(message: PeerMessage): void {
    this.sim.checkMessage(peerMessageSchema, message);
    this.upAt = Math.max(this.upAt, this.sim.clock.now + this.sim.delay());
    this.sim.messages += 1;
    this.sim.clock.at(this.upAt, () => {
      if (this.open) this.sim.host.message(this, message);
      else this.sim.lost += 1;
    });
  }

  /** Both ends notice, each in its own time. */
  close(reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.sim.clock.after(this.sim.delay(), () => this.sim.host.socketClosed(this, reason));
    this.sim.clock.after(this.sim.delay(), () => this.peer.socketClosed(this));
  }
}

export class HostNode {
  readonly log: LogEntry[] = []; //            on the disk
  readonly blobs = new Set<string>(); //       on the disk
  /** Hash of everything that anybody was ever told, by seq: it must stay. */
  readonly acknowledged: string[] = [];
  readonly events: string[] = [];
  readonly disconnects: string[] = [];
  updateFetches = 0; //                        update blobs served to peers
  sequencer: Sequencer | undefined;
  starts = 0;
  private readonly socketByPeer = new Map<PeerId, Socket>();
  private readonly sim: Simulation;
  private life = 0;
  private witnessFreeAt = 0;
  private witness = { round: 0, anchorHash: genesisHash };

  constructor(sim: Simulation) {
    this.sim = sim;
  }

  get up(): boolean {
    return this.sequencer !== undefined;
  }

  start(): void {
    if (this.up) return;
    const { spec, run, clock } = this.sim;
    this.life += 1;
    this.starts += 1;
    this.sequencer = new Sequencer({ spec, run, genesisHash, log: this.log });
    const { round, anchorHash } = this.sequencer.log;
    this.witness = { round, anchorHash: anchorHash ?? genesisHash };
    this.witnessFreeAt = clock.now + this.sim.random.between(20, 200); // it restores a checkpoint
    this.input({ type: "tick" });
  }

  crash(): void {
    this.sequencer = undefined;
    this.life += 1;
    for (const socket of this.socketByPeer.values()) socket.close("host gone");
    this.socketByPeer.clear();
  }

  input(input: SequencerInput): void {
    if (this.sequencer === undefined) return;
    const outputs = this.sequencer.step(this.sim.clock.now, input);
    for (const output of outputs) this.effect(output);
    this.sim.observe();
  }

  /** Later in this life; a crash between forgets it. */
  private after(delayMs: number, run: () => void): void {
    const { life } = this;
    this.sim.clock.after(delayMs, () => life === this.life && run());
  }

  accept(socket: Socket): void {
    if (this.sequencer === undefined) return socket.close("refused");
    const { peer } = socket;
    this.socketByPeer.get(peer.id)?.close("superseded");
    this.socketByPeer.set(peer.id, socket);
    const { headSeq, members } = this.sequencer.view();
    socket.toPeer({
      type: "welcome",
      protocol: 1,
      build: "sim",
      peer: peer.id,
      run: this.sim.run,
      spec: this.sim.spec,
      session: "token",
      iceServers: [],
      headSeq,
      members: [...members],
    });
    this.input({ type: "connected", member: peer.member });
  }

  message(socket: Socket, message: PeerMessage): void {
    if (this.socketByPeer.get(socket.peer.id) === socket)
      this.input({ type: "message", from: socket.peer.id, message });
  }

  socketClosed(socket: Socket, reason: string): void {
    if (this.socketByPeer.get(socket.peer.id) !== socket) return;
    this.socketByPeer.delete(socket.peer.id);
    this.input({ type: "disconnected", peer: socket.peer.id, reason });
  }

  store(hash: string, bytes: number): boolean {
    if (!this.up) return false;
    this.blobs.add(hash);
    this.input({ type: "blob-stored", hash, bytes });
    return true;
  }

  private effect(output: SequencerOutput): void {
    const { sim } = this;
    switch (output.type) {
      case "append":
        return this.after(sim.random.between(1, 15), () => this.append(output.body));
      case "send":
        return this.socketByPeer.get(output.to)?.toPeer(output.message);
      case "broadcast":
        if (output.message.type === "entries")
          for (const entry of output.message.entries) this.acknowledged[entry.seq] = hashOf(entry);
        for (const [peer, socket] of this.socketByPeer) if (peer !== output.except) socket.toPeer(output.message);
        return;
      case "disconnect": {
        const socket = this.socketByPeer.get(output.peer);
        this.disconnects.push(`${output.code}: ${output.message}`);
        socket?.toPeer({ type: "refuse", code: "invalid", message: output.message });
        if (socket) sim.clock.after(1_000, () => socket.close(output.message));
        this.socketByPeer.delete(output.peer);
        return;
      }
      case "fold": {
        const { commit } = output;
        if (!commit.contributors.every(({ update }) => this.blobs.has(update)))
          return this.witnessWork(1, () => {
            sim.pendingIsLost();
            this.input({ type: "blob-lost", round: commit.round, reason: "a disk was replaced" });
          });
        return this.witnessWork(sim.random.between(5, 80), () => {
          sim.check(this.witness.round === commit.round, "the witness folds in order");
          this.witness = {
            round: commit.round + 1,
            anchorHash: sim.arithmetic.fold(this.witness.anchorHash, commit),
          };
          const refused = sim.arithmetic.refusedOf(commit);
          this.input({ type: "folded", round: commit.round, anchorHash: this.witness.anchorHash, refused });
        });
      }
      case "checkpoint":
        return this.witnessWork(sim.random.between(5, 50), () => {
          sim.check(this.witness.round === output.round, "the witness is at the anchor that it stores");
          const hash = fakeHash("checkpoint", this.witness.anchorHash);
          const blobs: BlobRef[] = [{ name: "anchor", hash, bytes: 1_000_000 }];
          this.blobs.add(hash);
          this.input({ type: "checkpointed", round: output.round, anchorHash: this.witness.anchorHash, blobs });
        });
      case "forget":
        for (const hash of output.hashes) this.blobs.delete(hash);
        return;
      case "event":
        this.events.push(output.event.kind);
        return;
      case "wake":
        return this.after(sim.timer(output.at), () => this.input({ type: "tick" }));
    }
  }

  private witnessWork(workMs: number, run: () => void): void {
    this.witnessFreeAt = Math.max(this.witnessFreeAt, this.sim.clock.now) + workMs;
    this.after(this.witnessFreeAt - this.sim.clock.now, run);
  }

  private append(body: EntryBody): void {
    const previous = this.log.at(-1);
    const unsigned = {
      version: LOG_VERSION,
      seq: this.log.length,
      prevHash: previous ? hashOf(previous) : this.sim.run,
      time: Math.round(this.sim.clock.now),
      ...body,
    } as UnsignedEntry;
    const entry = { ...unsigned, signature: "0".repeat(128) } as LogEntry;
    this.sim.judgeEntry(entry);
    this.log.push(entry);
    // Synced, but the process may die before it hears of it.
    this.after(this.sim.random.between(0, 5), () => this.input({ type: "appended", entry }));
  }
}
