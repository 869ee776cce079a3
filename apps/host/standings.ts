// Who had given how much after any round of the past: a fold of the log, kept every few rounds, so that any moment is a short fold away.
// It begins when it is first asked: a host that nobody asks for its past reads no manifest.
import {
  type Contribution,
  creditedTo,
  decodeManifest,
  type EntryOf,
  isGroup,
  type LogEntry,
  type PeerId,
} from "#wire";

/** A fold of so many rounds of 32 contributors takes a few milliseconds. */
const ROUNDS_BETWEEN = 500;
/** Rows kept in all, some 50 MB. Runs of many peers and rounds would pass it: then every second page goes. */
const ROWS_MAX = 500_000;

interface Given {
  readonly tokens: number;
  readonly rounds: number;
}
type Credit = ReadonlyMap<PeerId, Given>;

interface Page {
  readonly round: number; // sealed
  readonly seq: number; // of the seal
  readonly credit: Credit;
}

export class Standings {
  readonly #entries: readonly LogEntry[];
  readonly #manifest: (hash: string) => Uint8Array | undefined;
  readonly #newest = new Map<PeerId, Given>();
  readonly #rowsMax: number;
  #pages: Page[] = [];
  #rounds = 0;
  #seq = 0; // of the next entry to fold
  #between = ROUNDS_BETWEEN;
  #open: EntryOf<"open"> | undefined;
  #commit: EntryOf<"commit"> | undefined;

  /** @param manifest the blob that names a group's members, where it is here */
  constructor(
    entries: readonly LogEntry[],
    manifest: (hash: string) => Uint8Array | undefined,
    rowsMax: number = ROWS_MAX,
  ) {
    this.#entries = entries;
    this.#manifest = manifest;
    this.#rowsMax = rowsMax;
  }

  #catchUp(): void {
    for (; this.#seq < this.#entries.length; this.#seq++) this.#apply(this.#entries[this.#seq]);
  }

  #apply(entry: LogEntry): void {
    if (entry.type === "open") this.#open = entry;
    if (entry.type === "commit") this.#commit = entry;
    if (entry.type !== "seal" || this.#open === undefined || this.#commit === undefined) return;
    this.#add(this.#newest, this.#open, this.#commit, entry);
    this.#commit = undefined;
    this.#rounds = entry.round + 1;
    if (this.#rounds % this.#between !== 0) return;
    this.#pages.push({ round: this.#rounds, seq: entry.seq, credit: new Map(this.#newest) });
    if (this.#pages.reduce((rows, { credit }) => rows + credit.size, 0) <= this.#rowsMax) return;
    this.#between *= 2;
    this.#pages = this.#pages.filter(({ round }) => round % this.#between === 0);
  }

  /** After so many sealed rounds, most tokens first. */
  after(rounds: number): { peer: PeerId; tokens: number; rounds: number }[] {
    this.#catchUp();
    const credit = rounds >= this.#rounds ? this.#newest : this.#creditAfter(rounds);
    return [...credit]
      .map(([peer, given]) => ({ peer, ...given }))
      .sort((a, b) => b.tokens - a.tokens || (a.peer < b.peer ? -1 : 1));
  }

  #creditAfter(rounds: number): Credit {
    const page = this.#pages.findLast(({ round }) => round <= rounds);
    const credit = new Map(page?.credit);
    let open: EntryOf<"open"> | undefined;
    let commit: EntryOf<"commit"> | undefined;
    for (let seq = (page?.seq ?? -1) + 1; seq < this.#entries.length; seq++) {
      const entry = this.#entries[seq];
      if (entry.type === "open") open = entry;
      if (entry.type === "commit") commit = entry;
      if (entry.type !== "seal" || open === undefined || commit === undefined) continue;
      if (entry.round >= rounds) break;
      this.#add(credit, open, commit, entry);
    }
    return credit;
  }

  #add(
    credit: Map<PeerId, Given>,
    open: EntryOf<"open">,
    { contributors }: EntryOf<"commit">,
    { refused }: EntryOf<"seal">,
  ): void {
    const without = new Set(refused.map(({ peer }) => peer));
    for (const contribution of contributors) {
      if (without.has(contribution.peer)) continue;
      for (const { peer, tokens } of this.#givers(contribution).flatMap((given) => creditedTo(open, given))) {
        const before = credit.get(peer);
        credit.set(peer, { tokens: (before?.tokens ?? 0) + tokens, rounds: (before?.rounds ?? 0) + 1 });
      }
    }
  }

  /** A group's members; where their names are not here any more, the group's own stands for them. */
  #givers(contribution: Contribution): readonly { peer: PeerId; tokens: number }[] {
    if (!isGroup(contribution)) return [contribution];
    const blob = this.#manifest(contribution.manifest);
    const members = blob && decodeManifest(blob);
    return members?.filter(({ peer }) => !contribution.refused.includes(peer)) ?? [contribution];
  }
}
