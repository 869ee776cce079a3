// Test builds only: tells on the console which log entries reached this page and which anchors it held, so that a test can hold the
// host to what it said, also to a page that was killed since.
import type { PeerInput, PeerView } from "#swarm";
import { entryHash, type PeerId } from "#wire";

/** One line of it, behind JOURNAL: entries as [seq, hash]. */
export type JournalLine =
  | { peer: PeerId }
  | { entries: readonly (readonly [number, string])[] }
  | { round: number; anchorHash: string };

export const JOURNAL = "gossamer journal ";

export class Journal {
  #anchorHash: string | null = null;

  began(peer: PeerId): void {
    if (import.meta.env.VITE_TEST_HOOKS) tell({ peer });
  }

  heard(input: PeerInput): void {
    if (!import.meta.env.VITE_TEST_HOOKS) return;
    const entries =
      input.type === "log"
        ? input.entries
        : input.type === "message" && input.message.type === "entries"
          ? input.message.entries
          : [];
    if (entries.length > 0) tell({ entries: entries.map((entry) => [entry.seq, entryHash(entry)]) });
  }

  held({ round, anchorHash }: PeerView): void {
    if (!import.meta.env.VITE_TEST_HOOKS || anchorHash === null || anchorHash === this.#anchorHash) return;
    this.#anchorHash = anchorHash;
    tell({ round, anchorHash });
  }
}

const tell = (line: JournalLine): void => console.debug(JOURNAL + JSON.stringify(line));
