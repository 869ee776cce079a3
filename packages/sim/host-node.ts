// The host's adapter in the simulator: a disk that survives, a sequencer and a witness that do not.
import { Sequencer, type SequencerInput, type SequencerOutput } from "#swarm";
import {
  type BlobRef,
  ENTRIES_MAX,
  type EntryBody,
  entryHash,
  type HostMessage,
  type LogEntry,
  type Member,
  type PeerId,
  type PeerMessage,
  PROTOCOL_VERSION,
  type UnsignedEntry,
  versionOf,
} from "#wire";
import { HostDisk } from "./disk.ts";
import { genesisHash } from "./given.ts";
import { LocalClock } from "./local-clock.ts";
import type { HostSocketEnd, Socket } from "./network.ts";
import { brief } from "./peer-node.ts";
import { fakeHash } from "./random.ts";
import { RelayHost } from "./relay-node.ts";
import type { Simulation } from "./simulation.ts";

const hashByEntry = new WeakMap<LogEntry, string>();
export function hashOf(entry: LogEntry): string {
  const known = hashByEntry.get(entry);
  if (known !== undefined) return known;
  const hash = entryHash(entry);
  hashByEntry.set(entry, hash);
  return hash;
}

/** As wire's own, without the cost of signatures. */
export const entryCheck = { hashOf, isSigned: () => true };

export class HostNode implements HostSocketEnd {
  readonly disk = new HostDisk();
  readonly time: LocalClock;
  private readonly alarm: ReturnType<LocalClock["alarm"]>;
  readonly events: string[] = [];
  readonly disconnects: string[] = [];
  /** No room: uploads are refused. */
  full = false;
  /** Stories may have it serve none: what peers do not have of each other they do not have. */
  servesUpdates = true;
  updateFetches = 0; //                        update blobs served to peers
  sequencer: Sequencer | undefined;
  starts = 0;
  private readonly sockets = new Set<Socket>(); //   open ones, also those that have not been welcomed
  private readonly socketByPeer = new Map<PeerId, Socket>();
  readonly relay: RelayHost;
  private readonly sim: Simulation;
  private witnessFreeAt = 0;
  private witness = { round: 0, anchorHash: genesisHash };

  constructor(sim: Simulation) {
    this.sim = sim;
    this.time = new LocalClock(sim.clock, 0);
    this.alarm = this.time.alarm();
    this.relay = new RelayHost(
      sim.network,
      this.time,
      (peer) => this.socketByPeer.get(peer)?.open === true,
      sim.strike,
    );
    sim.plant.host?.(this);
  }

  get up(): boolean {
    return this.sequencer !== undefined;
  }

  /** Synced entries. */
  get log(): readonly LogEntry[] {
    return this.disk.log;
  }

  get blobs(): HostDisk["blobs"] {
    return this.disk.blobs;
  }

  start(): void {
    if (this.up) return;
    const { spec, run, clock, random } = this.sim;
    const { asides } = this.disk;
    this.time.restart(random.between(0, 10_000));
    this.starts += 1;
    this.sim.tell(() => `host starts, log ${this.log.length}`);
    if (!this.disk.restored) this.sim.judge.reread(this.log); // else peers give it back
    const { startPeers } = this.sim;
    const known = { spec, run, genesisHash, meshSeed: "mesh", startPeers, log: this.log, check: entryCheck };
    this.sequencer = new Sequencer({ ...known, aside: (hash) => asides.get(hash) });
    this.sim.plant.sequencer?.(this.sequencer);
    const { round, anchorHash } = this.sequencer.log;
    this.witness = { round, anchorHash: anchorHash ?? genesisHash };
    this.witnessFreeAt = clock.now + random.between(20, 200); // it restores a checkpoint
    this.input({ type: "tick" });
  }

  /** kill -9, or the power is gone. */
  crash(): void {
    if (!this.up) return;
    this.sim.tell(() => "host gone");
    this.sequencer = undefined;
    this.time.restart(0);
    const survived = this.disk.crash(this.sim.random, this.sim.strike);
    if (survived !== undefined) this.sim.judge.synced(survived);
    for (const socket of this.sockets) socket.close("host gone");
    this.sockets.clear();
    this.socketByPeer.clear();
    this.relay.crash();
  }

