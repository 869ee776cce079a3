// What a peer cannot read in the log: its place in a roster that is named, and the group that it is in. Said before the entries that
// they are about, and again when a peer comes back. [R26] [R27]
//
//   open round, groups, newest commit -> seat, reduce
import type { EntryOf, HostMessage, PeerId } from "#wire";
import { type Groups, type Reduce, reducesOf } from "./groups.ts";
import type { RunState } from "./run-state.ts";

export class Places {
  private readonly log: RunState;
  private reduces: { readonly commit: EntryOf<"commit">; readonly byPeer: ReadonlyMap<PeerId, Reduce> } | undefined;

  constructor(log: RunState) {
    this.log = log;
  }

  seatOf(peer: PeerId): HostMessage[] {
    const { open } = this.log;
    const position = this.log.positionOf(peer);
    if (open === undefined || !("size" in open.roster) || position < 0) return [];
    return [{ type: "seat", openSeq: open.seq, position }];
  }

  /** From the groups under way, else from the newest commit: who was away when it came must know whether it names his group. */
  reduceOf(peer: PeerId, groups: Groups | undefined): HostMessage[] {
    const reduce = groups?.reduceFor(peer) ?? this.lastReduce(peer);
    return reduce === undefined ? [] : [{ type: "reduce", ...reduce, members: [...reduce.members] }];
  }

  private lastReduce(peer: PeerId): Reduce | undefined {
    const commit = this.log.commit ?? this.log.sealedByRound.get(this.log.round - 1)?.commit;
    if (commit === undefined) return undefined;
    if (this.reduces?.commit !== commit)
      this.reduces = { commit, byPeer: reducesOf(commit, (contribution) => this.log.offersOf(contribution)) };
    return this.reduces.byPeer.get(peer);
  }
}
