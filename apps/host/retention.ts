// What an operator's policy lets go of a run's blobs, beyond what the spec's own retention has dropped: a function of the log.
//
//   entries + policy -> checkpoints and updates that go, each with its reason; never what a host needs to go on
import type { EntryOf, LogEntry } from "#wire";

export interface RetentionPolicy {
  /** So many of the newest checkpoints stay; undefined: all. */
  readonly checkpoints?: number | undefined;
  /** And those whose round is a multiple of this. */
  readonly every?: number | undefined;
  /** Updates that go: none; those of runs that are over; also what lies before the checkpoints of runs that go on. */
  readonly updates: "keep" | "ended" | "past";
}

export interface Going {
  readonly name: string;
  readonly kind: "checkpoint" | "update";
  readonly round: number;
}

/** A run that goes on keeps two: a peer may still be on its way from the older one. */
const CHECKPOINTS_MIN = { running: 2, over: 1 };

/**
 * @param over ended, or archived: nobody will train it
 * @param has whether a blob is there: a checkpoint that lost a part is none
 */
export function letGo(
  entries: readonly LogEntry[],
  over: boolean,
  policy: RetentionPolicy,
  has: (name: string) => boolean,
): Going[] {
  const whole = entries.filter(
    (entry): entry is EntryOf<"checkpoint"> =>
      entry.type === "checkpoint" && entry.blobs.every(({ hash }) => has(hash)),
  );
  if (whole.length === 0) return []; // nothing but updates leads to the anchor
  const min = CHECKPOINTS_MIN[over ? "over" : "running"];
  const newest = whole.slice(-Math.max(min, policy.checkpoints ?? min));
  const stays = ({ round }: EntryOf<"checkpoint">): boolean =>
    policy.checkpoints === undefined ||
    round >= newest[0].round ||
    (policy.every !== undefined && round % policy.every === 0);
  const kept = new Set(whole.filter(stays).flatMap(({ blobs }) => blobs.map(({ hash }) => hash)));
  const going: Going[] = whole
    .filter((checkpoint) => !stays(checkpoint))
    .flatMap(({ round, blobs }) => blobs.map(({ hash }) => ({ name: hash, kind: "checkpoint" as const, round })));
  const dropsUpdates = policy.updates === "past" || (policy.updates === "ended" && over);
  if (dropsUpdates)
    for (const entry of entries) {
      if (entry.type !== "commit" || entry.round >= newest[0].round) continue;
      for (const { update } of entry.contributors) going.push({ name: update, kind: "update", round: entry.round });
    }
  return going.filter(({ name }) => has(name) && !kept.has(name));
}
