// What the host's tests are given: a host on a free port with a tiny run, and volunteers that speak the protocol by hand.
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { codecOf, encodeUpdate, foldCommit, genesisState, type SharedState } from "#outer";
import {
  blobName,
  type EntryOf,
  type HostMessage,
  hostMessageSchema,
  type Identity,
  identityFrom,
  type LogEntry,
  type PeerId,
  type PeerMessage,
  PROTOCOL_VERSION,
  peerIdOf,
  presets,
  type RoomMessage,
  type RunDraft,
  type RunSpec,
  type SignedOffer,
  sign,
  signOffer,
} from "#wire";
import { type HostOptions, type StartedHost, startHost } from "./host.ts";
import { Witness } from "./witness.ts";

export const freshFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "gossamer-host-"));

/** A model of some thousand parameters over a text of its own. */
export function tinyDraft(changed: Partial<RunDraft> = {}): RunDraft {
  return {
    ...presets.nano,
    name: "tiny",
    corpus: { kind: "file", path: "./text.txt", source: "a test", licence: "CC0-1.0", evaluationPart: 0.2 },
    model: { ...presets.nano.model, dModel: 8, layers: 1, heads: 1, kvHeads: 1, dFfn: 8, contextLength: 8 },
    inner: { ...presets.nano.inner, steps: 4, windowsPerStep: 2 },
    checkpoint: { everyRounds: 1, retain: "all" },
    ...changed,
  };
}

export async function writeRun(folder: string, draft: RunDraft = tinyDraft()): Promise<string> {
  await writeFile(join(folder, "text.txt"), "It was a dark and stormy night.\n".repeat(100));
  const path = join(folder, "run.json");
  await writeFile(path, JSON.stringify(draft));
  return path;
}

export async function startTestHost(given: Partial<HostOptions> & { data: string; run: string }): Promise<StartedHost> {
  return startHost({
    runs: [given.run],
    host: "127.0.0.1",
    port: 0,
    share: false,
    allowOrigins: [],
    relayMbit: 100,
    from: given.data,
    report: () => {},
    witness: (spec, _, blobs) => new Witness(spec, blobs),
    samples: () => ({ write: () => Promise.reject(new Error("this test gives no samples")), close: async () => {} }),
    fatal: (error) => {
      throw error;
    },
    ...given,
  });
}

type Incoming = HostMessage | RoomMessage;

/** A socket to /signal whose messages are awaited one by one. */
export class TestSocket {
  readonly socket: WebSocket;
  readonly #arrived: Incoming[] = [];
  #waiting: (() => void)[] = [];
  closed: { code: number } | undefined;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
    this.socket.on("message", (data) => {
      this.#arrived.push(JSON.parse(String(data)));
      this.#notify();
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", (code) => {
      this.closed = { code };
      this.#notify();
    });
  }

  #notify(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  async #until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.closed !== undefined) throw new Error(`the socket closed with ${this.closed.code}`);
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }

  /** Takes the first message of that type, now or when it comes. */
  next<T extends Incoming["type"]>(type: T): Promise<Extract<Incoming, { type: T }>> {
    return this.#until(() => {
      const at = this.#arrived.findIndex((message) => message.type === type);
      return at < 0 ? undefined : (this.#arrived.splice(at, 1)[0] as Extract<Incoming, { type: T }>);
    });
  }

  /** The next entry of that type, from whatever `entries` message holds it. */
  async entry<T extends LogEntry["type"]>(type: T): Promise<EntryOf<T>> {
    for (;;) {
      const { entries } = await this.next("entries");
      const found = entries.find((entry) => entry.type === type);
      if (found !== undefined) return found as EntryOf<T>;
    }
  }

  async whenClosed(): Promise<{ code: number }> {
    while (this.closed === undefined) await new Promise<void>((wake) => this.#waiting.push(wake));
    return this.closed;
  }

  send(message: PeerMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Why somebody with that key may not come in. */
  async refusalOf(seed: number, run: string): Promise<string> {
    const { nonce } = await this.next("challenge");
    this.send(helloOf(identityFrom(new Uint8Array(32).fill(seed)), nonce, { run }));
    return (await this.next("refuse")).code;
  }

  /** Once the host has taken in all that was sent before: it answers pings in their order. */
  roundTrip(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.once("pong", () => resolve());
      this.socket.ping();
    });
  }
}

const adapter = { backend: "webgpu", vendor: "test", architecture: "", description: "", isFallback: true } as const;

