// The shared state of this peer and its mark, on a thread of their own: decode, combine, outer step and hashing never stop a heartbeat.
//
//   begin(spec) -> restore(round, sections) -> parameters -> [encode(trained) -> update blob] -> fold(commit, blobs) -> anchor', from -> ...
//
// The calls come one at a time: the trainer keeps their order.
import {
  type Aggregate,
  aggregateUpdates,
  anchorHashBy,
  applyCommit,
  applyPair,
  codecOf,
  type Decoded,
  type Digest,
  type Extract,
  encodeCheckpointSection,
  extractOf,
  fragmentsOf,
  type GroupMember,
  gather,
  genesisState,
  type OpenedAt,
  readOwn,
  type SharedState,
  sectionsOf,
  stateFrom,
  updateOf,
} from "#outer";
import type { EntryOf, PeerId, RunSpec } from "#wire";

export interface Restored {
  readonly anchorHash: string; //        "" when the sections are none of this model
  readonly local: Float32Array; //       mark = local = anchor
}

export interface Folded {
  readonly anchorHash: string;
  readonly refused: { peer: PeerId; reason: string }[];
  readonly anchor: Float32Array; //       a copy
  /** Of the round's fragment; the caller's: the replica is done with it. There is none where an engine keeps the mark, or what trains is the anchor. */
  readonly from: Float32Array | undefined;
}

const browsersDigest: Digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

export class FoldService {
  readonly #digest: Digest;
  #spec: RunSpec | undefined;
  #state: SharedState | undefined;
  /** Since the first encode: until then mark = anchor, and where an engine keeps the mark nobody encodes here. */
  #extract: Extract | undefined;
  /** Error feedback asks what the offer in flight decodes to. */
  #sent: Decoded | undefined;
  #round = 0;
  #anchorHash = "";

  constructor(digest = browsersDigest) {
    this.#digest = digest;
  }

  begin(spec: RunSpec): void {
    this.#spec = spec;
    this.#state = undefined;
    this.#extract = undefined;
  }

  /**
   * @param sections a checkpoint's blobs; none: genesis, round 0
   * @param base for genesis, where the run starts from it
   */
  async restore(round: number, sections: readonly Uint8Array[], base?: Float32Array): Promise<Restored> {
    const spec = this.#need(this.#spec);
    const state = sections.length === 0 ? genesisState(spec, base) : stateFrom(spec, round, sections);
    if (typeof state === "string") return { anchorHash: "", local: new Float32Array() };
    this.#state = state;
    this.#extract = undefined;
    this.#round = round;
    this.#anchorHash = await anchorHashBy(this.#digest, state);
    return { anchorHash: this.#anchorHash, local: state.parameters.slice() };
  }

  /**
   * What was trained as a blob: the parameters, whose mark they become, or the gradient, as the run's extract says. Throws RangeError when training diverged:
   * then the mark stays.
   */
  encode(given: { round: number; baseHash: string; tokens: number; trained: Float32Array }): Uint8Array {
    const { round, baseHash, tokens, trained } = given;
    const spec = this.#need(this.#spec);
    const codec = codecOf(spec).at(round, this.#state?.codec);
    this.#extract ??= extractOf(spec, this.#need(this.#state).parameters);
    const extract = this.#extract;
    extract.withdrawn(); // an offer before this one came to nothing without a fold
    const body = codec.encode(extract.toEncode(trained, round));
    this.#sent = codec.feedback === undefined ? undefined : readOwn(codec, body);
    extract.offered(trained, round);
    return updateOf({ round, baseHash, tokens, codec }, body);
  }

  /** One update of a group's; undefined when none of them counts. */
  aggregate(given: {
    round: number;
    baseHash: string;
    members: readonly GroupMember[];
    blobs: ReadonlyMap<string, Uint8Array>;
  }): Aggregate | undefined {
    const { blobs, ...group } = given;
    return aggregateUpdates(this.#need(this.#spec), group, (name) => blobs.get(name));
  }

  /**
   * Outer step and mark rule. What trains meanwhile moves to the new anchor by the run's merge.
   * @param given.rebases whether the caller does that: an engine that keeps the mark needs no `from`
   */
  async fold(given: {
    commit: EntryOf<"commit">;
    opened: OpenedAt;
    named: boolean;
    blobs: ReadonlyMap<string, Uint8Array>;
    rebases: boolean;
  }): Promise<Folded> {
    const state = this.#need(this.#state);
    const { commit, opened, named, blobs, rebases } = given;
    const spec = this.#need(this.#spec);
    const mark = rebases && !this.#extract ? gather(state.parameters, fragmentsOf(spec)(commit.round)) : undefined;
    const refused = applyCommit(state, spec, commit, (name) => blobs.get(name), opened);
    const from = this.#extract ? this.#extract.sealed(state.parameters, named, this.#sent, commit.round) : mark;
    this.#round = commit.round + 1;
    this.#anchorHash = await anchorHashBy(this.#digest, state);
    return { anchorHash: this.#anchorHash, refused, anchor: state.parameters.slice(), from };
  }

  /** A step of this peer's own, which is no anchor: `state` is its slow weights and momentum from here on. And the mark rule. */
  foldPair(given: {
    commit: EntryOf<"commit">;
    pair: readonly PeerId[];
    blobs: ReadonlyMap<string, Uint8Array>;
  }): Folded {
    const state = this.#need(this.#state);
    const { commit, pair, blobs } = given;
    const mark = this.#extract ? undefined : state.parameters.slice();
    applyPair(state, this.#need(this.#spec), commit, pair, (name) => blobs.get(name));
    const from = this.#extract
      ? this.#extract.sealed(state.parameters, pair.length > 0, undefined, commit.round)
      : mark;
    this.#round = commit.round + 1;
    this.#anchorHash = "";
    return { anchorHash: "", refused: [], anchor: state.parameters.slice(), from };
  }

  /** The anchor that a commit in pairs merges to; undefined when none of its updates counts. This peer's own parameters stay. */
  async merge(given: {
    commit: EntryOf<"commit">;
    blobs: ReadonlyMap<string, Uint8Array>;
  }): Promise<{ anchorHash: string; anchor: Float32Array } | undefined> {
    const { length } = this.#need(this.#state).parameters;
    const { commit, blobs } = given;
    const merged: SharedState = { parameters: new Float32Array(length), velocity: new Float32Array(length) };
    const refused = applyCommit(merged, this.#need(this.#spec), commit, (name) => blobs.get(name));
    if (refused.length === commit.contributors.length) return undefined;
    return { anchorHash: await anchorHashBy(this.#digest, merged), anchor: merged.parameters };
  }

  /** The same bytes as everybody makes of this anchor; undefined when this peer is at another one. */
  checkpoint(round: number): { anchorHash: string; sections: { name: string; bytes: Uint8Array }[] } | undefined {
    const state = this.#state;
    if (state === undefined || round !== this.#round) return undefined;
    const sections = sectionsOf(state).map(({ name, values }) => ({
      name,
      bytes: encodeCheckpointSection(name, round, values),
    }));
    return { anchorHash: this.#anchorHash, sections };
  }

  /** A copy of the anchor after `round` rounds; undefined when this peer is at another one. */
  anchor(round: number): Float32Array | undefined {
    return round === this.#round ? this.#state?.parameters.slice() : undefined;
  }

  #need<T>(value: T | undefined): T {
    if (value === undefined) throw new Error("the fold worker is asked before begin and restore");
    return value;
  }
}
