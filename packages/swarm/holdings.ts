// The blobs in a peer's local store: what it wants, what it keeps for the others, and when each goes. [R13] [R20] [R34] [R35] [R37]
//
//   want, keep -> fetch | cancel-fetch -> fetched -> held, kept;   a round, a group, a checkpoint is over -> forget
import type { PeerMessage } from "#wire";
import type { HostUse } from "./exchange/wanted.ts";
import { Fetches, type WantedBlob } from "./fetches.ts";
import { Keeping, type KeptBlob } from "./keeping.ts";
import type { PeerInput, PeerOutput } from "./ports.ts";
import type { RunState } from "./run-state.ts";

export interface HoldingsOptions {
  readonly log: RunState;
  readonly emit: (...outputs: readonly PeerOutput[]) => void;
  readonly tell: (message: PeerMessage) => void;
  /** What a restore or fold under way reads, or the next one will. */
  readonly inUse: () => ReadonlySet<string>;
}

export class Holdings {
  private readonly fetches = new Fetches();
  private readonly keeping = new Keeping();
  private readonly options: HoldingsOptions;
  private forgetLater: readonly string[] = [];

  constructor(options: HoldingsOptions) {
    this.options = options;
  }

  has(hash: string): boolean {
    return this.fetches.has(hash);
  }

  /** Our own work. */
  hold(hash: string): void {
    this.fetches.hold(hash);
  }

  fetched(hash: string): void {
    this.fetches.hold(hash);
    if (this.keeping.arrived(hash)) this.options.tell({ type: "kept", hash });
  }

  failed(hash: string): void {
    this.fetches.failed(hash);
  }

  /** The most failures of one blob that is wanted. */
  failures(): number {
    return this.fetches.failures();
  }

  /** From now on exactly these, and what the host asked us to keep. */
  want(blobs: readonly WantedBlob[], host: HostUse): void {
    this.options.emit(...this.fetches.wantOnly([...blobs, ...this.keeping.wanted()], host));
  }

  /** [R35] */
  keep(blob: KeptBlob): void {
    this.keeping.want(blob);
    if (!this.has(blob.hash)) return;
    this.keeping.arrived(blob.hash);
    this.options.tell({ type: "kept", hash: blob.hash });
  }

  /** The host's disk has lost them; what we hold goes up again. [R34] */
  give(hashes: readonly string[]): void {
    const { emit, tell } = this.options;
    const lacking = hashes.filter((hash) => !this.has(hash));
    for (const hash of hashes) if (!lacking.includes(hash)) emit({ type: "upload", hash });
    if (lacking.length > 0) tell({ type: "lacks", hashes: lacking });
  }

  /** [R37] Sections that no checkpoint entry came to name go when the next ones are made. */
  checkpointMade({ round, anchorHash, blobs }: PeerInput & { type: "checkpoint-made" }): void {
    const hashes = blobs.map(({ hash }) => hash);
    for (const hash of hashes) this.hold(hash);
    this.forget(this.keeping.made(hashes, (hash) => this.isNamed(hash)));
    this.options.tell({ type: "checkpoint-made", round, anchorHash, blobs: [...blobs] });
  }

  // ---- what is over -----------------------------------------------------------------------------------------------------------

  /** That round is sealed: our own update of it goes if it was not named, and so does what we kept of others'. */
  sealed(round: number, own: string | undefined): void {
    if (own !== undefined && !this.namedIn(round, own)) this.forget([own]);
    this.forget(this.keeping.over((hash) => this.isNamed(hash)));
  }

  /** What only a group needed, and no commit that we still fold or serve. @param own our update of the round, while it lasts */
  groupOver(hashes: readonly string[], own: string | undefined): void {
    const { commit, round } = this.options.log;
    const named = new Set((commit?.contributors ?? []).map(({ update }) => update));
    for (const hash of hashes)
      if (hash !== own && !named.has(hash) && !this.namedIn(round - 1, hash)) this.forget([hash]);
  }

  /** What a restore or fold under way reads stays until it is done. */
  forget(hashes: readonly string[]): void {
    const inUse = this.options.inUse();
    const unneeded = [...this.forgetLater, ...hashes];
    this.forgetLater = unneeded.filter((hash) => inUse.has(hash));
    const held = this.fetches.drop(unneeded.filter((hash) => !inUse.has(hash)));
    if (held.length > 0) this.options.emit({ type: "forget", hashes: held });
  }

  /** A restore or fold is done. */
  released(): void {
    this.forget([]);
  }

  private namedIn(round: number, update: string): boolean {
    return this.options.log.sealedByRound.get(round)?.commit.contributors.some((c) => c.update === update) ?? false;
  }

  private isNamed(hash: string): boolean {
    const { checkpoint, previousCheckpoint, sealedByRound, commit } = this.options.log;
    if ([checkpoint, previousCheckpoint].some((entry) => entry?.blobs.some((blob) => blob.hash === hash))) return true;
    const commits = [...[...sealedByRound.values()].map((sealed) => sealed.commit), ...(commit ? [commit] : [])];
    return commits.some(({ contributors }) => contributors.some(({ update }) => update === hash));
  }
}
