// Knows what must hold, whatever happens: looks on from outside, with a fold of its own, and stops the simulation at the first breach.
//
//   entries on the disk, entries that somebody was told, anchors, work trained and folded -> nothing, or `fail`
import { RunState } from "#swarm";
import type { EntryOf, LogEntry, Offer, RunSpec } from "#wire";
import { type Arithmetic, genesisHash, refold, signatureOf } from "./given.ts";
import { hashOf } from "./host-node.ts";
import type { PeerNode } from "./peer-node.ts";

export class Judge {
  readonly state: RunState;
  /** Stories may lose a blob from the host's disk; then, and only then, a void is right. */
  blobsLost = 0;
  private readonly run: string;
  private readonly arithmetic: Arithmetic;
  private readonly fail: (what: string) => never;
  private readonly anchorByRound = [genesisHash];
  private readonly updates = new Set<string>();
  private pending: EntryOf<"commit"> | undefined;
  /** Hash of everything that anybody was ever told, by seq: it must stay. */
  private readonly told: (string | undefined)[] = [];

  constructor(run: string, spec: RunSpec, arithmetic: Arithmetic, fail: (what: string) => never) {
    this.run = run;
    this.arithmetic = arithmetic;
    this.fail = fail;
    this.state = new RunState({ run, spec, genesisHash });
  }

  check(holds: boolean, what: string): void {
    if (!holds) this.fail(what);
  }

  /** Every entry as it is safe on the disk: it follows, and what it says is what an independent fold says. */
  synced(entry: LogEntry, blobs: { has(hash: string): boolean }): void {
    const fault = this.state.apply(entry);
    this.check(fault === undefined, `the log breaks its own rules: ${fault}`);
    if (entry.type === "commit") {
      this.pending = entry;
      for (const { update } of entry.contributors) {
        this.updates.add(update);
        this.check(blobs.has(update), "a commit names only what is on the host's disk");
      }
    }
    if (entry.type === "seal") {
      const anchor = this.arithmetic.fold(this.anchorByRound[this.anchorByRound.length - 1], this.pending!);
      this.anchorByRound.push(anchor);
      this.check(entry.anchorHash === anchor, "a seal is the fold of its commit");
    }
  }

  /** The host sends this entry to somebody. [R1] */
  acknowledged(entry: LogEntry): void {
    this.check(entry.seq <= this.state.seq, `entry ${entry.seq} is told before it is synced`);
    this.told[entry.seq] = hashOf(entry);
  }

  blobIsLost(): void {
    this.check(this.blobsLost > 0, "the witness folds what is on the disk");
  }

  isUpdate(hash: string): boolean {
    return this.updates.has(hash);
  }

  /** A peer that trains or waits is at an anchor that everybody else has, or will have. */
  observe({ peer, replica, name }: PeerNode): void {
    if (peer === undefined || replica === undefined) return;
    const { phase } = peer.view();
    if ((phase === "training" || phase === "waiting") && peer.log.round === replica.round)
      this.check(replica.anchorHash === this.anchorByRound[replica.round], `${name} trains from a wrong anchor`);
  }

  /** At the end of every story. */
  end(log: readonly LogEntry[]): void {
    for (const [seq, hash] of this.told.entries())
      this.check(
        hash === undefined || (log[seq] !== undefined && hashOf(log[seq]) === hash),
        `entry ${seq} was told, and is lost`,
      );
    let previous: LogEntry | undefined;
    for (const entry of log) {
      this.check(entry.prevHash === (previous ? hashOf(previous) : this.run), `entry ${entry.seq} breaks the chain`);
      previous = entry;
      if (entry.type === "commit")
        for (const { signature, ...offer } of entry.contributors)
          this.check(signature === signatureOf(offer as Offer), "a contribution is what its peer signed");
    }
    const refolded = refold(this.arithmetic, log);
    this.check(refolded.at(-1) === (this.state.anchorHash ?? genesisHash), "the log refolds to its head");
  }
}