export function helloOf(
  identity: Identity,
  nonce: string,
  changed: Partial<Extract<PeerMessage, { type: "hello" }>> = {},
): Extract<PeerMessage, { type: "hello" }> {
  const slot = changed.slot ?? 0;
  const run = changed.run ?? "default";
  return {
    type: "hello",
    protocolMin: PROTOCOL_VERSION,
    protocolMax: PROTOCOL_VERSION,
    build: "test",
    run,
    volunteer: identity.volunteer,
    slot,
    name: "Ada",
    adapter,
    signature: sign(identity, "gossamer hello v1", [nonce, run, slot]),
    ...changed,
  };
}

export type Welcome = Extract<HostMessage, { type: "welcome" }>;

/** A volunteer that is in, and can take part in rounds with updates that change nothing. */
export class TestVolunteer extends TestSocket {
  readonly identity: Identity;
  readonly url: string;
  welcome!: Welcome;
  #state!: SharedState;
  #update!: Uint8Array;

  constructor(url: string, seed: number) {
    super(`${url}/signal`);
    this.url = url;
    this.identity = identityFrom(new Uint8Array(32).fill(seed));
  }

  static async join(url: string, seed: number, run = "default"): Promise<TestVolunteer> {
    const volunteer = new TestVolunteer(url, seed);
    const { nonce } = await volunteer.next("challenge");
    volunteer.send(helloOf(volunteer.identity, nonce, { run }));
    volunteer.welcome = await volunteer.next("welcome");
    hostMessageSchema.parse(volunteer.welcome);
    volunteer.send({ type: "head", seq: -1, hash: volunteer.welcome.run });
    volunteer.#state = genesisState(volunteer.welcome.spec as RunSpec);
    return volunteer;
  }

  get peer(): PeerId {
    return peerIdOf(this.identity.volunteer, 0);
  }

  upload(bytes: Uint8Array, name = blobName(bytes), session = this.welcome.session): Promise<Response> {
    return fetch(`${this.url}/api/blobs/${name}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${session}` },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
  }

  /** So many rounds from where the run is, each with its checkpoint. @returns the last anchor */
  async playCheckpoints({ run }: Pick<StartedHost, "run">, rounds: number): Promise<string> {
    let { round, anchorHash } = run.detail(0, 1).head;
    for (const end = round + rounds; round < end; round++) {
      ({ anchorHash } = await this.playRound(round, anchorHash));
      await this.entry("checkpoint");
    }
    return anchorHash;
  }

  /** ready -> open -> upload, offer: what follows is the host's. */
  async offerRound(round: number, anchorHash: string, changed: Partial<SignedOffer> = {}): Promise<SignedOffer> {
    const { spec, run } = this.welcome;
    this.send({ type: "ready", round, anchorHash, stepMs: 1 });
    const open = await this.entry("open");
    const tokens = spec.inner.steps * spec.inner.windowsPerStep * spec.model.contextLength;
    this.#update = this.#updateOf(round, open.baseHash, tokens);
    await this.upload(this.#update);
    const offer = {
      round,
      openSeq: open.seq,
      baseHash: open.baseHash,
      peer: this.peer,
      update: blobName(this.#update),
      bytes: this.#update.length,
      tokens,
      steps: spec.inner.steps,
      loss: 5,
    };
    const signed = { ...signOffer(this.identity, run, offer), ...changed };
    this.send({ type: "offer", offer: signed });
    this.send({ type: "pause", reason: "a test" }); // no further open until the next `ready`
    return signed;
  }

  /** What it offered in that round, which it has forgotten: its state is the one after it. */
  foldAgain(entries: readonly LogEntry[], round: number): void {
    const { spec } = this.welcome;
    const commit = entries.find((entry) => entry.type === "commit" && entry.round === round) as EntryOf<"commit">;
    const { baseHash, contributors } = commit;
    foldCommit(this.#state, spec, commit, () => this.#updateOf(round, baseHash, contributors[0].tokens));
  }

  #updateOf(round: number, baseHash: string, tokens: number): Uint8Array {
    const delta = new Float32Array(this.#state.parameters.length).fill(0.01 * (round + 1));
    return encodeUpdate({ round, baseHash, tokens, delta, codec: codecOf(this.welcome.spec as RunSpec).at(round) });
  }

  /** offerRound -> commit -> attest -> seal, alone in the swarm; then it rests. */
  async playRound(round: number, anchorHash: string): Promise<EntryOf<"seal">> {
    await this.offerRound(round, anchorHash);
    const commit = await this.entry("commit");
    const folded = foldCommit(this.#state, this.welcome.spec, commit, () => this.#update);
    this.send({ type: "attest", round, anchorHash: folded.anchorHash });
    return this.entry("seal");
  }
}
