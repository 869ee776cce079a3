// A peer's part in its group: fetch the members' updates, make one of them, attest to it, and send it up when asked. [R27]
//
//   reduce -> fetch -> aggregate -> aggregated -> attest-group (-> send-up -> upload)
import { type EntryOf, type HostMessage, isGroup, type PeerMessage } from "#wire";
import type { WantedBlob } from "./fetches.ts";
import type { PeerInput, PeerOutput } from "./ports.ts";
import type { RunState } from "./run-state.ts";

type Reduce = Extract<HostMessage, { type: "reduce" }>;

export class Reduction {
  private readonly log: RunState;
  private group: Reduce | undefined; // the newest
  private stage: "fetching" | "aggregating" | "attested" | "idle" = "idle";
  private vote: Extract<PeerMessage, { type: "attest-group" }> | undefined;

  constructor(log: RunState) {
    this.log = log;
  }

  /** @returns blobs that only the group before it needed */
  reduce(message: Reduce): string[] {
    if (this.group?.manifest === message.manifest && this.group.openSeq === message.openSeq) return [];
    if (this.group !== undefined && message.openSeq < this.group.openSeq) return [];
    const needed = new Set(message.members.map(({ update }) => update));
    const dropped = this.close().filter((hash) => !needed.has(hash));
    this.group = message;
    this.vote = undefined;
    this.stage = "fetching";
    return dropped;
  }

  /** The members' updates, while the group's open is current. */
  wanted(): WantedBlob[] {
    if (!this.isCurrent() || this.stage !== "fetching") return [];
    return this.group!.members.map(({ update, bytes }) => ({ hash: update, bytes }));
  }

  advance(has: (hash: string) => boolean): PeerOutput[] {
    if (!this.isCurrent() || this.stage !== "fetching" || this.group === undefined) return [];
    const { manifest, members } = this.group;
    if (!members.every(({ update }) => has(update))) return [];
    this.stage = "aggregating";
    const { round, baseHash } = this.log.open!;
    return [{ type: "aggregate", round, baseHash, manifest, members }];
  }

  /** @returns our attest; undefined when it came too late, or no member's update counts */
  aggregated({ manifest, aggregate }: PeerInput & { type: "aggregated" }): PeerMessage | undefined {
    if (this.group?.manifest !== manifest || this.stage !== "aggregating") return undefined;
    this.stage = "attested";
    if (aggregate === null || !this.isCurrent()) return undefined;
    const { update, bytes, tokens, refused } = aggregate;
    this.vote = {
      type: "attest-group",
      openSeq: this.group.openSeq,
      manifest,
      update,
      bytes,
      tokens,
      refused: [...refused],
    };
    return this.vote;
  }

  /** After a new connection the host may not have heard it. */
  reconnected(): PeerMessage | undefined {
    return this.isCurrent() ? this.vote : undefined;
  }

  /** Whether the host may have the aggregate that it asks for. */
  mayUpload(hash: string): boolean {
    return this.vote?.update === hash;
  }

  /** Whether that commit names the group with our update; undefined: we have not been told of a group for its open. */
  isNamed(commit: EntryOf<"commit">, update: string): boolean | undefined {
    if (this.group?.openSeq !== commit.openSeq) return undefined;
    const { manifest, members } = this.group;
    const ours = members.some((member) => member.update === update);
    return (
      ours && commit.contributors.some((contribution) => isGroup(contribution) && contribution.manifest === manifest)
    );
  }

  /** The round is over. @returns blobs that only the group needed */
  close(): string[] {
    const { group, vote } = this;
    this.stage = "idle";
    this.vote = undefined;
    if (group === undefined) return [];
    return [...group.members.map(({ update }) => update), ...(vote ? [vote.update] : [])];
  }

  private isCurrent(): boolean {
    return this.group !== undefined && this.group.openSeq === this.log.open?.seq && this.log.commit === undefined;
  }
}