  input(input: SequencerInput): void {
    if (this.sequencer === undefined) return;
    const outputs = this.sequencer.step(this.time.now, input);
    this.sim.judge.tallied(this.sequencer);
    for (const output of outputs) this.effect(output);
    this.sim.observe();
  }

  // ---- sockets and requests -----------------------------------------------------------------------------------------------

  /** A peer calls: the handshake takes its time, and a host that dies meanwhile closes the line too. */
  dial(socket: Socket, member: Member): void {
    this.sockets.add(socket);
    this.sim.network.later(() => this.time.do(() => socket.open && this.accept(socket, member)));
  }

  private accept(socket: Socket, member: Member): void {
    if (this.sequencer === undefined) return socket.close("refused");
    const { peer } = member;
    this.socketByPeer.get(peer)?.close("superseded");
    this.socketByPeer.set(peer, socket);
    const { headSeq, headHash } = this.sequencer.head();
    const { run, spec } = this.sim;
    const about = {
      protocol: PROTOCOL_VERSION,
      build: "sim",
      peer,
      run,
      spec,
      session: "token",
      iceServers: [],
      relay: this.sim.relay,
    };
    this.send(socket, { type: "welcome", ...about, headSeq, headHash, members: this.sequencer.neighbours(peer) });
    this.input({ type: "connected", member });
  }

  peerMessage(socket: Socket, message: PeerMessage): void {
    this.time.do(() => {
      if (this.socketByPeer.get(socket.peer) !== socket) return;
      const lie = this.sim.lies.get(message);
      if (lie !== undefined) this.sim.strike(lie);
      if (message.type === "offer") this.sim.judge.offered(this.starts, message.offer);
      this.input({ type: "message", from: socket.peer, message });
    });
  }

  socketClosed(socket: Socket, reason: string): void {
    this.sockets.delete(socket);
    this.time.do(() => {
      if (this.socketByPeer.get(socket.peer) !== socket) return;
      this.socketByPeer.delete(socket.peer);
      this.relay.sessionEnded(socket.peer);
      this.input({ type: "disconnected", peer: socket.peer, reason });
    });
  }

  /** The answer to fetch-log: what it has synced and heard of. */
  served(from: number): LogEntry[] {
    return this.log.slice(from, from + ENTRIES_MAX);
  }

  /** @param stored it is on the disk, synced */
  store(hash: string, bytes: number, stored: () => void): void {
    this.blobs.add(hash, bytes);
    this.sim.observe();
    this.time.after(this.sim.random.between(0, 10), () => {
      this.blobs.sync(hash);
      this.input({ type: "blob-stored", hash, bytes });
      stored();
    });
  }

  serveBlob(hash: string): number | undefined {
    if (!this.blobs.has(hash)) return undefined;
    const isUpdate = this.sim.judge.isUpdate(hash);
    if (isUpdate && !this.servesUpdates) return undefined;
    if (isUpdate) this.updateFetches += 1;
    return this.blobs.bytesOf(hash);
  }

  private send(socket: Socket, message: HostMessage): void {
    this.sim.checkHostMessage(message);
    this.sim.tell(() => `message host to ${this.sim.peer(socket.peer)?.name}: ${brief(message)}`);
    if (message.type === "entries") for (const entry of message.entries) this.sim.judge.acknowledged(entry);
    socket.toPeer(message);
  }

  // ---- effects ------------------------------------------------------------------------------------------------------------

