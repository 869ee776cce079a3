// A small run for the tests of this package: real keys, real chain, no tensors.
import {
  canonicalBytes,
  type EntryBody,
  entryHash,
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

  get headHash(): string {
    const last = this.entries.at(-1);
    return last ? entryHash(last) : run;
  }

  append(body: EntryBody): LogEntry {
    const entry = signEntry(host, run, this.entries.at(-1), 0, body);
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
