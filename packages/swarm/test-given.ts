// A small run for the tests of this package: real keys, real chain, no tensors.
import {
  canonicalBytes,
  type EntryBody,
  entryHash,
  type HostMessage,
  hashHex,
  identityFrom,
  type LogEntry,
  type Member,
  type Offer,
  type PeerId,
  peerIdOf,
  presets,
  type RunSpec,
  runIdOf,
  type SignedOffer,
  signEntry,
} from "#wire";
import { Peer } from "./peer.ts";
import type { PeerInput, PeerOutput } from "./ports.ts";

const host = identityFrom(new Uint8Array(32).fill(7));
export const hash = (text: string): string => hashHex(canonicalBytes(text));
export const genesisHash = hash("genesis");

export function givenSpec(change: Partial<RunSpec> = {}): RunSpec {
  const { corpus: _, ...draft } = presets.nano;
  return {
    ...draft,
    inner: { ...draft.inner, steps: 8, windowsPerStep: 2 },
    rounds: { quorum: 32, maxContributors: 32, deadlineMinMs: 1_000, deadlineMaxMs: 20_000 },
    checkpoint: { everyRounds: 4, retain: "window" },
    end: {},
    data: {
      source: "nowhere",
      licence: "none",
      tokenizer: "bytes",
      train: [{ hash: hash("train"), bytes: 1, tokens: 1 }],
      evaluation: [{ hash: hash("held out"), bytes: 1, tokens: 1 }],
    },
    hostKey: host.volunteer,
    ...change,
  };
}

export const spec = givenSpec();
export const run = runIdOf(spec);
const key = (letter: string): PeerId => peerIdOf(letter.repeat(64), 0);
export const [alice, bob, carol, dave] = [key("a"), key("b"), key("c"), key("d")];

export const member = (peer: PeerId): Member => ({
  peer,
  name: peer[0],
  adapter: { backend: "webgpu", vendor: "test", architecture: "", description: "", isFallback: true },
});

/** All 8 steps, all of the assignment's tokens: 8 * 2 windows * 64. */
export function offerOf(peer: PeerId, change: Partial<Offer> = {}): SignedOffer {
  const { openSeq = 0, update = hash(`update ${peer} ${openSeq}`) } = change;
  const offer = {
    round: 0,
    openSeq,
    baseHash: genesisHash,
    peer,
    update,
    bytes: 1_000,
    tokens: 1_024,
    steps: 8,
    loss: 3,
  };
  const full = { ...offer, ...change };
  return { ...full, signature: hash(JSON.stringify(full)).repeat(2) };
}

/** Chains and signs bodies as the host does. */
export class TestLog {
  readonly entries: LogEntry[] = [];
  private readonly run: string;

  constructor(ofRun: string = run) {
    this.run = ofRun;
  }

  get headHash(): string {
    const last = this.entries.at(-1);
    return last ? entryHash(last) : this.run;
  }

  append(body: EntryBody): LogEntry {
    const entry = signEntry(host, this.run, this.entries.at(-1), 0, body);
    this.entries.push(entry);
    return entry;
  }
}

type Body<T extends EntryBody["type"]> = Extract<EntryBody, { type: T }>;

export const openBody = (change: Partial<Body<"open">> = {}): Body<"open"> => ({
  type: "open",
  round: 0,
  roster: [alice, bob],
  baseHash: genesisHash,
  cursor: 0,
  tokensBefore: 0,
  deadlineMs: 20_000,
  ...change,
});
export const commitBody = (change: Partial<Body<"commit">> = {}): Body<"commit"> => ({
  type: "commit",
  round: 0,
  openSeq: 0,
  baseHash: genesisHash,
  contributors: [offerOf(alice), offerOf(bob)],
  ...change,
});
export const sealBody = (change: Partial<Body<"seal">> = {}): Body<"seal"> => ({
  type: "seal",
  round: 0,
  anchorHash: hash("anchor 1"),
  attesters: [alice, bob],
  refused: [],
  ...change,
});

export const types = (outputs: readonly PeerOutput[]): string[] => outputs.map(({ type }) => type);

/** A peer at close quarters: alice, and the host that she hears. */
export class GivenPeer {
  readonly spec: RunSpec;
  readonly run: string;
  readonly log: TestLog;
  readonly peer: Peer;
  now = 0;

  constructor(bodies: readonly EntryBody[] = [], given: RunSpec = spec) {
    this.spec = given;
    this.run = runIdOf(given);
    this.log = new TestLog(this.run);
    for (const body of bodies) this.log.append(body);
    this.peer = new Peer({ run: this.run, spec: given, self: alice, genesisHash });
  }

  step(input: PeerInput): PeerOutput[] {
    return this.peer.step(this.now, input);
  }

  /** Without the timers. */
  acts(input: PeerInput): PeerOutput[] {
    return this.step(input).filter(({ type }) => type !== "wake");
  }

  hear(message: HostMessage): PeerOutput[] {
    return this.acts({ type: "message", message });
  }

  /** Appended on the host, and broadcast. */
  entry(body: EntryBody): PeerOutput[] {
    return this.hear({ type: "entries", entries: [this.log.append(body)] });
  }

  welcome(...others: PeerId[]): PeerOutput[] {
    this.step({ type: "host-open" });
    return this.hear(this.welcomeWith(...others));
  }

  welcomeWith(...others: PeerId[]): HostMessage {
    return {
      type: "welcome",
      protocol: 2,
      build: "test",
      peer: alice,
      run: this.run,
      spec: this.spec,
      session: "token",
      iceServers: [],
      relay: false,
      headSeq: this.log.entries.length - 1,
      headHash: this.log.headHash,
      members: others.map(member),
    };
  }

  /** At the head of an empty log, donating. */
  atGenesis(...others: PeerId[]): this {
    this.step({ type: "donate" });
    this.welcome(...others);
    this.step({ type: "restored", round: 0, anchorHash: genesisHash });
    return this;
  }
}