  private effect(output: SequencerOutput): void {
    const { sim } = this;
    switch (output.type) {
      case "append":
        for (const { name, bytes } of output.asides) this.disk.asides.set(name, bytes);
        return this.append((previous) => this.signed(previous, output.body));
      case "append-signed":
        return this.append(() => output.entry);
      case "send": {
        const socket = this.socketByPeer.get(output.to);
        if (socket !== undefined) this.send(socket, output.message);
        return;
      }
      case "broadcast":
        for (const [peer, socket] of this.socketByPeer) if (peer !== output.except) this.send(socket, output.message);
        return;
      case "disconnect": {
        const socket = this.socketByPeer.get(output.peer);
        this.disconnects.push(`${output.code}: ${output.message}`);
        if (socket === undefined) return;
        this.send(socket, { type: "refuse", code: "invalid", message: output.message });
        this.socketByPeer.delete(output.peer);
        this.relay.sessionEnded(output.peer);
        sim.clock.after(1_000, () => socket.close(output.message));
        return;
      }
      case "fold":
        return this.fold(output.commit);
      case "restart-witness":
        return this.restartWitness();
      case "checkpoint":
        return this.witnessWork([5, 50], () => {
          sim.check(this.witness.round === output.round, "the witness is at the anchor that it stores");
          const { anchorHash } = this.witness;
          const blobs: BlobRef[] = [
            { name: "anchor", hash: fakeHash("checkpoint", anchorHash), bytes: sim.checkpointBytes },
          ];
          for (const { hash, bytes } of blobs) {
            this.blobs.add(hash, bytes);
            this.blobs.sync(hash);
          }
          this.input({ type: "checkpointed", round: output.round, anchorHash, blobs });
        });
      case "forget":
        for (const hash of output.hashes) this.blobs.delete(hash);
        return;
      case "event":
        this.events.push(output.event.kind);
        return;
      case "wake":
        return this.alarm(sim.timer(output.at - this.time.now), () => this.input({ type: "tick" }));
    }
  }

  private fold(commit: Extract<SequencerOutput, { type: "fold" }>["commit"]): void {
    const { sim } = this;
    const { round } = commit;
    if (!commit.contributors.every(({ update }) => this.blobs.has(update)))
      return this.witnessWork([1, 2], () => {
        sim.judge.blobIsLost();
        const hashes = commit.contributors.map(({ update }) => update).filter((update) => !this.blobs.has(update));
        this.input({ type: "blob-lost", round, reason: "a disk was replaced", hashes });
      });
    this.witnessWork([5, 80], () => {
      sim.check(this.witness.round === round, "the witness folds in order");
      const anchorHash = sim.arithmetic.fold(this.witness.anchorHash, commit);
      this.witness = { round: round + 1, anchorHash };
      this.input({ type: "folded", round, anchorHash, refused: sim.arithmetic.refusedOf(commit) });
    });
  }

  private restartWitness(): void {
    this.witnessWork([20, 200], () => {
      const { checkpoint, sealedByRound, round, anchorHash } = this.sequencer!.log;
      const from = checkpoint?.blobs.every(({ hash }) => this.blobs.has(hash)) ? checkpoint.round : 0;
      for (let at = from; at < round; at++)
        for (const { update } of sealedByRound.get(at)?.commit.contributors ?? [])
          this.sim.check(this.blobs.has(update), "the witness finds a way through the log");
      this.witness = { round, anchorHash: anchorHash ?? genesisHash };
      this.input({ type: "witness-restarted", round });
    });
  }

  private witnessWork([min, max]: readonly [number, number], run: () => void): void {
    const { now } = this.sim.clock;
    this.witnessFreeAt = Math.max(this.witnessFreeAt, now) + this.sim.random.between(min, max);
    this.time.after(this.witnessFreeAt - now, run);
  }

  private signed(previous: LogEntry | undefined, body: EntryBody): LogEntry {
    const unsigned = {
      version: versionOf(body),
      seq: this.log.length,
      prevHash: previous ? hashOf(previous) : this.sim.run,
      time: Math.round(this.sim.clock.now),
      ...body,
    } as UnsignedEntry;
    return { ...unsigned, signature: "0".repeat(128) } as LogEntry;
  }

  /** Written, then synced, then heard of: the process may die between any two. */
  private append(make: (previous: LogEntry | undefined) => LogEntry): void {
    const { random, judge } = this.sim;
    this.time.after(random.between(0, 5), () => {
      const entry = make(this.log.at(-1));
      this.disk.write(entry);
      this.sim.observe();
      this.time.after(random.between(1, 10), () => {
        this.disk.sync();
        judge.synced(entry);
        this.time.after(random.between(0, 5), () => this.input({ type: "appended", entry }));
      });
    });
  }
}
