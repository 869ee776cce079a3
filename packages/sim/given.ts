// A run to simulate: the nano preset with a small H, and arithmetic that is a hash of its inputs.

import type { GroupMember } from "#outer";
import { type EntryOf, type LogEntry, type Offer, type PeerId, presets, type RunSpec, runIdOf } from "#wire";
import { fakeHash } from "./random.ts";

export type SpecChange = Partial<Pick<RunSpec, "model" | "rounds" | "evaluation" | "checkpoint" | "end">> & {
  steps?: number;
  /** Peers send gradients: H is 1. [R47] */
  gradients?: boolean;
};

export function simulatedSpec(change: SpecChange = {}): RunSpec {
  const { corpus: _, ...draft } = presets.nano;
  const { steps = change.gradients ? 1 : 8, gradients = false, ...rest } = change;
  const ddp = { extract: "gradient", method: "adamw", learningRate: 1, momentum: 0 } as const;
  const noloco = { method: "noloco", extract: "parameters", clipToMedianNorm: false } as const;
  return {
    ...draft,
    version: 4,
    inner: { ...draft.inner, steps },
    outer: { ...draft.outer, ...(rest.rounds?.topology === "pairs" && noloco), ...(gradients && ddp) },
    rounds: { quorum: 32, maxContributors: 32, deadlineMinMs: 2_000, deadlineMaxMs: 20_000 },
    evaluation: { everyRounds: 3, windows: 8 },
    checkpoint: { everyRounds: 4, retain: "window" },
    end: {},
    ...rest,
    data: {
      source: "nowhere",
      licence: "none",
      tokenizer: "bytes",
      train: [{ hash: fakeHash("train"), bytes: 1, tokens: 1 }],
      evaluation: [{ hash: fakeHash("evaluation"), bytes: 1, tokens: 1 }],
    },
    hostKey: fakeHash("host key"),
  };
}

export const simulatedRun = (spec: RunSpec): string => runIdOf(spec);
export const genesisHash = fakeHash("genesis");
export const peerIdOfIndex = (index: number): PeerId => `${fakeHash("peer", index)}00`;

/**
 * A run's arithmetic, shared by all who fold. An anchor is one number here, and its hash names all that led to it. In pairs that is the commit alone: the mean of
 * the numbers that its updates hold, rounded down, so that work stays countable.
 */
export class Arithmetic {
  /** Updates that do not decode, by rule of their bytes: everybody sees the same. */
  readonly badUpdates = new Set<string>();
  /** Inner steps that an update carries. */
  readonly workByUpdate = new Map<string, number>();
  /** In pairs: what an update holds. */
  readonly localByUpdate = new Map<string, number>();
  private readonly pairs: boolean;
  private readonly valueByAnchor = new Map<string, number>([[genesisHash, 0]]);

  constructor({ rounds }: Pick<RunSpec, "rounds">) {
    this.pairs = rounds.topology === "pairs";
  }

  refusedOf(commit: EntryOf<"commit">): { peer: PeerId; reason: string }[] {
    return commit.contributors
      .filter(({ update }) => this.badUpdates.has(update))
      .map(({ peer }) => ({ peer, reason: "holds a value that is not finite" }));
  }

  /** In pairs: it merges to nothing. */
  isEmpty({ contributors }: EntryOf<"commit">): boolean {
    return this.pairs && contributors.every(({ update }) => this.badUpdates.has(update));
  }

  fold(anchorHash: string, commit: EntryOf<"commit">): string {
    const counted = commit.contributors.filter(({ update }) => !this.badUpdates.has(update));
    if (this.isEmpty(commit)) return anchorHash;
    const from = this.pairs ? [] : [anchorHash];
    const hash = fakeHash("fold", ...from, ...counted.flatMap(({ peer, update, tokens }) => [peer, update, tokens]));
    if (!this.valueByAnchor.has(hash)) {
      const work = counted.reduce((sum, { update }) => sum + (this.workByUpdate.get(update) ?? 0), 0);
      const merged = this.meanOf(counted.map(({ update }) => update));
      this.valueByAnchor.set(hash, this.pairs ? merged! : this.valueOf(anchorHash) - work);
    }
    return hash;
  }

  /** Of what these updates hold, where it decodes: undefined when none does. */
  meanOf(updates: readonly string[]): number | undefined {
    const held = updates
      .filter((update) => !this.badUpdates.has(update))
      .map((update) => this.localByUpdate.get(update));
    return held.length === 0
      ? undefined
      : Math.floor(held.reduce<number>((sum, value) => sum + (value ?? 0), 0) / held.length);
  }

  /** One update of many: undefined when none decodes. */
  aggregate(members: readonly GroupMember[]): { update: string; tokens: number; refused: PeerId[] } | undefined {
    const counted = members.filter(({ update }) => !this.badUpdates.has(update));
    if (counted.length === 0) return undefined;
    const update = fakeHash("aggregate", ...counted.flatMap((member) => [member.peer, member.update, member.tokens]));
    const work = counted.reduce((sum, member) => sum + (this.workByUpdate.get(member.update) ?? 0), 0);
    this.workByUpdate.set(update, work);
    const refused = members.filter((member) => !counted.includes(member)).map(({ peer }) => peer);
    return { update, tokens: counted.reduce((sum, { tokens }) => sum + tokens, 0), refused };
  }

  /** 0 for what a broken machine takes for an anchor. */
  valueOf(anchorHash: string): number {
    return this.valueByAnchor.get(anchorHash) ?? 0;
  }
}

/** Stands in for Ed25519: depends on every field that is signed. */
export function signatureOf(offer: Offer): string {
  const { peer, round, openSeq, baseHash, update, bytes, tokens, steps, loss } = offer;
  const first = fakeHash("offer", peer, round, openSeq, baseHash, update, bytes, tokens, steps, loss);
  return first + fakeHash("second half", first);
}

/** Refolds a log from genesis, knowing nothing of who ran it. @returns the anchor after each round, by round */
export function refold(arithmetic: Arithmetic, log: readonly LogEntry[]): string[] {
  const anchors = [genesisHash];
  let pending: EntryOf<"commit"> | undefined;
  for (const entry of log) {
    if (entry.type === "commit") pending = entry;
    if (entry.type === "void") pending = undefined;
    if (entry.type === "seal" && pending) anchors.push(arithmetic.fold(anchors[anchors.length - 1], pending));
  }
  return anchors;
}
