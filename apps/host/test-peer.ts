// A whole peer in Node, for tests of the host: swarm's Peer and the real arithmetic over real HTTP and WebSocket. Instead of a GPU every
// training ends at once with the same step, and instead of data channels what linked peers hold is copied.
//
//   socket, requests, timers -> peer.step -> effects -> state, store, host -> inputs again
import { WebSocket } from "ws";
import {
  aggregateUpdates,
  anchorHashOf,
  codecOf,
  encodeCheckpointSection,
  encodeUpdate,
  foldCommit,
  genesisState,
  type SharedState,
  sectionsOf,
  stateFrom,
} from "#outer";
import { Peer, type PeerInput, type PeerOutput, type RunState } from "#swarm";
import {
  blobName,
  type HostMessage,
  hostMessageSchema,
  identityFrom,
  type LogEntry,
  type PeerId,
  type PeerMessage,
  peerIdOf,
  signOffer,
} from "#wire";
import { helloOf, type Welcome } from "./test-given.ts";

/** Everybody who may link with everybody. */
export class Crowd {
  readonly peers = new Map<PeerId, TestPeer>();
  readonly onEntry: (entry: LogEntry) => void;

  private constructor(onEntry: (entry: LogEntry) => void) {
    this.onEntry = onEntry;
  }

  /** @param onEntry called with what the host told any of them */
  static join(url: string, seeds: readonly number[], onEntry: (entry: LogEntry) => void = () => {}): Crowd {
    const crowd = new Crowd(onEntry);
    for (const seed of seeds) {
      const peer = new TestPeer(crowd, url, seed);
      crowd.peers.set(peer.id, peer);
    }
    return crowd;
  }

  /** All of them, one after the other. */
  async until(holds: (log: RunState) => boolean): Promise<void> {
    for (const peer of this.peers.values()) await peer.until(holds);
  }

  /** The log of whoever is furthest. */
  get newest(): RunState {
    const logs = [...this.peers.values()].map(({ log }) => log);
    return logs.reduce((newest, log) => (log.round > newest.round ? log : newest));
  }

  close(): void {
    for (const peer of this.peers.values()) peer.close();
  }
}

/** A host that starts again on loopback is back within this. */
const RECONNECT_MS = 50;

export class TestPeer {
  readonly id: PeerId;
  readonly store = new Map<string, Uint8Array>();
  readonly refusals: string[] = [];
  /** How often the host ended its line. */
  closings = 0;
  #peer!: Peer;
  #welcome!: Welcome;
  #state!: SharedState;
  #round = 0;
  #socket!: WebSocket;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #watchers: (() => void)[] = [];
  readonly #linked = new Set<PeerId>();
  readonly #wanted = new Map<string, Extract<PeerOutput, { type: "fetch" }>>();
  readonly #crowd: Crowd;
  readonly #url: string;
  readonly #seed: number;

