// A run in pairs: what this peer makes of a commit, for a replica of its own. [R48] [R50]
//
//   names us -> the partner's update is here, or late -> "meet": fold both, or ours alone;   does not -> "stay" as it is, or "merge": the anchor
import { pairOf } from "#outer";
import type { EntryOf, PeerId, RunSpec } from "#wire";
import type { Millis } from "./ports.ts";
import { pairWaitMs, type Wake } from "./timing.ts";

type Commit = EntryOf<"commit">;

/** [R50] So often it may not be its turn: further from the others a replica learns less than it drifts, as one that trains without the host. [R31] */
const TURNS_MISSED_MAX = 4;

export class Pairing {
  /** The replica is no anchor: it has met a partner, or let a commit pass. */
  isOwn = false;
  private readonly self: PeerId;
  private readonly seed: number;
  private readonly waitMs: Millis;
  private readonly namedMax: number;
  private missedInRow = Number.POSITIVE_INFINITY; // commits that it has let pass; at first it stands at an anchor of long ago
  private waiting: { readonly commit: Commit; readonly until: Millis } | undefined;

  constructor(self: PeerId, { seed, rounds }: RunSpec) {
    this.self = self;
    this.seed = seed;
    this.waitMs = pairWaitMs(rounds.deadlineMaxMs);
    this.namedMax = rounds.maxContributors;
  }

  /**
   * @param newest a merge depends on its own commit alone, so those before the newest are passed by
   * @param rosterSize of a commit's round: in a large swarm commits name peers by turns
   */
  choose(named: boolean, newest: boolean, rosterSize: number): "meet" | "stay" | "merge" {
    if (named) return "meet";
    const turn = Math.ceil(rosterSize / this.namedMax); // in commits
    return newest && this.missedInRow >= TURNS_MISSED_MAX * turn ? "merge" : "stay";
  }

  /** Whose update a peer that the commit names folds beside its own; undefined: it is the odd one out. */
  partner(commit: Commit): Commit["contributors"][number] | undefined {
    const other = pairOf(commit, this.self, this.seed);
    return commit.contributors.find(({ peer }) => peer === other);
  }

  /** The partner's update has been waited for long enough. */
  isLate(now: Millis, commit: Commit, wake: Wake): boolean {
    if (this.waiting?.commit !== commit) this.waiting = { commit, until: now + this.waitMs };
    const { until } = this.waiting;
    if (now < until) wake.want(until);
    return now >= until;
  }

  /** It stands at an anchor of perhaps long ago. */
  restored(): void {
    this.isOwn = false;
    this.missedInRow = Number.POSITIVE_INFINITY;
  }

  merged(): void {
    this.isOwn = false;
    this.missedInRow = 0;
  }

  met(): void {
    this.isOwn = true;
    this.missedInRow = 0;
  }

  stayed(): void {
    this.isOwn = true;
    this.missedInRow += 1;
  }
}
