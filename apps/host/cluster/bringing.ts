// A witness whose blobs lie with the whole cluster: what it is about to read is brought onto this host's disk first, and the checkpoints
// that it makes are stored for all before anybody hears of them.
import type { OpenedAt } from "#outer";
import type { CachedBlobs } from "#store/nats";
import { type BlobRef, type EntryOf, isGroup, type LogEntry } from "#wire";
import { type Folded, sealedCommits, type WitnessPort, type WitnessStart } from "../witness.ts";

/** At once: the store is near, and its answers wait for its disk. */
const AT_ONCE = 8;

/** Those that are anywhere; which are not, whoever reads them finds out. */
export async function bringAll(blobs: CachedBlobs, names: Iterable<string>): Promise<void> {
  const left = [...new Set(names)];
  const bringSome = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) await blobs.bring(name);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, bringSome));
}

/** The small blobs that the log's entries name, and that the core reads at once: rosters and manifests. */
export function asidesOf(log: readonly LogEntry[]): string[] {
  const names: string[] = [];
  for (const entry of log) {
    if (entry.type === "open" && !Array.isArray(entry.roster)) names.push(entry.roster.blob);
    if (entry.type === "commit") for (const each of entry.contributors) if (isGroup(each)) names.push(each.manifest);
  }
  return names;
}

export class BringingWitness implements WitnessPort {
  readonly #witness: WitnessPort;
  readonly #blobs: CachedBlobs;

  constructor(witness: WitnessPort, blobs: CachedBlobs) {
    this.#witness = witness;
    this.#blobs = blobs;
  }

  async start(log: readonly LogEntry[]): Promise<WitnessStart> {
    await bringAll(this.#blobs, await this.#neededFor(log));
    return this.#witness.start(log);
  }

  /** The newest checkpoint that is whole, with every update since; genesis and all updates if there is none. */
  async #neededFor(log: readonly LogEntry[]): Promise<string[]> {
    const commits = sealedCommits(log).map(({ commit }) => commit);
    const pending = log.findLast((entry) => entry.type === "commit");
    if (pending !== undefined && !commits.includes(pending)) commits.push(pending);
    const since = (round: number): string[] =>
      commits.flatMap((commit) => (commit.round < round ? [] : commit.contributors.map(({ update }) => update)));
    for (const checkpoint of log.filter((entry) => entry.type === "checkpoint").reverse()) {
      const needed = [...checkpoint.blobs.map(({ hash }) => hash), ...since(checkpoint.round)];
      const there = await Promise.all(needed.map((name) => this.#blobs.has(name)));
      if (there.every(Boolean)) return needed;
    }
    return since(0);
  }

  async fold(commit: EntryOf<"commit">, opened: OpenedAt): Promise<Folded> {
    await bringAll(
      this.#blobs,
      commit.contributors.map(({ update }) => update),
    );
    return this.#witness.fold(commit, opened);
  }

  async checkpoint(round: number): Promise<{ anchorHash: string; blobs: BlobRef[] }> {
    const made = await this.#witness.checkpoint(round);
    for (const { hash } of made.blobs) await this.#blobs.share(hash);
    return made;
  }

  anchor(): ReturnType<WitnessPort["anchor"]> {
    return this.#witness.anchor();
  }

  close(): Promise<void> {
    return this.#witness.close();
  }
}