  constructor(crowd: Crowd, url: string, seed: number) {
    this.#crowd = crowd;
    this.#url = url;
    this.#seed = seed;
    this.id = peerIdOf(this.#identity.volunteer, 0);
    this.#connect();
  }

  get #identity() {
    return identityFrom(new Uint8Array(32).fill(this.#seed));
  }

  get log(): RunState {
    return this.#peer.log;
  }

  get anchorHash(): string | null {
    return this.#peer.view().anchorHash;
  }

  async until(holds: (log: RunState) => boolean): Promise<void> {
    while (this.#peer === undefined || !holds(this.#peer.log))
      await new Promise<void>((wake) => this.#watchers.push(wake));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  // ---- host ---------------------------------------------------------------------------------------------------------------

  #connect(): void {
    if (this.#closed) return;
    this.#socket = new WebSocket(`${this.#url.replace(/^http/, "ws")}/signal`);
    this.#socket.on("message", (data) => this.#heard(hostMessageSchema.parse(JSON.parse(String(data)))));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      if (!this.#closed) this.closings += 1;
      this.#input({ type: "host-closed" });
      setTimeout(() => this.#connect(), RECONNECT_MS);
    });
  }

  #heard(message: HostMessage): void {
    if (message.type === "challenge") return this.#send(helloOf(this.#identity, message.nonce));
    if (message.type === "welcome") {
      this.#welcome = message;
      const { run, spec } = message;
      if (this.#peer === undefined) {
        this.#peer = new Peer({ run, spec, self: this.id });
        this.#input({ type: "donate" });
      }
      this.#input({ type: "host-open" });
    }
    if (message.type === "entries") for (const entry of message.entries) this.#crowd.onEntry(entry as LogEntry);
    this.#input({ type: "message", message });
  }

  #send(message: PeerMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  // ---- core ---------------------------------------------------------------------------------------------------------------

  #input(input: PeerInput): void {
    if (this.#closed || this.#peer === undefined) return;
    for (const output of this.#peer.step(performance.now(), input)) this.#perform(output);
    for (const wake of this.#watchers.splice(0)) wake();
  }

  #later(input: PeerInput): void {
    setImmediate(() => this.#input(input));
  }

  #perform(output: PeerOutput): void {
    const { spec, run } = this.#welcome;
    const { steps, windowsPerStep } = spec.inner;
    switch (output.type) {
      case "send":
        return this.#send(output.message);
      case "offer":
        return this.#send({ type: "offer", offer: signOffer(this.#identity, run, output.offer) });
      case "connect":
        if (output.initiator) this.#send({ type: "signal", to: output.peer, data: "call" });
        return;
      case "signal": {
        const other = this.#crowd.peers.get(output.from)!;
        this.#linkedWith(other);
        return other.#linkedWith(this);
      }
      case "wake":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#input({ type: "tick" }), Math.max(0, output.at - performance.now()));
        return;
      case "refused":
        this.refusals.push(output.message);
        return;
      case "fetch-log":
        return void this.#fetchLog(output.from);
      case "upload":
        return void this.#upload(output.hash);
      case "fetch":
        this.#wanted.set(output.hash, output);
        return void this.#fetch(output);
      case "cancel-fetch":
        this.#wanted.delete(output.hash);
        return;
      case "forget":
        for (const hash of output.hashes) this.store.delete(hash);
        return;
      case "restore": {
        const { round, blobs } = output;
        const sections = blobs.map(({ hash }) => this.store.get(hash)!);
        const state = sections.length === 0 ? genesisState(spec) : stateFrom(spec, round, sections);
        if (typeof state === "string") throw new Error(state);
        this.#state = state;
        this.#round = output.round;
        return this.#later({ type: "restored", round: output.round, anchorHash: anchorHashOf(this.#state) });
      }
      case "train": {
        const { job, firstStep, until } = output;
        const tokens = (until - firstStep) * windowsPerStep * spec.model.contextLength;
        return this.#later({ type: "trained", job, steps: until - firstStep, tokens, loss: 5 });
      }
      case "encode": {
        const { round, baseHash, tokens } = output;
        const delta = new Float32Array(this.#state.parameters.length).fill((0.001 * this.#seed) / (steps + round));
        const update = encodeUpdate({ round, baseHash, tokens, delta, codec: codecOf(spec).at(round) });
        const name = this.#put(update);
        return this.#later({ type: "encoded", round, update: name, bytes: update.length });
      }
      case "fold": {
        const { commit, opened } = output;
        const blob = (hash: string) => this.store.get(hash);
        const { anchorHash, refused } = foldCommit(this.#state, spec, commit, blob, opened);
        this.#round = commit.round + 1;
        return this.#later({ type: "folded", round: commit.round, anchorHash, refused });
      }
      case "aggregate": {
        const { manifest } = output;
        const made = aggregateUpdates(spec, output, (hash) => this.store.get(hash));
        if (made === undefined) return this.#later({ type: "aggregated", manifest, aggregate: null });
        const aggregate = { ...made, update: this.#put(made.update), bytes: made.update.length };
        return this.#later({ type: "aggregated", manifest, aggregate });
      }
      case "make-checkpoint": {
        const { round } = output;
        if (round !== this.#round) return;
        const blobs = sectionsOf(this.#state).map(({ name, values }) => {
          const bytes = encodeCheckpointSection(name, round, values);
          return { name, hash: this.#put(bytes), bytes: bytes.length };
        });
        return this.#later({ type: "checkpoint-made", round, anchorHash: anchorHashOf(this.#state), blobs });
      }
      case "evaluate": // no data set is read here
      case "stop-training": // it has ended by itself
      case "disconnect":
      case "probe":
      case "ask-relay":
      case "leave-relay":
      case "evidence":
      case "ended":
        return;
    }
  }

  // ---- blobs --------------------------------------------------------------------------------------------------------------

  #linkedWith(other: TestPeer): void {
    this.#linked.add(other.id);
    this.#later({ type: "link-up", peer: other.id });
    for (const wanted of this.#wanted.values()) void this.#fetch(wanted);
  }

  /** Whoever waits for it may have it from here. */
  #put(bytes: Uint8Array): string {
    const name = blobName(bytes);
    this.store.set(name, bytes);
    for (const peer of this.#linked) {
      const other = this.#crowd.peers.get(peer)!;
      const wanted = other.#wanted.get(name);
      if (wanted !== undefined) void other.#fetch(wanted);
    }
    return name;
  }

  async #fetch({ hash, host }: Extract<PeerOutput, { type: "fetch" }>): Promise<void> {
    const held = [...this.#linked].map((peer) => this.#crowd.peers.get(peer)!.store.get(hash));
    let bytes = this.store.get(hash) ?? held.find((here) => here !== undefined);
    if (bytes === undefined && host !== "never") {
      const response = await fetch(`${this.#url}/api/blobs/${hash}`).catch(() => undefined);
      if (response?.ok) bytes = new Uint8Array(await response.arrayBuffer());
    }
    if (bytes === undefined || !this.#wanted.delete(hash)) return;
    this.#put(bytes);
    this.#later({ type: "fetched", hash });
  }

  async #upload(hash: string): Promise<void> {
    const response = await fetch(`${this.#url}/api/blobs/${hash}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${this.#welcome.session}` },
      body: this.store.get(hash) as Uint8Array<ArrayBuffer>,
    }).catch(() => undefined);
    if (response?.ok) this.#later({ type: "uploaded", hash });
    else this.#later({ type: "upload-failed", hash, reason: `status ${response?.status}` });
  }

  async #fetchLog(from: number): Promise<void> {
    const response = await fetch(`${this.#url}/api/runs/default/log?raw=1&from=${from}&limit=100`).catch(
      () => undefined,
    );
    const entries = response?.ok ? ((await response.json()) as Extract<PeerInput, { type: "log" }>["entries"]) : [];
    this.#later({ type: "log", entries });
  }
}
