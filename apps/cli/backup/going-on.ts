// From where a host could go on with a stored run: what a backup must hold, and what says that retention was faster than a copy.
import { holdersOf, type LogEntry, type RunSpec } from "#wire";
import { sealedCommits } from "../../host/witness.ts";

/**
 * The round of the newest checkpoint whose blobs, and all updates after it, are there; 0: genesis. Undefined: from nowhere.
 * @param has whether a blob is there
 */
export async function goesOnFrom(
  spec: RunSpec,
  entries: readonly LogEntry[],
  has: (name: string) => boolean | Promise<boolean>,
): Promise<number | undefined> {
  if (holdersOf(spec) !== undefined) return 0; // peers keep updates and checkpoints
  const hasAll = async (names: readonly string[]): Promise<boolean> => {
    for (const name of names) if (!(await has(name))) return false;
    return true;
  };
  const commits = sealedCommits(entries);
  // From the newest round backwards: so far all updates are there.
  let kept = commits.length;
  while (kept > 0 && (await hasAll(commits[kept - 1].commit.contributors.map(({ update }) => update)))) kept--;
  const oldest = kept === 0 ? 0 : commits[kept - 1].commit.round + 1;
  for (const entry of [...entries].reverse()) {
    if (entry.type !== "checkpoint" || entry.round < oldest) continue;
    if (await hasAll(entry.blobs.map(({ hash }) => hash))) return entry.round;
  }
  return oldest === 0 ? 0 : undefined;
}
